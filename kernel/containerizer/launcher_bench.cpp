// agent/launcher-vs-crun: from "make this container" to "nothing is left of it", for /bin/true in an image's files, by our
// launcher and by Debian's crun, one after the other in the same run. Equal bundles: the same files (bound, not layered), the
// same namespaces (mount, process, IPC), mounts, masked and read-only paths, capabilities and control groups.

#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "base/file.hpp"
#include "base/testing/bench.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/cgroups/cgroups.hpp"
#include "kernel/containerizer/images/docker_options.hpp"
#include "kernel/containerizer/isolators/seccomp_profile.hpp"
#include "kernel/containerizer/launch/launcher.hpp"
#include "kernel/containerizer/testing/helper_path.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using namespace containerizer;

constexpr const char* kCrun = "/usr/bin/crun";
constexpr const char* kBusybox = "/bin/busybox";

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

[[noreturn]] void give_up(const std::string& what) {
  fprintf(stderr, "launcher_bench: %s\n", what.c_str());
  exit(1);
}

/// OCI's words for what our order says.
std::string bundle_config(const std::string& group) {
  const std::string caps = R"(["CAP_CHOWN","CAP_DAC_OVERRIDE","CAP_FOWNER","CAP_FSETID","CAP_KILL","CAP_SETGID","CAP_SETUID",
    "CAP_SETPCAP","CAP_NET_BIND_SERVICE","CAP_NET_RAW","CAP_SYS_CHROOT","CAP_AUDIT_WRITE","CAP_SETFCAP"])";
  return R"({"ociVersion":"1.0.0","process":{"terminal":false,"user":{"uid":0,"gid":0},"args":["/bin/true"],"env":["PATH=/bin"],
  "cwd":"/","capabilities":{"bounding":)" + caps + R"(,"effective":)" + caps + R"(,"permitted":)" + caps + R"(}},
  "root":{"path":"rootfs"},"mounts":[
  {"destination":"/proc","type":"proc","source":"proc","options":["nosuid","noexec","nodev"]},
  {"destination":"/sys","type":"sysfs","source":"sysfs","options":["nosuid","noexec","nodev","ro"]},
  {"destination":"/sys/fs/cgroup","type":"tmpfs","source":"tmpfs","options":["nosuid","noexec","nodev","ro","mode=755"]},
  {"destination":"/dev","type":"tmpfs","source":"tmpfs","options":["nosuid","noexec","strictatime","mode=755","size=65536k"]},
  {"destination":"/dev/pts","type":"devpts","source":"devpts",
   "options":["nosuid","noexec","newinstance","ptmxmode=0666","mode=0620","gid=5"]},
  {"destination":"/dev/shm","type":"tmpfs","source":"shm","options":["nosuid","noexec","nodev","mode=1777","size=65536k"]},
  {"destination":"/dev/mqueue","type":"mqueue","source":"mqueue","options":["nosuid","noexec","nodev"]}],
  "linux":{"namespaces":[{"type":"mount"},{"type":"pid"},{"type":"ipc"}],"cgroupsPath":"/)" + group + R"(/c",
  "resources":{"cpu":{"shares":1024},"memory":{"limit":67108864,"reservation":67108864},"pids":{"limit":100}},
  "maskedPaths":["/proc/acpi","/proc/asound","/proc/kcore","/proc/keys","/proc/key-users","/proc/latency_stats",
  "/proc/sched_debug","/proc/scsi","/proc/timer_list","/proc/timer_stats","/sys/firmware"],
  "readonlyPaths":["/proc/bus","/proc/fs","/proc/irq","/proc/sys","/proc/sysrq-trigger"]}})";
}

/// crun refuses to work where controllers of both versions are mounted: for this process the second tree goes away.
void hide_second_tree() {
  const char* unified = "/sys/fs/cgroup/unified";
  if (access(unified, F_OK) != 0) return;
  if (unshare(CLONE_NEWNS) != 0 || mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr) != 0 || umount2(unified, MNT_DETACH) != 0)
    give_up("cannot hide the second cgroup tree");
}

class Setting {
 public:
  Setting() : root_(top_.path() + "/bundle/rootfs"), group_("dcos-bench-" + std::to_string(getpid())) {
    for (const char* part : {"/bin", "/proc", "/sys", "/dev"})
      if (!base::make_directories(root_ + part)) give_up("cannot make the bundle");
    const auto busybox = base::read_file(kBusybox);
    if (!busybox || !base::write_file(root_ + "/bin/true", *busybox, 0755)) give_up("cannot copy busybox");
    if (!base::write_file(top_.path() + "/bundle/config.json", bundle_config(group_))) give_up("cannot write the bundle");
    auto groups = cgroups::open_cgroups("/sys/fs/cgroup", group_, {.isolators = {"cgroups/devices"}, .strict = false});
    if (!groups) give_up(groups.error().message);
    groups_ = std::move(*groups);
    (void)base::make_directories(top_.path() + "/run");
  }
  ~Setting() {
    groups_->remove_root();
    // crun makes its group in every tree and leaves what is above it.
    for (const auto& tree : base::list_directory("/sys/fs/cgroup").value_or({}))
      rmdir(("/sys/fs/cgroup/" + tree + "/" + group_).c_str());
  }
  Setting(const Setting&) = delete;
  Setting& operator=(const Setting&) = delete;

  void ours(const std::string& seccomp = "", uint32_t first_id = 0) {
    launch::LaunchOrder order;
    order.arguments = {"/bin/true"};
    order.environment = {{"PATH", "/bin"}};
    order.directory = "/";
    order.status_file = top_.path() + "/run/status";
    order.pid_file = top_.path() + "/run/pid";
    order.private_mounts = order.private_pids = order.private_ipc = true;
    order.root.emplace().path = root_;
    order.image_user = "0";
    order.capabilities = images::kDefaultCapabilities;
    order.seccomp = seccomp;
    order.first_id = first_id;
    cgroups::Limits limits;
    limits.cpus = 1;
    limits.memory = 64 << 20;
    limits.memory_limit = 64 << 20;
    limits.pids = 100;
    limits.devices = {{'c', {}, {}, "m"}, {'b', {}, {}, "m"}, {'c', 1, 3}, {'c', 1, 5}, {'c', 1, 7}, {'c', 1, 8},
                      {'c', 1, 9},        {'c', 5, 0},        {'c', 5, 2}, {'c', 136, {}}};
    if (auto made = groups_->create("c", limits); !made) give_up(made.error().message);
    order.cgroups = groups_->entry_files("c");
    order.birth_group = groups_->birth_group("c");
    auto helper = launch::start_helper(helper_path(), order);
    if (!helper) give_up(helper.error().message);
    char text[512];
    const ssize_t length = read(helper->sync.get(), text, sizeof text);
    if (length != 0) give_up("launch: " + std::string(text, length > 0 ? static_cast<size_t>(length) : 0));
    siginfo_t info;
    waitid(P_PIDFD, static_cast<id_t>(helper->pidfd.get()), &info, WEXITED);
    if (info.si_status != 0) give_up("our container ended with " + std::to_string(info.si_status));
    if (auto gone = groups_->destroy("c", base::seconds(10)); !gone) give_up(gone.error().message);
  }

  void crun() {
    const std::string bundle = top_.path() + "/bundle", state = "--root=" + top_.path() + "/crun";
    const char* words[] = {kCrun, state.c_str(), "--cgroup-manager=cgroupfs", "run", "-b", bundle.c_str(), "dcos-bench", nullptr};
    const char* environment[] = {"PATH=/bin", nullptr};
    pid_t pid = 0;
    if (posix_spawn(&pid, kCrun, nullptr, nullptr, const_cast<char**>(words), const_cast<char**>(environment)) != 0)
      give_up("cannot run crun");
    int status = 0;
    waitpid(pid, &status, 0);
    if (status != 0) give_up("crun ended with wait status " + std::to_string(status));
  }

 private:
  base::testing::TemporaryDirectory top_;
  std::string root_, group_;
  std::unique_ptr<cgroups::Cgroups> groups_;
};

}  // namespace

int main(int argc, char** argv) {
  base::testing::Bench bench(argc, argv);
  if (!bench.wants("agent/launcher-vs-crun")) return 0;
  if (geteuid() != 0 || access(kCrun, X_OK) != 0 || access(kBusybox, X_OK) != 0) {
    fprintf(stderr, "launcher_bench: skipped, it needs root and the packages crun and busybox-static\n");
    return 0;
  }
  hide_second_tree();
  Setting setting;
  const auto filter = compile_seccomp(default_seccomp_profile(), images::kDefaultCapabilities);
  if (!filter) give_up(filter.error().message);
  std::vector<double> ours, filtered, numbered, theirs;
  const int rounds = bench.small() ? 3 : 200;
  // By turns, so that what else the machine does meets all alike.
  for (int i = 0; i < rounds; ++i) {
    auto start = Clock::now();
    setting.ours();
    ours.push_back(seconds_since(start));
    start = Clock::now();
    setting.crun();
    theirs.push_back(seconds_since(start));
    start = Clock::now();
    setting.ours(*filter);
    filtered.push_back(seconds_since(start));
    start = Clock::now();
    setting.ours("", 1879048192);
    numbered.push_back(seconds_since(start));
  }
  bench.report("agent/launcher-vs-crun", {{"launcher", "ours"}}, "s", ours);
  bench.report("agent/launcher-vs-crun", {{"launcher", "crun"}}, "s", theirs);
  bench.report("agent/launcher-vs-crun", {{"launcher", "ours with the seccomp profile"}}, "s", filtered);
  bench.report("agent/launcher-vs-crun", {{"launcher", "ours with ids of its own"}}, "s", numbered);
  return 0;
}
