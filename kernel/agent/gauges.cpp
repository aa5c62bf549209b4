#include "kernel/agent/gauges.hpp"

#include "base/loop.hpp"

namespace agent {
namespace {

double count_tasks(const State& state, mesos::v1::TaskState wanted) {
  double count = 0;
  for (const auto& [id, framework] : state.frameworks)
    for (const auto& [executor_id, executor] : framework.executors)
      for (const auto& [task_id, task] : executor.tasks)
        if (task.state == wanted) ++count;
  return count;
}

double count_executors(const State& state, ExecutorState wanted) {
  double count = 0;
  for (const auto& [id, framework] : state.frameworks)
    for (const auto& [executor_id, executor] : framework.executors)
      if (executor.state == wanted) ++count;
  return count;
}

double used(const State& state, const char* resource, bool revocable = false) {
  double sum = 0;
  const auto add = [&](const auto& list) {
    for (const auto& each : list)
      if (each.name() == resource && each.has_revocable() == revocable) sum += each.scalar().value();
  };
  for (const auto& [id, framework] : state.frameworks)
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state == ExecutorState::Terminated) continue;
      add(executor.info.resources());
      for (const auto& [task_id, task] : executor.tasks)
        if (!is_terminal(task.state)) add(task.info.resources());
    }
  return sum;
}

}  // namespace

void add_gauges(base::Metrics& metrics, const Core& core, const containerizer::NativeContainerizer& containers) {
  const State& state = core.state();
  metrics.gauge("slave/uptime_secs", [&state] {
    return std::chrono::duration<double>(base::system_clock().now().time - state.started).count();
  });
  metrics.gauge("slave/registered", [&state] { return state.phase == Phase::Registered ? 1.0 : 0.0; });
  metrics.gauge("slave/recovery_errors", [&state] { return static_cast<double>(state.recovery_errors); });
  metrics.gauge("slave/recovery_time_secs", [&state] { return state.recovery_seconds; });
  metrics.gauge("slave/executor_directory_max_allowed_age_secs",
                [&core] { return std::chrono::duration<double>(core.garbage().age_limit()).count(); });
  metrics.gauge("containerizer/mesos/filesystem/containers_new_rootfs",
                [&containers] { return static_cast<double>(containers.running_with_image()); });
  metrics.gauge("slave/frameworks_active", [&state] { return static_cast<double>(state.frameworks.size()); });
  metrics.gauge("slave/tasks_staging", [&state] { return count_tasks(state, mesos::v1::TASK_STAGING); });
  metrics.gauge("slave/tasks_starting", [&state] { return count_tasks(state, mesos::v1::TASK_STARTING); });
  metrics.gauge("slave/tasks_running", [&state] { return count_tasks(state, mesos::v1::TASK_RUNNING); });
  metrics.gauge("slave/tasks_killing", [&state] { return count_tasks(state, mesos::v1::TASK_KILLING); });
  metrics.gauge("slave/executors_registering", [&state] { return count_executors(state, ExecutorState::Registering); });
  metrics.gauge("slave/executors_running", [&state] { return count_executors(state, ExecutorState::Running); });
  metrics.gauge("slave/executors_terminating", [&state] { return count_executors(state, ExecutorState::Terminating); });
  for (const char* resource : {"cpus", "gpus", "mem", "disk"}) {
    const std::string name = std::string("slave/") + resource;
    metrics.gauge(name + "_total", [&state, resource] { return scalar_of(state.info.resources(), resource); });
    metrics.gauge(name + "_used", [&state, resource] { return used(state, resource); });
    metrics.gauge(name + "_percent", [&state, resource] {
      const double total = scalar_of(state.info.resources(), resource);
      return total > 0 ? used(state, resource) / total : 0.0;
    });
    const auto lent_total = [&state, resource] { return state.oversubscribed.scalar(resource).value(); };
    metrics.gauge(name + "_revocable_total", lent_total);
    metrics.gauge(name + "_revocable_used", [&state, resource] { return used(state, resource, true); });
    metrics.gauge(name + "_revocable_percent", [&state, resource, lent_total] {
      return lent_total() > 0 ? used(state, resource, true) / lent_total() : 0.0;
    });
  }
  metrics.gauge("slave/status_updates_pending", [&core] { return static_cast<double>(core.pending_updates()); });
  metrics.gauge("gc/path_removals_pending", [&core] { return static_cast<double>(core.garbage().paths().size()); });
  using Fetched = containerizer::fetcher::FetcherCounts;
  const auto fetcher_gauge = [&metrics, &containers](const char* name, uint64_t Fetched::*member) {
    metrics.gauge(name, [&containers, member] { return static_cast<double>(containers.fetcher_counts().*member); });
  };
  fetcher_gauge("containerizer/fetcher/task_fetches_succeeded", &Fetched::succeeded);
  fetcher_gauge("containerizer/fetcher/task_fetches_failed", &Fetched::failed);
  fetcher_gauge("containerizer/fetcher/cache_size_total_bytes", &Fetched::cache_bytes);
  fetcher_gauge("containerizer/fetcher/cache_size_used_bytes", &Fetched::cache_used_bytes);
  fetcher_gauge("containerizer/fetcher/cache_hits", &Fetched::cache_hits);
  using Counts = containerizer::images::ImageCounts;
  const auto image_gauge = [&metrics, &containers](const char* name, uint64_t Counts::*member) {
    metrics.gauge(name, [&containers, member] { return static_cast<double>(containers.image_counts().*member); });
  };
  using Networks = containerizer::network::NetworkCounts;
  const auto network_gauge = [&metrics, &containers](const char* name, uint64_t Networks::*member) {
    metrics.gauge(name, [&containers, member] { return static_cast<double>(containers.network_counts().*member); });
  };
  network_gauge("containerizer/networks/attached", &Networks::attached);
  network_gauge("containerizer/networks/attach_errors", &Networks::attach_errors);
  network_gauge("containerizer/networks/detached", &Networks::detached);
  network_gauge("containerizer/networks/detach_errors", &Networks::detach_errors);
  network_gauge("containerizer/networks/check_errors", &Networks::check_errors);
  network_gauge("containerizer/networks/pending", &Networks::pending);
  network_gauge("containerizer/networks/ports", &Networks::ports);
  metrics.gauge("containerizer/networks/unallocated_ports",
                [&containers] { return static_cast<double>(containers.unallocated_ports_found()); });
  image_gauge("containerizer/images/pulls_succeeded", &Counts::pulled);
  image_gauge("containerizer/images/pulls_failed", &Counts::failed);
  image_gauge("containerizer/images/found_in_store", &Counts::cached);
  image_gauge("containerizer/images/bytes_pulled", &Counts::bytes);
  image_gauge("containerizer/images/images", &Counts::images);
  image_gauge("containerizer/images/layers", &Counts::layers);
  // Counters exist from the start, so that nobody takes an absent one for an old agent.
  for (const char* name :
       {"slave/tasks_finished", "slave/tasks_failed", "slave/tasks_killed", "slave/tasks_lost", "slave/tasks_gone",
        "slave/container_launch_errors", "slave/executors_preempted", "slave/executors_terminated", "slave/invalid_framework_messages",
        "containerizer/mesos/container_destroy_errors", "slave/valid_status_updates", "slave/invalid_status_updates",
        "slave/valid_framework_messages", "slave/store_errors", "gc/path_removals_succeeded", "gc/path_removals_failed"})
    metrics.counter(name);
}

}  // namespace agent
