#include "chronos/graph.hpp"

#include <algorithm>

namespace chronos {
namespace {

constexpr size_t kMostGenerations = 100;  // remembered per edge

}  // namespace

std::vector<JobName> find_cycle(const JobName& name, const std::set<JobName>& parents, const ParentsOf& parents_of) {
  std::map<JobName, JobName> below;  // to the job through which it was reached
  std::vector<JobName> open;
  for (const JobName& parent : parents) {
    if (below.emplace(parent, name).second) open.push_back(parent);
  }
  while (!open.empty()) {
    const JobName next = open.back();
    open.pop_back();
    if (next == name) {
      std::vector<JobName> way{name};
      for (JobName step = below.at(name); step != name; step = below.at(step)) way.push_back(step);
      way.push_back(name);
      return way;
    }
    const auto* above = parents_of(next);
    if (!above) continue;
    for (const JobName& parent : *above) {
      if (below.emplace(parent, next).second) open.push_back(parent);
    }
  }
  return {};
}

std::optional<JobName> common_root(const std::set<JobName>& parents, const ParentsOf& parents_of) {
  std::optional<JobName> root;
  std::set<JobName> seen = parents;
  std::vector<JobName> open(parents.begin(), parents.end());
  while (!open.empty()) {
    const JobName next = open.back();
    open.pop_back();
    const auto* above = parents_of(next);
    if (!above) continue;
    if (above->empty()) {
      if (root && *root != next) return std::nullopt;
      root = next;
    }
    for (const JobName& parent : *above) {
      if (seen.insert(parent).second) open.push_back(parent);
    }
  }
  return root;
}

bool advance(Edges& edges, const std::set<JobName>& parents, const JobName& parent, int64_t generation,
             bool by_generation) {
  if (parents.size() <= 1) return parents.contains(parent);
  if (!parents.contains(parent)) return false;
  Edge& own = edges[parent];
  ++own.count;
  if (by_generation) {
    own.generations.insert(generation);
    if (own.generations.size() > kMostGenerations) own.generations.erase(own.generations.begin());
    const bool all = std::all_of(parents.begin(), parents.end(),
                                 [&](const JobName& name) { return edges[name].generations.contains(generation); });
    if (!all) return false;
    // Older ones that are not complete will not be: a later generation has overtaken them.
    for (const JobName& name : parents) {
      auto& generations = edges[name].generations;
      generations.erase(generations.begin(), generations.upper_bound(generation));
    }
    return true;
  }
  int64_t least = own.count;
  for (const JobName& name : parents) least = std::min(least, edges[name].count);
  return own.count == least;
}

void reset(Edges& edges) {
  for (auto& [name, edge] : edges) edge.count = 0;
}

}  // namespace chronos
