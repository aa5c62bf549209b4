#pragma once

// Dependencies between jobs, as pure functions over names: cycles, when a child is due, what a removal does.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "chronos/job.hpp"

namespace chronos {

/// The parents of a job; null: there is no such job.
using ParentsOf = std::function<const std::set<JobName>*(const JobName&)>;

/// A way from `name` back to itself if it had these parents; empty: none. Each element is a parent of the one after it.
std::vector<JobName> find_cycle(const JobName& name, const std::set<JobName>& parents, const ParentsOf& parents_of);

/// The one scheduled job that everything above these parents begins with. Absent: there are several.
std::optional<JobName> common_root(const std::set<JobName>& parents, const ParentsOf& parents_of);

/// What one parent has done for its child and not been used up.
struct Edge {
  int64_t count = 0;               // successes
  std::set<int64_t> generations;   // slots of the common ancestor for which this parent has succeeded
  bool operator==(const Edge&) const = default;
};
using Edges = std::map<JobName, Edge>;

/// `parent` succeeded: is the child due? Its edges have moved. With one parent always; with several, when all of them
/// have succeeded in the same generation, or where generations mean nothing, when this parent has the lowest count.
bool advance(Edges& edges, const std::set<JobName>& parents, const JobName& parent, int64_t generation,
             bool by_generation);

/// The child has started: counting begins anew.
void reset(Edges& edges);

}  // namespace chronos
