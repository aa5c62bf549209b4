#include <gtest/gtest.h>

#include "kernel/allocator/testing.hpp"

// Random histories, checked after every step: nothing is lost, nothing is given twice, nobody gets what is reserved for
// others, limits hold, and the same seed makes the same offers.

namespace allocator {
namespace {

using testing::Cluster;
using testing::must_parse;

class History {
 public:
  explicit History(uint64_t seed, bool quota) : cluster_({}, seed), random_(seed * 77 + 5), quota_(quota) {
    if (quota_) {
      Quota limited;
      limited.limits.set("cpus", resources::Scalar::from_int(12));
      limited.guarantees.set("cpus", resources::Scalar::from_int(4));
      EXPECT_TRUE(cluster_.allocator.set_quota("eng", limited));
      Quota nested;
      nested.limits.set("mem", resources::Scalar::from_int(700));
      EXPECT_TRUE(cluster_.allocator.set_quota("eng/web", nested));
      Quota guaranteed;
      guaranteed.guarantees.set("cpus", resources::Scalar::from_int(6));
      guaranteed.guarantees.set("mem", resources::Scalar::from_int(500));
      EXPECT_TRUE(cluster_.allocator.set_quota("ops", guaranteed));
    }
  }

  void step() {
    switch (random_.below(14)) {
      case 0: add_agent(); break;
      case 1: add_framework(); break;
      case 2: remove_framework(); break;
      case 3: remove_agent(); break;
      case 4: toggle(); break;
      case 5: change_total(); break;
      case 6: reserve(); break;
      case 7: cluster_.pass_time(base::seconds(static_cast<int64_t>(random_.below(4)))); break;
      default: free_something(); break;
    }
    if (random_.chance(0.7)) allocate();
    ASSERT_NO_FATAL_FAILURE(check());
  }

  uint64_t hash() const { return hash_; }

 private:
  static constexpr int kFrameworks = 6, kAgents = 8;
  std::string some_framework() { return "f" + std::to_string(random_.below(kFrameworks)); }
  std::string some_agent() { return "a" + std::to_string(random_.below(kAgents)); }

  void add_agent() {
    const std::string id = some_agent();
    if (cluster_.agents.contains(id)) return;
    std::string total = "cpus:" + std::to_string(random_.below(8) + 1) + ".125;mem:" + std::to_string(random_.below(400)) +
                        ";ports:[1-100]";
    if (random_.chance(0.4)) total += ";cpus(eng):1.5;mem(ops):64";
    cluster_.agent(id, total);
  }

  void add_framework() {
    const std::string id = some_framework();
    const std::vector<std::string> names = {"*", "eng", "eng/web", "eng/db", "ops", "sales"};
    FrameworkConfig config;
    config.roles = {random_.choose(names), random_.choose(names)};
    if (cluster_.frameworks.contains(id)) {
      cluster_.allocator.update_framework(id, config);
    } else {
      cluster_.framework(id, config.roles, config);
    }
  }

  void remove_framework() {
    const std::string id = some_framework();
    if (!random_.chance(0.3)) return;
    cluster_.allocator.remove_framework(id);
    cluster_.frameworks.erase(id);
  }

  void remove_agent() {
    const std::string id = some_agent();
    if (!random_.chance(0.3)) return;
    cluster_.allocator.remove_agent(id);
    cluster_.agents.erase(id);
  }

  void toggle() {
    const std::string framework = some_framework(), agent = some_agent();
    switch (random_.below(6)) {
      case 0: cluster_.allocator.suppress(framework); break;
      case 1: cluster_.allocator.revive(framework); break;
      case 2: cluster_.allocator.deactivate_framework(framework); break;
      case 3: cluster_.allocator.activate_framework(framework); break;
      case 4: cluster_.allocator.deactivate_agent(agent); break;
      case 5: cluster_.allocator.activate_agent(agent); break;
    }
    cluster_.allocator.update_weights({{"eng", 1.0 + static_cast<double>(random_.below(3))}});
  }

  void change_total() {
    const std::string id = some_agent();
    if (!cluster_.agents.contains(id)) return;
    Resources total = cluster_.allocator.total(id);
    total += must_parse("cpus:1;mem:10");
    cluster_.allocator.update_agent(id, std::nullopt, total);
  }

  // A framework reserves a part of what it holds.
  void reserve() {
    const std::string framework = some_framework(), agent = some_agent();
    for (const resources::Resource& r : cluster_.allocator.allocated(framework, agent)) {
      if (r.kind.reserved() || r.kind.type() != resources::Type::Scalar || r.allocation.str() == "*") continue;
      resources::Resource consumed = r;
      consumed.scalar = resources::Scalar::from_thousandths(r.scalar.thousandths() / 2 + 1);
      resources::Resource reserved = consumed;
      resources::Reservation reservation;
      reservation.dynamic = true;
      reservation.role = r.allocation.str();
      reserved.kind = r.kind.pushed(reservation);
      EXPECT_TRUE(cluster_.allocator.update_allocation(framework, agent, {{consumed, reserved}}));
      return;
    }
  }

  void free_something() {
    const std::string framework = some_framework(), agent = some_agent();
    Resources back;
    for (const resources::Resource& r : cluster_.allocator.allocated(framework, agent)) {
      if (random_.chance(0.3)) continue;
      resources::Resource part = r;
      if (random_.chance(0.5)) {
        part.scalar = resources::Scalar::from_thousandths(
            static_cast<int64_t>(random_.below(static_cast<uint64_t>(r.scalar.thousandths()) + 1)));
      }
      if (!part.empty()) back.add(part);
    }
    std::optional<base::Duration> filter;
    if (random_.chance(0.5)) filter = base::seconds(static_cast<int64_t>(random_.below(6)));
    cluster_.allocator.recover_resources(framework, agent, back, cluster_.now, filter);
  }

  void allocate() {
    const resources::Scalar eng_before = consumed("eng");
    for (const Offer& offer : cluster_.allocate()) {
      mix(offer.framework + "|" + offer.role + "|" + offer.agent + "|" + offer.resources.text());
      ASSERT_TRUE(cluster_.agents.contains(offer.agent));
      ASSERT_FALSE(offer.resources.empty());
      for (const resources::Resource& r : offer.resources) {
        ASSERT_TRUE(r.kind.allocatable_to(offer.role)) << offer.role << " " << resources::text(r);
        ASSERT_EQ(r.allocation.str(), offer.role);
      }
      ASSERT_TRUE(cluster_.allocator.allocated(offer.framework, offer.agent).contains(offer.resources));
    }
    if (quota_) {
      const resources::Scalar eng = consumed("eng");
      ASSERT_TRUE(eng <= resources::Scalar::from_int(12) || eng <= eng_before) << eng.value();
    }
    ASSERT_FALSE(cluster_.allocator.pending());
    ASSERT_TRUE(cluster_.allocate().empty()) << "a second run without changes";
  }

  resources::Scalar consumed(const std::string& role) {
    for (const RoleState& state : cluster_.allocator.roles()) {
      if (state.role == role) return state.consumed_quota.get("cpus");
    }
    return {};
  }

  void check() {
    ASSERT_TRUE(cluster_.conserved());
    // What the tree of roles has added up is what the agents' holdings say.
    std::map<std::string, ResourceQuantities> allocated, used;
    for (const std::string& agent : cluster_.agents) {
      for (const Resources& r : {cluster_.allocator.total(agent)}) {
        for (const resources::Resource& entry : r.reserved()) add(used, entry, entry.kind.reservation_role());
      }
      for (const std::string& framework : cluster_.frameworks) {
        for (const resources::Resource& entry : cluster_.allocator.allocated(framework, agent)) {
          add(allocated, entry, entry.allocation.str());
          if (!entry.kind.reserved()) add(used, entry, entry.allocation.str());
        }
      }
    }
    for (const RoleState& state : cluster_.allocator.roles()) {
      ASSERT_EQ(state.allocated.text(), allocated[state.role].text()) << state.role;
      ASSERT_EQ(state.consumed_quota.text(), used[state.role].text()) << state.role;
      allocated.erase(state.role);
    }
    for (const auto& [role, amounts] : allocated) ASSERT_TRUE(amounts.empty()) << role;
  }

  static void add(std::map<std::string, ResourceQuantities>& sums, const resources::Resource& entry, std::string role) {
    if (entry.kind.type() != resources::Type::Scalar) return;
    while (true) {
      ResourceQuantities& sum = sums[role];
      sum.set(entry.kind.name(), sum.get(entry.kind.name()) + entry.scalar);
      const size_t slash = role.rfind('/');
      if (slash == std::string::npos) return;
      role.resize(slash);
    }
  }

  void mix(const std::string& text) {
    for (char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
  }

  Cluster cluster_;
  base::Random random_;
  bool quota_;
  uint64_t hash_ = 14695981039346656037u;
};

uint64_t play(uint64_t seed, bool quota) {
  History history(seed, quota);
  for (int step = 0; step < 250 && !::testing::Test::HasFatalFailure(); ++step) history.step();
  return history.hash();
}

TEST(RandomHistories, conserve_resources_and_respect_reservations) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    play(seed, false);
    if (HasFatalFailure()) return;
  }
}

TEST(RandomHistories, respect_quota) {
  for (uint64_t seed = 1; seed <= 12; ++seed) {
    SCOPED_TRACE(seed);
    play(seed, true);
    if (HasFatalFailure()) return;
  }
}

TEST(RandomHistories, repeat_exactly_for_the_same_seed) {
  EXPECT_EQ(play(7, false), play(7, false));
  EXPECT_EQ(play(7, true), play(7, true));
  EXPECT_NE(play(7, false), play(8, false));
}

// The incremental runs find everything that a run over everything would find.
TEST(RandomHistories, leave_nothing_that_a_full_run_would_offer) {
  for (uint64_t seed = 1; seed <= 10; ++seed) {
    Cluster c({}, seed);
    base::Random random(seed);
    for (int i = 0; i < 5; ++i) c.framework("f" + std::to_string(i), {"r" + std::to_string(i % 3)});
    for (int i = 0; i < 6; ++i) c.agent("a" + std::to_string(i), "cpus:4;mem:256;cpus(r1):2");
    for (int step = 0; step < 200; ++step) {
      const std::string framework = "f" + std::to_string(random.below(5)), agent = "a" + std::to_string(random.below(6));
      if (random.chance(0.1)) c.allocator.suppress(framework);
      if (random.chance(0.15)) c.allocator.revive(framework);
      if (random.chance(0.2)) c.pass_time(base::seconds(1));
      c.allocator.recover_resources(framework, agent, c.allocator.allocated(framework, agent), c.now, base::seconds(3));
      c.allocate();
      c.allocator.touch_all();
      ASSERT_TRUE(c.allocate().empty()) << "seed " << seed << " step " << step;
    }
  }
}

}  // namespace
}  // namespace allocator
