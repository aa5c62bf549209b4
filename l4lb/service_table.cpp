#include "l4lb/service_table.hpp"

#include <algorithm>

namespace l4lb {

void choose_backends(std::span<Candidate> candidates) {
  const auto any = [&](auto predicate) { return std::any_of(candidates.begin(), candidates.end(), predicate); };
  const bool some_reachable = any([](const Candidate& c) { return c.reachable; });
  const auto there = [some_reachable](const Candidate& c) { return c.reachable || !some_reachable; };
  const bool some_work = any([&](const Candidate& c) { return there(c) && c.backend.weight > 0 && !c.failed; });
  for (Candidate& c : candidates) {
    c.used = false;
    c.why.clear();
    if (!there(c)) {
      c.why = "its machine is unreachable";
    } else if (c.backend.weight == 0) {
      c.why = "weight 0: not healthy, or about to end";
    } else if (c.failed && some_work) {
      c.why = "it refused connections from this machine a moment ago";
    } else {
      c.used = true;
      if (!c.reachable) c.why = "its machine is unreachable, like those of all others: used nevertheless";
      if (c.failed) c.why = "it refused connections, like all others: used nevertheless";
    }
  }
}

ServiceChange make_service(const ServiceKey& key, const std::vector<Candidate>& candidates) {
  ServiceChange out{key, true, {}, {}};
  std::map<Endpoint, uint32_t> targets;
  for (const Candidate& c : candidates) {
    if (c.endpoint.address.family != key.address.family) continue;
    if (c.used) targets[c.endpoint] = c.backend.weight;
  }
  for (const auto& [endpoint, weight] : targets) out.targets.push_back({endpoint, weight});
  for (const Candidate& c : candidates)
    if (c.endpoint.address.family == key.address.family && !targets.contains(c.endpoint) && c.reachable)
      out.draining.push_back(c.endpoint);
  std::sort(out.draining.begin(), out.draining.end());
  out.draining.erase(std::unique(out.draining.begin(), out.draining.end()), out.draining.end());
  return out;
}

}  // namespace l4lb
