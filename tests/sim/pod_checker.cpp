#include "tests/sim/pod_checker.hpp"

#include <fmt/format.h>

#include "marathon/instance.hpp"

namespace sim {

namespace {

// A kill's grace period, its escalation, and what a restarted agent gives its executors to come back.
constexpr base::Duration kPatience = base::seconds(20);

}  // namespace

std::string launch_of(const std::string& task) {
  const auto name = marathon::parse_task_id(task);
  return name ? fmt::format("{}.{}", name->instance, name->incarnation) : task;
}

void PodChecker::ended(const std::string& task, bool well) {
  const auto name = marathon::parse_task_id(task);
  if (well || !name || name->container.empty()) return;
  world_.after(kPatience, [this, task] { look(task); });
}

void PodChecker::look(const std::string& ended) {
  const std::string launch = launch_of(ended);
  for (const auto& [task, agent] : placement_.running()) {
    if (launch_of(task) != launch) continue;
    if (up_for_(agent) < kPatience) return world_.after(kPatience, [this, ended] { look(ended); });
    return world_.fail(fmt::format("{} runs on {} long after {} of the same pod has ended", task, agent, ended));
  }
}

}  // namespace sim
