#include "tests/sim/checkers.hpp"

#include <fmt/format.h>

namespace sim {

namespace {

int rank(mesos::v1::TaskState state) {
  switch (state) {
    case mesos::v1::TASK_STAGING:
      return 0;
    case mesos::v1::TASK_STARTING:
      return 1;
    case mesos::v1::TASK_RUNNING:
      return 2;
    case mesos::v1::TASK_KILLING:
      return 3;
    default:
      return 4;
  }
}

}  // namespace

void PlacementChecker::container_started(const std::string& agent, const std::string& task) {
  const auto [it, first] = started_.emplace(task, agent);
  if (!first)
    world_.fail(fmt::format("task {} was started on {} although it was started on {} before", task,
                            agent, it->second));
  running_[task] = agent;
  if (on_start) on_start(task);
}

void PlacementChecker::container_ended(const std::string& agent, const std::string& task, bool well) {
  if (const auto it = running_.find(task); it != running_.end() && it->second == agent)
    running_.erase(it);
  if (on_end) on_end(task, well);
}

void PlacementChecker::given_up(const std::string& agent) {
  for (const auto& [task, where] : started_) {
    if (where == agent) given_up_.insert(task);
  }
}

bool UpdateChecker::ended(const std::string& task) const {
  const auto found = tasks_.find(task);
  return gone_.count(task) > 0 || (found != tasks_.end() && found->second.terminal.has_value());
}

void UpdateChecker::operation_update(const mesos::v1::OperationStatus& status) {
  if (status.has_uuid()) told_.insert(status.uuid().value());
}

void UpdateChecker::acknowledged(const std::string& uuid) {
  if (!told_.count(uuid)) world_.fail("an update was acknowledged of which no scheduler had been told");
}

void UpdateChecker::update(const mesos::v1::TaskStatus& status) {
  if (!status.has_uuid()) {  // the master's own: best effort, out of order by nature
    if (status.state() == mesos::v1::TASK_GONE_BY_OPERATOR) gone_.insert(status.task_id().value());
    return;
  }
  told_.insert(status.uuid());
  Seen& seen = tasks_[status.task_id().value()];
  if (!seen.uuids.insert(status.uuid()).second) return;  // delivered again, as promised
  const std::string& task = status.task_id().value();
  const std::string state = mesos::v1::TaskState_Name(status.state());
  if (rank(status.state()) < seen.rank)
    world_.fail(fmt::format("task {}: {} came after a later state", task, state));
  seen.rank = rank(status.state());
  if (seen.rank < 4) return;
  if (seen.terminal) {
    world_.fail(fmt::format("task {}: {} after the terminal {}", task, state,
                            mesos::v1::TaskState_Name(*seen.terminal)));
  }
  seen.terminal = status.state();
}

}  // namespace sim
