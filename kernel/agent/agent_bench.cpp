// Launch latency and rate of `true` through a whole agent process, as its master sees them; cost of what runs.

#include <sched.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <map>
#include <mutex>
#include <optional>

#include "base/file.hpp"
#include "base/strings.hpp"
#include "base/testing/bench.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/agent/testing/agent_process.hpp"
#include "kernel/agent/testing/fake_master.hpp"
#include "kernel/containerizer/images/testing/fake_registry.hpp"
#include "kernel/containerizer/images/testing/tar_writer.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using agent::testing::AgentProcess;
using agent::testing::FakeMaster;

/// When each state of each task came.
class Observed {
 public:
  void take(const mesos::v1::TaskStatus& status) {
    const std::lock_guard lock(mutex_);
    times_[status.task_id().value()].try_emplace(status.state(), Clock::now());
    if (status.state() == mesos::v1::TASK_RUNNING) ++running_;
    if (status.state() == mesos::v1::TASK_FINISHED || status.state() == mesos::v1::TASK_FAILED ||
        status.state() == mesos::v1::TASK_KILLED)
      ++ended_;
    changed_.notify_all();
  }

  bool wait(int& counter, int wanted) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(60), [&] { return counter >= wanted; });
  }
  bool wait_running(int wanted) { return wait(running_, wanted); }
  bool wait_ended(int wanted) { return wait(ended_, wanted); }

  Clock::time_point time(const std::string& task, mesos::v1::TaskState state) {
    const std::lock_guard lock(mutex_);
    return times_[task][state];
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::map<std::string, std::map<int, Clock::time_point>> times_;
  int running_ = 0, ended_ = 0;
};

dcos::internal::v1::MasterMessage run_of(const std::string& id, const std::string& command) {
  dcos::internal::v1::MasterMessage message;
  auto* run = message.mutable_run_task();
  run->mutable_framework_info()->mutable_id()->set_value("framework");
  run->mutable_framework_info()->set_user("root");
  run->mutable_framework_info()->set_name("bench");
  auto* task = run->mutable_task();
  task->set_name(id);
  task->mutable_task_id()->set_value(id);
  task->mutable_agent_id()->set_value("agent-1");
  task->mutable_command()->set_value(command);
  return message;
}

double milliseconds(Clock::duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

double resident_mib(pid_t pid) {
  const auto text = base::read_file("/proc/" + std::to_string(pid) + "/statm", 4096);
  if (!text) return 0;
  const auto fields = base::tokenize(*text, ' ');
  return fields.size() < 2 ? 0 : std::stod(std::string(fields[1])) * static_cast<double>(sysconf(_SC_PAGESIZE)) / (1 << 20);
}

/// Median resident memory of the helpers of this agent's tasks.
std::vector<double> helpers_mib(const std::string& work_dir) {
  std::vector<double> samples;
  const auto names = base::list_directory(work_dir + "/run/containers");
  for (const auto& name : names.value_or({})) {
    const auto text = base::read_file(work_dir + "/run/containers/" + name + "/pid", 4096);
    if (text) samples.push_back(resident_mib(static_cast<pid_t>(std::stol(*text))));
  }
  return samples;
}

struct Times {
  std::vector<double> to_running, to_update;  // milliseconds
};

/// `true`, so many times, one after the other. Nothing: it never came.
std::optional<Times> launch_one_by_one(FakeMaster& master, Observed& observed, int count) {
  Times out;
  for (int i = 0; i < count; ++i) {
    const std::string id = "true" + std::to_string(i);
    const auto sent = Clock::now();
    master.send(run_of(id, "true"));
    if (!observed.wait_ended(i + 1)) return std::nullopt;
    out.to_running.push_back(milliseconds(observed.time(id, mesos::v1::TASK_RUNNING) - sent));
    out.to_update.push_back(milliseconds(observed.time(id, mesos::v1::TASK_FINISHED) - observed.time(id, mesos::v1::TASK_RUNNING)));
  }
  return out;
}

void one_at_a_time(base::testing::Bench& bench) {
  FakeMaster master;
  Observed observed;
  master.set_observer([&](const auto& status) { observed.take(status); });
  AgentProcess agent(master.address());
  agent.start();
  if (!master.wait_for_agent()) return;
  const int count = bench.small() ? 10 : 200;
  auto times = launch_one_by_one(master, observed, count);
  if (!times) return;
  bench.report("agent/launch", {{"tasks", std::to_string(count)}}, "ms", std::move(times->to_running));
  bench.report("agent/running-to-finished", {{"tasks", std::to_string(count)}}, "ms", std::move(times->to_update));
}

void add_host_port(mesos::v1::TaskInfo& task) {
  auto* ports = task.add_resources();
  ports->set_name("ports");
  ports->set_type(mesos::v1::Value::RANGES);
  auto* range = ports->mutable_ranges()->add_range();
  range->set_begin(31000);
  range->set_end(31000);
  auto* docker = task.mutable_container()->mutable_docker();
  docker->set_network(mesos::v1::ContainerInfo::DockerInfo::BRIDGE);
  auto* mapping = docker->add_port_mappings();
  mapping->set_host_port(31000);
  mapping->set_container_port(80);
}

/// Containers from an image that is in the store: the agent reads it from an archive for the first one. `network`: null for
/// the host's, else the configuration of one, with a host port that leads into each container.
void from_image(base::testing::Bench& bench, const std::string& name, const char* network) {
  const auto busybox = base::read_file("/bin/busybox");
  if (!busybox) return (void)fputs("agent/image-launch needs busybox-static\n", stderr);
  const base::testing::TemporaryDirectory archives;
  // As many layers as images in the wild have.
  containerizer::images::testing::FakeImage image;
  for (int layer = 0; layer < 10; ++layer) {
    containerizer::images::testing::TarWriter tar;
    tar.file("layer" + std::to_string(layer), "x");
    if (layer == 0) tar.file("bin/busybox", *busybox, 0755).symlink("bin/sh", "busybox").symlink("bin/true", "busybox");
    image.layers.push_back(tar.finish());
  }
  const std::string archive = containerizer::images::testing::FakeRegistry::archive(image, "bench:1");
  if (!base::write_file(archives / "bench:1.tar", archive)) return;
  FakeMaster master;
  Observed observed;
  master.set_observer([&](const auto& status) { observed.take(status); });
  const base::testing::TemporaryDirectory networks;
  std::vector<std::string> flags = {"--docker_registry=" + archives.path()};
  if (network != nullptr) {
    const std::string config = base::replace_all(network, "LEASES", networks / "leases");
    if (!base::make_directories(networks / "cni") || !base::write_file(networks / "cni/mesos-bridge", config)) return;
    flags.push_back("--network_cni_config_dir=" + (networks / "cni"));
    flags.push_back("--network_cni_plugins_dir=/usr/lib/cni");
  }
  AgentProcess agent(master.address(), flags);
  agent.start();
  if (!master.wait_for_agent()) return;
  const int count = bench.small() ? 10 : 200;
  std::vector<double> to_running, to_update;
  for (int i = 0; i <= count; ++i) {
    const std::string id = "t" + std::to_string(i);
    auto message = run_of(id, "true");
    auto* container = message.mutable_run_task()->mutable_task()->mutable_container();
    container->set_type(mesos::v1::ContainerInfo::DOCKER);
    container->mutable_docker()->set_image("bench:1");
    if (network != nullptr) add_host_port(*message.mutable_run_task()->mutable_task());
    const auto sent = Clock::now();
    master.send(message);
    if (!observed.wait_ended(i + 1)) return;
    if (i == 0) continue;  // read the archive
    to_running.push_back(milliseconds(observed.time(id, mesos::v1::TASK_RUNNING) - sent));
    to_update.push_back(milliseconds(observed.time(id, mesos::v1::TASK_FINISHED) - observed.time(id, mesos::v1::TASK_RUNNING)));
  }
  bench.report("agent/" + name + "-launch", {{"tasks", std::to_string(count)}, {"layers", "10"}}, "ms", to_running);
  bench.report("agent/" + name + "-to-finished", {{"tasks", std::to_string(count)}, {"layers", "10"}}, "ms", to_update);
}

constexpr const char* kBuiltIn =
    R"({"name":"mesos-bridge","type":"mesos-cni-port-mapper","cniVersion":"0.4.0","delegate":{"type":"bridge","bridge":"br-bench",
        "isDefaultGateway":true,"ipMasq":true,"hairpinMode":true,
        "ipam":{"type":"host-local","subnet":"10.90.0.0/24","dataDir":"LEASES"}}})";
constexpr const char* kPlugins =
    R"({"name":"mesos-bridge","cniVersion":"0.4.0","plugins":[{"type":"bridge","bridge":"br-bench","isDefaultGateway":true,"ipMasq":true,
        "hairpinMode":true,"ipam":{"type":"host-local","subnet":"10.90.0.0/24","dataDir":"LEASES"}},
        {"type":"portmap","capabilities":{"portMappings":true},"snat":true}]})";

/// In a network namespace that ends with its process, so that no interface and no rule is left.
void on_a_network(base::testing::Bench& bench, const std::string& name, const char* network) {
  fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    const bool fit = unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0;
    if (fit) from_image(bench, name, network);
    fflush(stdout);
    _exit(fit ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (status != 0) fprintf(stderr, "agent/%s-launch could not run\n", name.c_str());
}

void many(base::testing::Bench& bench) {
  FakeMaster master;
  Observed observed;
  master.set_observer([&](const auto& status) { observed.take(status); });
  AgentProcess agent(master.address());
  agent.start();
  if (!master.wait_for_agent()) return;
  const int count = bench.small() ? 50 : 2000, window = 32;
  const auto begin = Clock::now();
  for (int i = 0; i < count; ++i) {
    if (i >= window && !observed.wait_ended(i - window + 1)) return;
    master.send(run_of("t" + std::to_string(i), "true"));
  }
  if (!observed.wait_ended(count)) return;
  const double seconds = milliseconds(Clock::now() - begin) / 1000;
  bench.report("agent/launch-rate", {{"tasks", std::to_string(count)}, {"parallel", "32"}}, "1/s", {count / seconds});
}

void live(base::testing::Bench& bench) {
  FakeMaster master;
  Observed observed;
  master.set_observer([&](const auto& status) { observed.take(status); });
  AgentProcess agent(master.address());
  agent.start();
  if (!master.wait_for_agent()) return;
  const int count = bench.small() ? 10 : 500;
  bench.report("agent/rss", {{"containers", "0"}}, "MiB", {resident_mib(agent.pid())});
  for (int i = 0; i < count; ++i) master.send(run_of("t" + std::to_string(i), "exec sleep 100000"));
  if (!observed.wait_running(count)) return;
  bench.report("agent/executor-rss", {{"containers", std::to_string(count)}}, "MiB", helpers_mib(agent.work_dir()));
  bench.report("agent/rss", {{"containers", std::to_string(count)}}, "MiB", {resident_mib(agent.pid())});
  if (bench.wants("agent/launch-beside")) {
    auto times = launch_one_by_one(master, observed, bench.small() ? 10 : 200);
    if (!times) return;
    std::sort(times->to_running.begin(), times->to_running.end());
    const double p99 = times->to_running[times->to_running.size() * 99 / 100];
    const std::map<std::string, std::string> beside{{"live", std::to_string(count)}, {"tasks", std::to_string(times->to_running.size())}};
    auto with_quantile = beside;
    with_quantile["quantile"] = "p99";
    bench.report("agent/launch-beside", with_quantile, "ms", {p99});
    bench.report("agent/launch-beside", beside, "ms", std::move(times->to_running));
  }
  agent.kill_hard();
  const auto begin = Clock::now();
  agent.start();
  if (!master.wait_for_agent(2)) return;
  bench.report("agent/recovery-500", {{"containers", std::to_string(count)}}, "ms", {milliseconds(Clock::now() - begin)});
}

}  // namespace

int main(int argc, char** argv) {
  if (geteuid() != 0) {
    fputs("agent benchmarks need root\n", stderr);
    return 0;
  }
  base::testing::Bench bench(argc, argv);
  if (bench.wants("agent/launch")) one_at_a_time(bench);
  if (bench.wants("agent/bridge-launch")) on_a_network(bench, "bridge", kBuiltIn);
  if (bench.wants("agent/cni-launch")) on_a_network(bench, "cni", kPlugins);
  if (bench.wants("agent/image-launch")) from_image(bench, "image", nullptr);
  if (bench.wants("agent/launch-rate")) many(bench);
  if (bench.wants("agent/executor-rss") || bench.wants("agent/rss") || bench.wants("agent/recovery-500") ||
      bench.wants("agent/launch-beside"))
    live(bench);
}
