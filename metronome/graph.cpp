#include "metronome/graph.hpp"

#include <fmt/format.h>

#include "base/strings.hpp"

namespace metronome {

std::optional<std::string> dependency_error(const State& state, const Job& job) {
  std::vector<std::string> unknown;
  for (const JobId& id : job.dependencies) {
    if (!state.jobs.contains(id)) unknown.push_back(id);
  }
  if (!unknown.empty()) return fmt::format("Dependencies contain unknown jobs. unknown=[{}]", base::join(unknown, ", "));
  // Only a job that is there already can be one that others depend on.
  std::vector<JobId> open = job.dependencies;
  std::set<JobId> seen;
  while (!open.empty()) {
    const JobId id = std::move(open.back());
    open.pop_back();
    if (id == job.id) return "Dependencies have a cycle.";
    if (!seen.insert(id).second) continue;
    if (const JobState* parent = find_job(state, id)) {
      open.insert(open.end(), parent->spec->dependencies.begin(), parent->spec->dependencies.end());
    }
  }
  return std::nullopt;
}

}  // namespace metronome
