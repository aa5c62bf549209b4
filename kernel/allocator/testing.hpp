#pragma once

// A cluster in a test: short calls, and offers as lines of text.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "kernel/allocator/allocator.hpp"
#include "kernel/resources/parse.hpp"

namespace allocator::testing {

using resources::must_parse;

class Cluster {
 public:
  explicit Cluster(Options options = {}, uint64_t seed = 1) : allocator(std::move(options), base::Random(seed)) {}

  void agent(const std::string& id, const std::string& total, AgentConfig config = {}) {
    if (config.hostname.empty()) config.hostname = id + ".example";
    allocator.add_agent(id, config, must_parse(total), {});
    agents.insert(id);
  }

  void framework(const std::string& id, const std::set<std::string>& roles = {"*"}, FrameworkConfig config = {}) {
    config.roles = roles;
    allocator.add_framework(id, config);
    frameworks.insert(id);
  }

  const std::vector<Offer>& allocate() {
    offers = allocator.allocate(now);
    return offers;
  }

  /// "f1 web a1 cpus:2; mem:10", sorted, allocations not shown.
  std::vector<std::string> lines() {
    std::vector<std::string> out;
    for (const Offer& offer : allocate()) {
      Resources plain = offer.resources;
      plain.unallocate();
      out.push_back(offer.framework + " " + offer.role + " " + offer.agent + " " + plain.text());
    }
    std::sort(out.begin(), out.end());
    return out;
  }

  /// How many offers each framework got.
  std::map<std::string, int> counts() {
    std::map<std::string, int> out;
    for (const Offer& offer : allocate()) ++out[offer.framework];
    return out;
  }

  void decline(const Offer& offer, std::optional<base::Duration> filter = std::nullopt) {
    allocator.recover_resources(offer.framework, offer.agent, offer.resources, now, filter);
  }

  /// Of the framework's allocation in a role, a part given as text.
  void finish(const std::string& framework, const std::string& role, const std::string& agent,
              const std::string& part) {
    Resources list = must_parse(part);
    list.allocate(resources::Name(role));
    allocator.recover_resources(framework, agent, list, now);
  }

  void pass_time(base::Duration duration) { now = now + duration; }

  /// The first rule of accounting: on every agent, what all hold and what is available is the total.
  bool conserved() {
    for (const std::string& id : agents) {
      Resources sum = allocator.available(id).non_shared();
      for (const std::string& framework : frameworks) {
        Resources held = allocator.allocated(framework, id).non_shared();
        held.unallocate();
        sum += held;
      }
      if (!(sum == allocator.total(id).non_shared())) return false;
    }
    return true;
  }

  Allocator allocator;
  base::Instant now{base::seconds(100)};
  std::vector<Offer> offers;
  std::set<std::string> agents, frameworks;
};

}  // namespace allocator::testing
