#pragma once

// The parts of the master's and an agent's state that several commands need.

#include <boost/json/fwd.hpp>

#include <string>
#include <vector>

#include "cli/client.hpp"
#include "cli/command.hpp"

namespace cli {

struct TaskRow {
  const boost::json::value* task;  // points into the state that was read
  const boost::json::value* framework;
  bool finished = false;

  std::string id() const;
  std::string name() const;
  std::string state() const;
  std::string agent_id() const;
  std::string framework_id() const;
  /// Of a command task: its own id.
  std::string executor_id() const;
};

enum class TaskChoice { Running, Completed, All };
TaskChoice task_choice(const Arguments& arguments);

/// Tasks of the state whose id or name holds, begins with or matches (by * and ?) `filter`; "" for
/// all. By name and id.
std::vector<TaskRow> find_tasks(const boost::json::value& state, const std::string& filter,
                                TaskChoice choice);

/// As matching_tasks, when only one will do.
base::Result<TaskRow> find_task(const boost::json::value& state, const std::string& name,
                                TaskChoice choice);

/// All that `name` means: the one with exactly this id, else those whose id begins so, else those
/// it is part of. Error: none, with advice.
base::Result<std::vector<TaskRow>> matching_tasks(const boost::json::value& state,
                                                  const std::string& name, TaskChoice choice);

/// Where an agent keeps the task's files.
base::Result<std::string> sandbox_of(Client& client, const TaskRow& task);

/// `pattern` with * and ? against the whole of `text`.
bool glob_match(std::string_view pattern, std::string_view text);

/// Of the fault domain, or "N/A".
std::string region_of(const boost::json::value& node);
std::string zone_of(const boost::json::value& node);

}  // namespace cli
