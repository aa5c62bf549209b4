#pragma once

// The v0 endpoints' JSON: /state, /state-summary, /slaves, /frameworks, /tasks, /roles. Pure functions over a snapshot.

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "kernel/master/snapshot.hpp"

namespace master {

/// What the process knows about itself and the core does not.
struct ServerFacts {
  std::map<std::string, std::string> flags;
  std::string build_date, build_time, build_user;
  double build_seconds = 0;
  std::optional<std::string> cluster, log_dir, external_log_file;
};

std::string state_json(const Snapshot& snapshot, const ServerFacts& facts);
std::string state_summary_json(const Snapshot& snapshot, const ServerFacts& facts);

/// `slave_id` selects one; nothing matches an unknown one.
std::string slaves_json(const Snapshot& snapshot, const std::optional<std::string>& slave_id);
std::string frameworks_json(const Snapshot& snapshot, const std::optional<std::string>& framework_id);

struct TaskQuery {
  uint64_t limit = 100;
  uint64_t offset = 0;
  bool ascending = false;
  std::optional<std::string> framework_id{};
  std::optional<std::string> task_id{};
};
std::string tasks_json(const Snapshot& snapshot, const TaskQuery& query);

std::string roles_json(const Snapshot& snapshot);
std::string version_json(const ServerFacts& facts);
std::string flags_json(const ServerFacts& facts);

/// /registrar(1)/registry
std::string registry_json(const State& state);

}  // namespace master
