#include "kernel/containerizer/launch/launcher.hpp"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/launch/format.hpp"

namespace containerizer::launch {

using base::Fd;

const int kAllSpaces = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUTS;

namespace {

class Sheet {
 public:
  void put(Key key, std::string_view text) {
    if (text.find('\0') != std::string_view::npos) bad_ = true;
    bytes_ += static_cast<char>(key);
    bytes_ += text;
    bytes_ += '\0';
  }
  void put_path(Key key, const std::string& path) {
    if (!path.empty()) put(key, path);
  }
  void put_flag(Key key, bool value) {
    if (value) put(key, "1");
  }
  void put_mask(Key key, uint64_t mask) {
    char text[32];
    snprintf(text, sizeof text, "%llx", static_cast<unsigned long long>(mask));
    put(key, text);
  }
  bool bad() const { return bad_; }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
  bool bad_ = false;
};

std::string hexadecimal(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const char byte : bytes) {
    text += kDigits[static_cast<unsigned char>(byte) >> 4];
    text += kDigits[static_cast<unsigned char>(byte) & 15];
  }
  return text;
}

std::string limit_text(const std::optional<uint64_t>& value) {
  return value ? std::to_string(*value) : "-";
}

void put_root(const RootFiles& root, Sheet& sheet) {
  sheet.put(Key::Root, root.path);
  for (const auto& layer : root.layers) sheet.put(Key::RootLayer, layer);
  sheet.put_path(Key::RootWritable, root.writable);
  sheet.put_flag(Key::RootReadOnly, root.read_only);
  sheet.put_flag(Key::Privileged, root.privileged);
  sheet.put(Key::ShmSize, std::to_string(root.shm_bytes));
}

Result<Fd> memory_file(const std::string& bytes) {
  Fd file(memfd_create("dcos-launch-order", MFD_CLOEXEC));
  if (!file) return base::errno_error("memfd_create", errno);
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t written = write(file.get(), bytes.data() + done, bytes.size() - done);
    if (written < 0) return base::errno_error("writing the order sheet", errno);
    done += static_cast<size_t>(written);
  }
  return file;
}

struct ChildPlan {
  const char* path;
  int order, sync;
  int error = 0;  // set by the child when exec fails; memory is shared until exec
};

/// Runs in the child with the parent's memory (the parent's thread waits): system calls only, and no sanitizer may keep
/// its books there.
__attribute__((no_sanitize("address", "thread", "undefined"), noinline)) int enter_helper(void* argument) {
  auto* plan = static_cast<ChildPlan*>(argument);
  // Both are moved out of the way first: either may be 3 or 4 already.
  const int order = fcntl(plan->order, F_DUPFD, 10);
  const int sync = fcntl(plan->sync, F_DUPFD, 10);
  if (order < 0 || sync < 0 || dup2(order, kSpecFd) < 0 || dup2(sync, kSyncFd) < 0) {
    plan->error = errno;
    _exit(127);
  }
  // Whatever else this process has open, also what another thread opens right now, is not for the container.
  syscall(SYS_close_range, kSyncFd + 1, ~0U, 0);
  const char* arguments[] = {"dcos-launch", nullptr};
  const char* environment[] = {nullptr};
  execve(plan->path, const_cast<char**>(arguments), const_cast<char**>(environment));
  plan->error = errno;
  _exit(127);
}

void put_log_limit(const LogLimit& limit, Key key, Sheet& sheet) {
  if (limit.max_bytes > 0) sheet.put(key, std::to_string(limit.max_bytes) + " " + std::to_string(limit.keep));
}

/// What clone3() takes (linux/sched.h, which does not go together with sched.h).
struct CloneArguments {
  uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup;
};

constexpr uint64_t kIntoCgroup = 0x200000000;

/// clone3() for a child that runs `entry` on a stack of its own, which the C library does not offer. -errno on failure.
__attribute__((no_sanitize("address", "thread", "undefined"), noinline)) long clone3_onto(
    CloneArguments* arguments, int (*entry)(void*), void* argument) {
#if defined(__x86_64__)
  long result;
  register auto child_entry asm("r12") = entry;
  register void* child_argument asm("r13") = argument;
  asm volatile(
      "syscall\n\t"
      "test %%rax, %%rax\n\t"
      "jnz 1f\n\t"
      "xor %%ebp, %%ebp\n\t"
      "mov %%r13, %%rdi\n\t"
      "call *%%r12\n\t"
      "hlt\n"
      "1:"
      : "=a"(result)
      : "0"(long{SYS_clone3}), "D"(arguments), "S"(sizeof *arguments), "r"(child_entry), "r"(child_argument)
      : "rcx", "r11", "memory");
  return result;
#else
  (void)arguments, (void)entry, (void)argument;
  return -ENOSYS;
#endif
}

/// The child is in its control group from its first instruction on: nothing is moved later.
int clone_into(const std::string& group, int flags, char* stack, size_t stack_size, ChildPlan& plan, int& pidfd) {
  const Fd directory(open(group.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return -1;
  CloneArguments arguments{};
  arguments.flags = kIntoCgroup | static_cast<uint64_t>(flags & ~SIGCHLD);
  arguments.pidfd = reinterpret_cast<uint64_t>(&pidfd);
  arguments.exit_signal = SIGCHLD;
  arguments.stack = reinterpret_cast<uint64_t>(stack);
  arguments.stack_size = stack_size;
  arguments.cgroup = static_cast<uint64_t>(directory.get());
  return static_cast<int>(clone3_onto(&arguments, enter_helper, &plan));
}

}  // namespace

Result<std::string> encode_order(const LaunchOrder& order) {
  if (order.arguments.empty()) return base::invalid("there is no program to run");
  Sheet sheet;
  sheet.put_path(Key::Program, order.program);
  for (const auto& argument : order.arguments) sheet.put(Key::Argument, argument);
  for (const auto& [name, value] : order.environment) sheet.put(Key::Variable, name + "=" + value);
  sheet.put_path(Key::Directory, order.directory);
  if (order.user) {
    sheet.put(Key::User, std::to_string(order.user->uid));
    sheet.put(Key::Group, std::to_string(order.user->gid));
    for (const gid_t group : order.user->groups) sheet.put(Key::ExtraGroup, std::to_string(group));
  }
  sheet.put_path(Key::Output, order.output);
  sheet.put_path(Key::ErrorOutput, order.error_output);
  put_log_limit(order.output_limit, Key::OutputLimit, sheet);
  if (order.oom_score) sheet.put(Key::OomScore, std::to_string(*order.oom_score));
  put_log_limit(order.error_limit, Key::ErrorLimit, sheet);
  sheet.put(Key::StatusFile, order.status_file);
  sheet.put_path(Key::PidFile, order.pid_file);
  if (order.birth_group.empty())
    for (const auto& cgroup : order.cgroups) sheet.put(Key::Cgroup, cgroup);
  for (const auto& limit : order.limits)
    sheet.put(Key::Limit, std::to_string(limit.resource) + " " + limit_text(limit.soft) + " " +
                              limit_text(limit.hard));
  for (const auto& mount : order.mounts) {
    sheet.put(Key::MountSource, mount.source);
    const std::string access = std::string(mount.read_only ? "ro" : "rw") + (mount.no_links ? ",nofollow" : "") +
                               (mount.as_is ? ",asis " : " ");
    sheet.put(Key::Mount, access + mount.type + " " + mount.target);
  }
  if (order.first_id > 0) sheet.put(Key::FirstId, std::to_string(order.first_id));
  if (order.join > 0) {
    char text[64];
    snprintf(text, sizeof text, "%d %x", static_cast<int>(order.join), static_cast<unsigned>(order.join_kinds));
    sheet.put(Key::Join, text);
    if (order.borrow_proc) sheet.put(Key::Borrow, "/proc");
    if (order.borrow_shm) sheet.put(Key::Borrow, "/dev/shm");
  }
  sheet.put_path(Key::Network, order.network);
  for (const auto& [path, value] : order.sysctls) sheet.put(Key::Sysctl, path + "=" + value);
  sheet.put_path(Key::HostName, order.host_name);
  sheet.put_flag(Key::PrivateMounts, order.private_mounts);
  sheet.put_flag(Key::PrivatePids, order.private_pids);
  sheet.put_flag(Key::PrivateIpc, order.private_ipc);
  sheet.put_flag(Key::TermFirstOnly, order.term_first_only);
  if (order.root) put_root(*order.root, sheet);
  for (const auto& volume : order.volumes) {
    for (const auto& layer : volume.layers) sheet.put(Key::VolumeLayer, layer);
    sheet.put(Key::VolumeWritable, volume.writable);
    sheet.put(Key::VolumeFiles, volume.path);
  }
  sheet.put_path(Key::UserName, order.image_user);
  for (const auto& group : order.image_groups) sheet.put(Key::GroupName, group);
  sheet.put_path(Key::Owned, order.owned);
  if (order.capabilities) sheet.put_mask(Key::Capabilities, *order.capabilities);
  sheet.put_flag(Key::NoNewPrivileges, order.no_new_privileges);
  if (order.effective_capabilities) sheet.put_mask(Key::EffectiveCapabilities, *order.effective_capabilities);
  if (!order.seccomp.empty()) sheet.put(Key::Filter, hexadecimal(order.seccomp));
  if (order.shm_bytes && !order.root) sheet.put(Key::ShmSize, std::to_string(*order.shm_bytes));
  sheet.put_path(Key::SecretStage, order.secret_stage);
  for (const auto& secret : order.secrets) {
    sheet.put(Key::SecretContent, hexadecimal(secret.content));
    sheet.put(Key::Secret, secret.target);
  }
  if (order.terminal)
    sheet.put(Key::Terminal, order.rows > 0 ? std::to_string(order.rows) + " " + std::to_string(order.columns) : "-");
  sheet.put_flag(Key::Session, order.session);
  sheet.put(Key::End, "");
  if (sheet.bad()) return base::invalid("an argument, variable or path contains a NUL character");
  return sheet.take();
}

Result<UserIds> find_user(const std::string& name) {
  std::array<char, 16384> buffer;
  struct passwd entry;
  struct passwd* found = nullptr;
  const int error = getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr)
    return error == 0 ? base::not_found("No such user '" + name + "'")
                      : base::errno_error("looking up user '" + name + "'", error);
  UserIds ids{entry.pw_uid, entry.pw_gid, std::vector<gid_t>(64)};
  int count = static_cast<int>(ids.groups.size());
  if (getgrouplist(name.c_str(), entry.pw_gid, ids.groups.data(), &count) < 0) {
    ids.groups.resize(static_cast<size_t>(count));
    getgrouplist(name.c_str(), entry.pw_gid, ids.groups.data(), &count);
  }
  ids.groups.resize(static_cast<size_t>(count));
  return ids;
}

namespace {

Result<uint64_t> start_time_of(pid_t pid) {
  auto text = base::read_file("/proc/" + std::to_string(pid) + "/stat", 4096);
  if (!text) return base::not_found("process " + std::to_string(pid) + " is gone");
  // The name in parentheses may contain blanks and parentheses itself.
  const size_t after_name = text->rfind(')');
  if (after_name == std::string::npos) return base::internal("unreadable /proc stat");
  const auto fields = base::tokenize(std::string_view(*text).substr(after_name + 1), ' ');
  if (fields.size() < 20) return base::internal("unreadable /proc stat");
  if (fields[0] == "Z" || fields[0] == "X") return base::not_found("process has ended");
  return base::parse_uint(fields[19]);
}

}  // namespace

Result<ProcessName> read_pid_file(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, 4096));
  const auto fields = base::tokenize(base::trim(text), ' ');
  if (fields.size() != 3) return Error{base::Code::Corrupt, "the pid file " + path + " is damaged"};
  ASSIGN_OR_RETURN(const int64_t pid, base::parse_int(fields[0]));
  ASSIGN_OR_RETURN(const uint64_t start, base::parse_uint(fields[1]));
  if (pid <= 1) return Error{base::Code::Corrupt, "the pid file " + path + " is damaged"};
  return ProcessName{static_cast<pid_t>(pid), start, std::string(base::trim(fields[2]))};
}

Result<std::string> read_boot_id() {
  ASSIGN_OR_RETURN(const std::string text, base::read_file("/proc/sys/kernel/random/boot_id", 256));
  return std::string(base::trim(text));
}

Result<Fd> open_process(const ProcessName& name) {
  ASSIGN_OR_RETURN(const std::string boot_id, read_boot_id());
  if (boot_id != name.boot_id) return base::not_found("the machine was restarted since");
  Fd pidfd(static_cast<int>(syscall(SYS_pidfd_open, name.pid, 0)));
  if (!pidfd) return base::not_found("process " + std::to_string(name.pid) + " is gone");
  // Read after the descriptor was opened: if the times agree, the descriptor names the right process for good.
  ASSIGN_OR_RETURN(const uint64_t start_time, start_time_of(name.pid));
  if (start_time != name.start_time) return base::not_found("the pid belongs to another process now");
  return pidfd;
}

Result<Helper> start_helper(const std::string& path, const LaunchOrder& order) {
  ASSIGN_OR_RETURN(const std::string sheet, encode_order(order));
  ASSIGN_OR_RETURN(Fd file, memory_file(sheet));
  int pipe_ends[2];
  if (pipe2(pipe_ends, O_CLOEXEC) != 0) return base::errno_error("pipe", errno);
  Fd read_end(pipe_ends[0]);
  Fd write_end(pipe_ends[1]);

  ChildPlan plan{path.c_str(), file.get(), write_end.get()};
  int flags = CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD;
  if (order.private_mounts) flags |= CLONE_NEWNS;
  if (order.private_pids) flags |= CLONE_NEWPID;
  if (order.private_ipc) flags |= CLONE_NEWIPC;

  // As posix_spawn does it: the child runs on its own stack in our memory until exec, so nothing of a big agent is
  // copied; signals stay blocked so that no handler of ours runs there.
  alignas(16) std::array<char, 32768> stack;
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, &before);
  int pidfd = -1;
  const int pid = order.birth_group.empty()
                      ? clone(enter_helper, stack.data() + stack.size(), flags, &plan, &pidfd)
                      : clone_into(order.birth_group, flags, stack.data(), stack.size(), plan, pidfd);
  const int clone_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0 && !order.birth_group.empty()) {
    // A kernel before 5.7, or a tree that does not take it: the helper enters the group itself.
    LaunchOrder other = order;
    other.birth_group.clear();
    return start_helper(path, other);
  }
  if (pid < 0) return base::errno_error("clone", clone_error);
  Helper helper{pid, Fd(pidfd), std::move(read_end)};
  if (plan.error != 0) {
    siginfo_t info;
    waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED);
    return base::errno_error("cannot run " + path, plan.error);
  }
  return helper;
}

}  // namespace containerizer::launch
