#include "cli/mesos.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <tuple>

#include "base/json/value.hpp"
#include "cli/json_text.hpp"

namespace cli {
namespace {

namespace json = boost::json;

void collect(const json::value& framework, std::string_view list, bool finished,
             std::vector<TaskRow>& out) {
  each_at(framework, list, [&](const json::value& task) {
    out.push_back({&task, &framework, finished});
  });
}

// The directory of the executor that runs the task, in an agent's state.
std::string directory_in(const json::value& state, const TaskRow& row) {
  std::string found;
  for (const char* frameworks : {"/frameworks", "/completed_frameworks"}) {
    each_at(state, frameworks, [&](const json::value& framework) {
      if (text_at(framework, "/id") != row.framework_id()) return;
      for (const char* executors : {"/executors", "/completed_executors"}) {
        each_at(framework, executors, [&](const json::value& executor) {
          if (found.empty() && text_at(executor, "/id") == row.executor_id())
            found = text_at(executor, "/directory");
        });
      }
    });
  }
  return found;
}

}  // namespace

std::string TaskRow::id() const {
  return text_at(*task, "/id");
}
std::string TaskRow::name() const {
  return text_at(*task, "/name");
}
std::string TaskRow::state() const {
  return text_at(*task, "/state");
}
std::string TaskRow::agent_id() const {
  return text_at(*task, "/slave_id");
}
std::string TaskRow::framework_id() const {
  return text_at(*task, "/framework_id", text_at(*framework, "/id"));
}

std::string TaskRow::executor_id() const {
  std::string executor = text_at(*task, "/executor_id");
  return executor.empty() ? id() : executor;
}

TaskChoice task_choice(const Arguments& arguments) {
  if (arguments.has("all")) return TaskChoice::All;
  return arguments.has("completed") ? TaskChoice::Completed : TaskChoice::Running;
}

bool glob_match(std::string_view pattern, std::string_view text) {
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p;
      ++t;
    } else if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::vector<TaskRow> find_tasks(const json::value& state, const std::string& filter,
                                TaskChoice choice) {
  std::vector<TaskRow> rows;
  each_at(state, "/frameworks", [&](const json::value& framework) {
    if (choice != TaskChoice::Completed) {
      collect(framework, "/tasks", false, rows);
      collect(framework, "/unreachable_tasks", false, rows);
    }
    if (choice != TaskChoice::Running) collect(framework, "/completed_tasks", true, rows);
  });
  if (choice != TaskChoice::Running)
    each_at(state, "/completed_frameworks", [&](const json::value& framework) {
      collect(framework, "/completed_tasks", true, rows);
      collect(framework, "/tasks", true, rows);
    });
  std::erase_if(rows, [&](const TaskRow& row) {
    if (filter.empty()) return false;
    std::string id = row.id();
    return id.find(filter) == std::string::npos && row.name().find(filter) == std::string::npos &&
           !glob_match(filter, id) && !glob_match(filter, row.name());
  });
  std::stable_sort(rows.begin(), rows.end(), [](const TaskRow& a, const TaskRow& b) {
    return std::tuple(a.finished, a.name(), a.id()) < std::tuple(b.finished, b.name(), b.id());
  });
  return rows;
}

base::Result<std::vector<TaskRow>> matching_tasks(const json::value& state, const std::string& name,
                                                  TaskChoice choice) {
  auto rows = find_tasks(state, name, choice);
  for (const TaskRow& row : rows)
    if (row.id() == name) return std::vector<TaskRow>{row};
  auto begins = rows;
  std::erase_if(begins, [&](const TaskRow& row) { return !row.id().starts_with(name); });
  if (!begins.empty()) rows = std::move(begins);
  if (!rows.empty()) return rows;
  auto finished = find_tasks(state, name, TaskChoice::Completed);
  if (choice == TaskChoice::Running && !finished.empty())
    return base::not_found(
        fmt::format("no running task matches \"{}\"; {} finished one(s) do: add --completed", name,
                    finished.size()));
  return base::not_found(fmt::format("no task matches \"{}\". Please run `dcos task list`", name));
}

base::Result<TaskRow> find_task(const json::value& state, const std::string& name,
                                TaskChoice choice) {
  ASSIGN_OR_RETURN(auto rows, matching_tasks(state, name, choice));
  if (rows.size() > 1) {
    std::string text = fmt::format("more than one task matches \"{}\"; give more of its id:", name);
    for (size_t i = 0; i < rows.size() && i < 10; ++i) text += "\n  " + rows[i].id();
    if (rows.size() > 10) text += fmt::format("\n  and {} more", rows.size() - 10);
    return base::conflict(text);
  }
  return rows.front();
}

base::Result<std::string> sandbox_of(Client& client, const TaskRow& task) {
  auto state = client.get_json(fmt::format("/agent/{}/state", task.agent_id()));
  if (!state) return state.error().with_context(fmt::format("the agent of task {}", task.id()));
  std::string directory = directory_in(*state, task);
  if (directory.empty())
    return base::not_found(
        fmt::format("the sandbox of task {} is not known to its agent any more", task.id()));
  return directory;
}

std::string region_of(const json::value& node) {
  return text_at(node, "/domain/fault_domain/region/name", "N/A");
}
std::string zone_of(const json::value& node) {
  return text_at(node, "/domain/fault_domain/zone/name", "N/A");
}

}  // namespace cli
