// Shapes of the original's allocator benchmarks, so that numbers compare; see docs/performance.md.

#include <cstdio>
#include <ctime>
#include <functional>

#include "base/testing/bench.hpp"
#include "kernel/allocator/testing.hpp"

namespace allocator {
namespace {

using base::testing::Bench;
using testing::Cluster;
using testing::must_parse;
using Parameters = std::map<std::string, std::string>;

constexpr int kSamples = 5;

/// CPU time: the work is one thread's, and a busy machine must not show.
double cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

double seconds_of(const std::function<void()>& body) {
  const double start = cpu_seconds();
  body();
  return cpu_seconds() - start;
}

uint64_t hash_of(const std::vector<Offer>& offers) {
  uint64_t hash = offers.size();
  for (const Offer& offer : offers) {
    hash = (hash ^ std::hash<std::string>()(offer.framework + offer.agent)) * 1099511628211u;
  }
  return hash;
}

/// Agents that are partly in use already, as in the original's benchmark: every framework runs something everywhere it
/// can and wants more.
void add_agents(Cluster& c, int agents, int frameworks) {
  const Resources total = must_parse("cpus:24;mem:4096;disk:4096;ports:[31000-32000]");
  Resources used = must_parse("cpus:1;mem:128;disk:256");
  used.allocate(resources::Name("*"));
  AgentConfig config;
  for (int i = 0; i < agents; ++i) {
    config.hostname = "agent" + std::to_string(i) + ".example";
    c.allocator.add_agent("agent-" + std::to_string(i), config, total,
                          {{"framework-" + std::to_string(i % frameworks), used}});
  }
}

void add_frameworks(Cluster& c, int frameworks) {
  for (int i = 0; i < frameworks; ++i) c.framework("framework-" + std::to_string(i));
}

/// One pass over all agents, all frameworks wanting more. Variants: nobody refused anything; every framework has refused
/// every agent; all but one have.
void passes(Bench& bench, const std::string& name, int agents, int frameworks, bool refusals) {
  const Parameters sizes = {{"agents", std::to_string(agents)}, {"frameworks", std::to_string(frameworks)}};
  if (!bench.wants(name)) return;
  std::vector<double> fresh, refused, idle;
  uint64_t hash = 0;
  for (int sample = 0; sample < kSamples; ++sample) {
    Cluster c({}, 42);
    add_frameworks(c, frameworks);
    add_agents(c, agents, frameworks);
    fresh.push_back(seconds_of([&] { c.allocate(); }));
    hash = hash_of(c.offers);
    if (c.offers.size() != static_cast<size_t>(agents)) std::fprintf(stderr, "%zu offers\n", c.offers.size());

    if (!refusals || sample > 0) continue;
    // Every framework refuses until nobody is left to ask; then one changes its mind.
    for (int round = 0; round < frameworks; ++round) {
      for (const Offer& offer : std::vector<Offer>(c.offers)) c.decline(offer, base::hours(1));
      c.allocate();
    }
    for (int i = 0; i < kSamples; ++i) {
      c.allocator.touch_all();
      idle.push_back(seconds_of([&] { c.allocate(); }));
      if (!c.offers.empty()) std::fprintf(stderr, "an idle pass made offers\n");
      c.allocator.revive("framework-7");
      c.allocator.touch_all();
      refused.push_back(seconds_of([&] { c.allocate(); }));
      if (c.offers.size() != static_cast<size_t>(agents)) std::fprintf(stderr, "%zu offers\n", c.offers.size());
      for (const Offer& offer : std::vector<Offer>(c.offers)) c.decline(offer, base::hours(1));
      c.allocate();
    }
  }
  const auto variant = [&](const char* which) {
    Parameters out = sizes;
    out["variant"] = which;
    return out;
  };
  bench.report(name, variant("fresh"), "s", fresh, hash);
  if (!refusals) return;
  bench.report(name, variant("all but one refused"), "s", refused);
  bench.report(name, variant("all refused"), "s", idle);
}

/// A task ends on one agent: from the call to the offer.
void freed_to_offer(Bench& bench) {
  const std::string name = "allocator/freed-to-offer";
  if (!bench.wants(name)) return;
  const int agents = bench.small() ? 100 : 10'000, frameworks = bench.small() ? 20 : 200;
  Cluster c({}, 42);
  add_frameworks(c, frameworks);
  add_agents(c, agents, frameworks);
  c.allocate();
  std::vector<Offer> held = c.offers;
  base::Random random(1);
  std::vector<double> samples;
  uint64_t hash = 0;
  for (int i = 0; i < 2000; ++i) {
    const Offer freed = held[random.below(held.size())];
    samples.push_back(seconds_of([&] {
      c.allocator.recover_resources(freed.framework, freed.agent, freed.resources, c.now);
      c.allocate();
    }));
    if (c.offers.size() != 1) std::fprintf(stderr, "%zu offers\n", c.offers.size());
    hash ^= hash_of(c.offers);
    for (Offer& offer : held) {
      if (offer.agent == freed.agent) offer = c.offers[0];
    }
  }
  bench.report(name, {{"agents", std::to_string(agents)}, {"frameworks", std::to_string(frameworks)}}, "s", samples,
               hash);
}

struct RoleShape {
  int agents, roles, frameworks_per_role;
  bool quota;
};

void roles(Bench& bench, const std::string& name, RoleShape shape) {
  if (!bench.wants(name)) return;
  std::vector<double> adding, pass, idle, refused;
  uint64_t hash = 0;
  for (int sample = 0; sample < kSamples; ++sample) {
    Cluster c({}, 42);
    const Resources total = must_parse("cpus:20;mem:10240;disk:20480;ports:[31000-32000]");
    if (shape.quota) {
      Quota quota;
      quota.guarantees = *ResourceQuantities::parse("cpus:16;mem:8192");
      quota.limits.set("cpus", resources::Scalar::from_int(16));
      quota.limits.set("mem", resources::Scalar::from_int(8192));
      for (int r = 0; r < shape.roles; ++r) {
        if (!c.allocator.set_quota("role-" + std::to_string(r), quota)) std::fprintf(stderr, "no quota\n");
      }
    }
    adding.push_back(seconds_of([&] {
      for (int r = 0; r < shape.roles; ++r) {
        for (int f = 0; f < shape.frameworks_per_role; ++f) {
          c.framework("framework-" + std::to_string(r) + "-" + std::to_string(f), {"role-" + std::to_string(r)});
          c.allocate();
        }
      }
    }));
    for (int i = 0; i < shape.agents; ++i) c.agent("agent-" + std::to_string(i), "cpus:1");
    for (int i = 0; i < shape.agents; ++i) c.allocator.update_agent("agent-" + std::to_string(i), std::nullopt, total);
    pass.push_back(seconds_of([&] { c.allocate(); }));
    hash = hash_of(c.offers);
    const std::vector<Offer> offers = c.offers;
    c.allocator.touch_all();
    idle.push_back(seconds_of([&] { c.allocate(); }));
    for (const Offer& offer : offers) c.decline(offer, base::hours(1));
    c.allocate();
    c.allocator.touch_all();
    refused.push_back(seconds_of([&] { c.allocate(); }));
  }
  const auto variant = [&](const char* which) {
    return Parameters{{"agents", std::to_string(shape.agents)},
                      {"roles", std::to_string(shape.roles)},
                      {"frameworks", std::to_string(shape.roles * shape.frameworks_per_role)},
                      {"variant", which}};
  };
  bench.report(name, variant("add frameworks"), "s", adding);
  bench.report(name, variant("pass"), "s", pass, hash);
  bench.report(name, variant("idle pass"), "s", idle);
  bench.report(name, variant("idle pass, all refused"), "s", refused);
}

}  // namespace
}  // namespace allocator

int main(int argc, char** argv) {
  using namespace allocator;
  base::testing::Bench bench(argc, argv);
  const bool small = bench.small();
  passes(bench, "allocator/pass-10000x200", small ? 100 : 10'000, small ? 10 : 200, true);
  passes(bench, "allocator/pass-50000x200", small ? 200 : 50'000, small ? 10 : 200, false);
  freed_to_offer(bench);
  roles(bench, "allocator/roles-1000", small ? RoleShape{40, 20, 2, false} : RoleShape{2000, 1000, 2, false});
  roles(bench, "allocator/quota-3000", small ? RoleShape{60, 60, 1, true} : RoleShape{3000, 3000, 1, true});
}
