#include <gtest/gtest.h>

#include "kernel/allocator/testing.hpp"

namespace allocator {
namespace {

using testing::Cluster;
using testing::must_parse;
using Lines = std::vector<std::string>;
using base::seconds;

TEST(Offers, hold_the_whole_remainder_of_an_agent) {
  Cluster c;
  c.framework("f", {"web"});
  EXPECT_TRUE(c.lines().empty());
  c.agent("a1", "cpus:4;mem:1024;ports:[1-9]");
  EXPECT_EQ(c.lines(), Lines{"f web a1 cpus:4; mem:1024; ports:[1-9]"});
  EXPECT_EQ(c.offers[0].resources.begin()->allocation.str(), "web");
  EXPECT_TRUE(c.allocator.available("a1").empty());
  EXPECT_TRUE(c.lines().empty());
}

TEST(Offers, follow_freed_resources_at_once) {
  Cluster c;
  c.framework("f");
  c.agent("a1", "cpus:4;mem:1024");
  c.allocate();
  EXPECT_FALSE(c.allocator.pending());
  c.finish("f", "*", "a1", "cpus:1;mem:100");
  EXPECT_TRUE(c.allocator.pending());
  EXPECT_EQ(c.lines(), Lines{"f * a1 cpus:1; mem:100"});
}

TEST(Offers, are_not_made_below_the_minimum) {
  Cluster c;
  c.framework("f");
  c.agent("a1", "cpus:4;mem:1024");
  c.allocate();
  c.finish("f", "*", "a1", "cpus:0.009;mem:31");
  EXPECT_TRUE(c.lines().empty());
  c.finish("f", "*", "a1", "mem:1");
  EXPECT_EQ(c.lines(), Lines{"f * a1 cpus:0.009; mem:32"});

  FrameworkConfig anything;
  anything.min_allocatable["tiny"] = {};
  c.framework("g", {"tiny"}, anything);
  c.agent("a2", "ports:[1-2]");
  EXPECT_EQ(c.lines(), Lines{"g tiny a2 ports:[1-2]"});
}

// The example of the DRF paper (Ghodsi 2011, section 4.1): 9 CPUs and 18 GB; tasks of A need 1 CPU and 4 GB, tasks of B
// 3 CPUs and 1 GB. Fair is 3 tasks for A and 2 for B.
TEST(Fairness, gives_the_division_of_the_paper) {
  Cluster c;
  c.framework("A", {"a"});
  c.framework("B", {"b"});
  c.agent("agent", "cpus:9;mem:18000");
  const std::map<std::string, std::string> task = {{"A", "cpus:1;mem:4000"}, {"B", "cpus:3;mem:1000"}};
  std::map<std::string, int> tasks;
  for (int round = 0; round < 20; ++round) {
    for (const Offer& offer : std::vector<Offer>(c.allocate())) {
      Resources wanted = must_parse(task.at(offer.framework));
      wanted.allocate(resources::Name(offer.role));
      Resources rest = offer.resources;
      if (rest.contains(wanted)) {
        rest -= wanted;
        ++tasks[offer.framework];
        c.allocator.recover_resources(offer.framework, offer.agent, rest, c.now);
      } else {
        c.decline(offer, base::hours(1));
      }
    }
  }
  EXPECT_EQ(tasks["A"], 3);
  EXPECT_EQ(tasks["B"], 2);
  EXPECT_TRUE(c.conserved());
}

TEST(Fairness, spreads_equal_agents_equally) {
  Cluster c;
  for (int i = 0; i < 4; ++i) c.framework("f" + std::to_string(i), {"r" + std::to_string(i)});
  for (int i = 0; i < 40; ++i) c.agent("a" + std::to_string(i), "cpus:2;mem:100");
  for (const auto& [framework, count] : c.counts()) EXPECT_EQ(count, 10) << framework;
}

TEST(Fairness, follows_weights_also_when_they_change) {
  Cluster c;
  c.allocator.update_weights({{"heavy", 3}});
  c.framework("h", {"heavy"});
  c.framework("l", {"light"});
  for (int i = 0; i < 40; ++i) c.agent("a" + std::to_string(i), "cpus:2;mem:100");
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"h", 30}, {"l", 10}}));
  c.allocator.update_weights({{"heavy", 1}});
  for (int i = 40; i < 60; ++i) c.agent("a" + std::to_string(i), "cpus:2;mem:100");
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"l", 20}}));
}

TEST(Fairness, is_among_roles_first_and_then_among_their_frameworks) {
  Cluster c;
  c.framework("f1", {"big"});
  c.framework("f2", {"big"});
  c.framework("f3", {"big"});
  c.framework("g", {"small"});
  for (int i = 0; i < 60; ++i) c.agent("a" + std::to_string(i), "cpus:2;mem:100");
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"f1", 10}, {"f2", 10}, {"f3", 10}, {"g", 30}}));
}

TEST(Fairness, compares_subtrees_of_hierarchical_roles) {
  Cluster c;
  c.framework("e1", {"eng/web"});
  c.framework("e2", {"eng/db"});
  c.framework("e", {"eng"});
  c.framework("s", {"sales"});
  for (int i = 0; i < 60; ++i) c.agent("a" + std::to_string(i), "cpus:2;mem:100");
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"e", 10}, {"e1", 10}, {"e2", 10}, {"s", 30}}));
}

TEST(Fairness, breaks_ties_by_allocations_and_then_by_name) {
  Cluster c;
  c.framework("b", {"r"});
  c.framework("a", {"r"});
  c.agent("a1", "cpus:1;mem:100");
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"a", 1}}));
  c.decline(c.offers[0]);
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"b", 1}}));
}

TEST(Fairness, can_leave_names_out) {
  Options options;
  options.fair_sharing_excluded = {"gpus"};
  options.filter_gpu_resources = false;
  Cluster c(options);
  c.framework("f", {"a"});
  c.framework("g", {"b"});
  c.agent("gpu", "gpus:8;cpus:1;mem:100");
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"f", 1}}));
  for (int i = 0; i < 3; ++i) c.agent("a" + std::to_string(i), "cpus:1;mem:100");
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"f", 1}, {"g", 2}}));
}

TEST(Roles, of_one_framework_are_offered_separately) {
  Cluster c;
  c.framework("f", {"a", "b"});
  for (int i = 0; i < 4; ++i) c.agent("a" + std::to_string(i), "cpus:1;mem:100");
  std::map<std::string, int> by_role;
  for (const Offer& offer : c.allocate()) ++by_role[offer.role];
  EXPECT_EQ(by_role, (std::map<std::string, int>{{"a", 2}, {"b", 2}}));
}

TEST(Suppression, is_per_role_and_ends_with_revive) {
  Cluster c;
  c.framework("f", {"a", "b"});
  c.allocator.suppress("f", {"a"});
  c.agent("a1", "cpus:1;mem:100");
  EXPECT_EQ(c.lines(), Lines{"f b a1 cpus:1; mem:100"});
  c.allocator.suppress("f");
  c.agent("a2", "cpus:1;mem:100");
  EXPECT_TRUE(c.lines().empty());
  c.allocator.revive("f", {"a"});
  EXPECT_EQ(c.lines(), Lines{"f a a2 cpus:1; mem:100"});
}

TEST(Suppression, can_be_part_of_the_subscription) {
  Cluster c;
  FrameworkConfig config;
  config.suppressed_roles = {"a"};
  c.framework("f", {"a"}, config);
  c.agent("a1", "cpus:1;mem:100");
  EXPECT_TRUE(c.lines().empty());
  config.suppressed_roles.clear();
  config.roles = {"a"};
  c.allocator.update_framework("f", config);
  EXPECT_EQ(c.lines(), Lines{"f a a1 cpus:1; mem:100"});
}

TEST(Filters, give_others_the_chance_and_expire) {
  Cluster c;
  c.framework("f");
  c.framework("g");
  c.agent("a1", "cpus:1;mem:100");
  EXPECT_EQ(c.lines(), Lines{"f * a1 cpus:1; mem:100"});
  c.decline(c.offers[0], seconds(5));
  EXPECT_EQ(c.lines(), Lines{"g * a1 cpus:1; mem:100"});
  c.decline(c.offers[0], seconds(10));
  EXPECT_TRUE(c.lines().empty());
  EXPECT_EQ(*c.allocator.next_wakeup(), c.now + seconds(5));
  c.pass_time(seconds(5));
  EXPECT_EQ(c.lines(), Lines{"f * a1 cpus:1; mem:100"});
  c.decline(c.offers[0], seconds(60));
  c.pass_time(seconds(5));
  EXPECT_EQ(c.lines(), Lines{"g * a1 cpus:1; mem:100"});
}

TEST(Filters, live_at_least_an_allocation_interval_and_zero_is_none) {
  Cluster c;
  c.framework("f");
  c.agent("a1", "cpus:1;mem:100");
  c.allocate();
  c.decline(c.offers[0], base::milliseconds(1));
  EXPECT_EQ(*c.allocator.next_wakeup(), c.now + seconds(1));
  c.allocator.revive("f");
  c.allocate();
  c.decline(c.offers[0], seconds(0));
  EXPECT_EQ(c.lines().size(), 1u);
}

TEST(Filters, hold_for_less_but_not_for_more) {
  Cluster c;
  c.framework("f");
  c.agent("a1", "cpus:4;mem:400");
  c.allocate();
  c.finish("f", "*", "a1", "cpus:2;mem:200");
  c.allocate();
  c.decline(c.offers[0], seconds(100));
  EXPECT_TRUE(c.lines().empty());
  c.finish("f", "*", "a1", "cpus:1");
  EXPECT_EQ(c.lines(), Lines{"f * a1 cpus:3; mem:200"});
}

TEST(Filters, are_per_role) {
  Cluster c;
  c.framework("f", {"a", "b"});
  c.agent("a1", "cpus:1;mem:100");
  EXPECT_EQ(c.lines(), Lines{"f a a1 cpus:1; mem:100"});
  c.decline(c.offers[0], seconds(100));
  EXPECT_EQ(c.lines(), Lines{"f b a1 cpus:1; mem:100"});
  c.decline(c.offers[0], seconds(100));
  EXPECT_TRUE(c.lines().empty());
  c.allocator.revive("f", {"b"});
  EXPECT_EQ(c.lines(), Lines{"f b a1 cpus:1; mem:100"});
}

TEST(Filters, end_when_attributes_change_and_not_when_the_total_does) {
  Cluster c;
  c.framework("f");
  c.agent("a1", "cpus:2;mem:100");
  c.allocate();
  c.decline(c.offers[0], seconds(100));
  c.allocator.update_agent("a1", std::nullopt, must_parse("cpus:1;mem:100"));
  EXPECT_TRUE(c.lines().empty());
  AgentConfig config;
  config.attributes = *resources::parse_attributes("rack:1");
  c.allocator.update_agent("a1", config, std::nullopt);
  EXPECT_EQ(c.lines(), Lines{"f * a1 cpus:1; mem:100"});
}

TEST(Filters, that_nobody_removes_do_not_pile_up) {
  Cluster c;
  c.framework("f");
  c.agent("a1", "cpus:1;mem:100");
  for (int i = 0; i < 5'000; ++i) {
    ASSERT_EQ(c.allocate().size(), 1u);
    c.decline(c.offers[0], base::hours(24));
    c.allocator.revive("f");
  }
}

TEST(Reservations, are_offered_to_their_role_and_below_only) {
  Cluster c;
  c.framework("f", {"other"});
  c.agent("a1", "cpus(eng):1;mem(eng):100");
  EXPECT_TRUE(c.lines().empty());
  c.framework("g", {"eng/web"});
  EXPECT_EQ(c.lines(), Lines{"g eng/web a1 cpus(reservations: [(STATIC,eng)]):1; mem(reservations: [(STATIC,eng)]):100"});
}

TEST(Reservations, come_together_with_unreserved_resources) {
  Cluster c;
  c.framework("f", {"a"});
  c.framework("g", {"b"});
  c.agent("a1", "cpus:1;mem:100;cpus(b):2;mem(b):50");
  EXPECT_EQ(c.lines(),
            (Lines{"f a a1 cpus:1; mem:100",
                   "g b a1 cpus(reservations: [(STATIC,b)]):2; mem(reservations: [(STATIC,b)]):50"}));
}

TEST(Capabilities, decide_what_a_framework_sees) {
  Cluster c;
  const auto special = [](const std::string& text, bool revocable, bool refined) {
    Resources out;
    for (resources::Resource r : must_parse(text)) {
      resources::KindData data = r.kind.data();
      data.revocable = revocable;
      if (refined) {
        data.reservations = {{false, "a", {}, {}}, {true, "a/b", {}, {}}};
      }
      r.kind = resources::Kind(data);
      out.add(r);
    }
    return out;
  };
  FrameworkConfig old;
  c.framework("old", {"a/b"}, old);
  const Resources total =
      must_parse("cpus:1;mem:100") + special("cpus:2;mem:64", true, false) + special("cpus:4;mem:64", false, true);
  c.allocator.add_agent("a1", {}, total, {});
  EXPECT_EQ(c.lines(), Lines{"old a/b a1 cpus:1; mem:100"});
  FrameworkConfig modern;
  modern.capabilities.revocable_resources = true;
  modern.capabilities.reservation_refinement = true;
  c.framework("new", {"a/b"}, modern);
  Resources seen;
  for (const Offer& offer : c.allocate()) seen += offer.resources;
  EXPECT_EQ(seen.scalar("cpus"), resources::Scalar::from_int(6));
}

TEST(Capabilities, keep_gpus_regions_and_old_agents_apart) {
  Options options;
  options.region = "here";
  Cluster c(options);
  c.framework("plain", {"x"});
  AgentConfig remote, old;
  remote.region = "there";
  old.capabilities.multi_role = false;
  old.capabilities.hierarchical_role = false;
  c.agent("gpu", "cpus:1;mem:100;gpus:1");
  c.agent("remote", "cpus:1;mem:100", remote);
  EXPECT_TRUE(c.lines().empty());
  FrameworkConfig config;
  config.capabilities.gpu_resources = config.capabilities.region_aware = config.capabilities.multi_role = true;
  c.framework("able", {"x/y"}, config);
  EXPECT_EQ(c.counts(), (std::map<std::string, int>{{"able", 2}}));
  c.allocator.deactivate_framework("plain");
  c.agent("old", "cpus:1;mem:100", old);
  EXPECT_TRUE(c.lines().empty());
  c.allocator.activate_framework("plain");
  EXPECT_EQ(c.lines(), Lines{"plain x old cpus:1; mem:100"});
}

TEST(Agents, can_be_deactivated_and_whitelisted) {
  Cluster c;
  c.framework("f");
  c.agent("a1", "cpus:1;mem:100");
  c.agent("a2", "cpus:1;mem:100");
  c.allocator.deactivate_agent("a1");
  c.allocator.update_whitelist(std::set<std::string>{"a1.example"});
  EXPECT_TRUE(c.lines().empty());
  c.allocator.activate_agent("a1");
  EXPECT_EQ(c.lines(), Lines{"f * a1 cpus:1; mem:100"});
  c.allocator.update_whitelist(std::nullopt);
  EXPECT_EQ(c.lines(), Lines{"f * a2 cpus:1; mem:100"});
}

TEST(Agents, may_come_with_resources_in_use_before_their_frameworks) {
  Cluster c;
  Resources used = must_parse("cpus:3;mem:100");
  used.allocate(resources::Name("web"));
  c.allocator.add_agent("a1", {}, must_parse("cpus:4;mem:400"), {{"f", used}});
  c.framework("g", {"other"});
  EXPECT_EQ(c.lines(), Lines{"g other a1 cpus:1; mem:300"});
  c.framework("f", {"web"});
  c.agents.insert("a1");
  EXPECT_TRUE(c.conserved());
  c.finish("f", "web", "a1", "cpus:3;mem:100");
  EXPECT_EQ(c.lines(), Lines{"f web a1 cpus:3; mem:100"});
}

TEST(Agents, forget_frameworks_that_were_only_known_by_their_use) {
  Cluster c;
  Resources used = must_parse("cpus:3");
  used.allocate(resources::Name("web"));
  c.allocator.add_agent("a1", {}, must_parse("cpus:4"), {{"ghost", used}});
  ASSERT_EQ(c.allocator.roles().size(), 1u);
  c.finish("ghost", "web", "a1", "cpus:3");
  EXPECT_TRUE(c.allocator.roles().empty());
  EXPECT_EQ(c.allocator.available("a1"), must_parse("cpus:4"));
}

TEST(Agents, that_shrink_offer_nothing_until_enough_is_back) {
  Cluster c;
  c.framework("f");
  c.agent("a1", "cpus:4;mem:400");
  c.allocate();
  c.allocator.update_agent("a1", std::nullopt, must_parse("cpus:2;mem:200"));
  c.finish("f", "*", "a1", "cpus:2;mem:200");
  EXPECT_TRUE(c.lines().empty());
  c.finish("f", "*", "a1", "cpus:1;mem:100");
  EXPECT_EQ(c.lines(), Lines{"f * a1 cpus:1; mem:100"});
}

TEST(Agents, take_their_allocations_with_them) {
  Cluster c;
  c.framework("f", {"a"});
  c.framework("g", {"b"});
  c.agent("a1", "cpus:4;mem:400");
  c.allocate();
  c.allocator.remove_agent("a1");
  c.agents.clear();
  EXPECT_EQ(c.allocator.total_quantities().text(), "");
  c.finish("f", "a", "a1", "cpus:1");
  c.agent("a1", "cpus:1;mem:100");
  EXPECT_EQ(c.lines(), Lines{"g b a1 cpus:1; mem:100"}) << "f has been given an agent before";
}

TEST(Frameworks, give_everything_back_when_removed) {
  Cluster c;
  c.framework("f", {"a"});
  c.agent("a1", "cpus:4;mem:400");
  c.allocate();
  c.framework("g", {"b"});
  c.allocator.remove_framework("f");
  EXPECT_EQ(c.lines(), Lines{"g b a1 cpus:4; mem:400"});
  ASSERT_EQ(c.allocator.roles().size(), 1u);
}

TEST(Frameworks, keep_what_they_use_in_a_role_they_left) {
  Cluster c;
  c.framework("f", {"a"});
  c.agent("a1", "cpus:4;mem:400");
  c.allocate();
  FrameworkConfig config;
  config.roles = {"b"};
  c.allocator.update_framework("f", config);
  EXPECT_TRUE(c.conserved());
  c.finish("f", "a", "a1", "cpus:4;mem:400");
  EXPECT_EQ(c.lines(), Lines{"f b a1 cpus:4; mem:400"});
  ASSERT_EQ(c.allocator.roles().size(), 1u);
  EXPECT_EQ(c.allocator.roles()[0].role, "b");
}

TEST(Conversions, change_the_allocation_and_the_total) {
  Cluster c;
  c.framework("f", {"a"});
  c.agent("a1", "cpus:4;mem:400");
  c.allocate();
  Resources two = must_parse("cpus:2");
  two.allocate(resources::Name("a"));
  Resources reserved = must_parse("cpus(a):2");
  reserved.allocate(resources::Name("a"));
  ASSERT_TRUE(c.allocator.update_allocation("f", "a1", {{two, reserved}}));
  EXPECT_TRUE(c.conserved());
  EXPECT_TRUE(c.allocator.total("a1").contains(must_parse("cpus(a):2;cpus:2")));
  EXPECT_FALSE(c.allocator.update_allocation("f", "a1", {{must_parse("cpus:9"), must_parse("cpus(a):9")}}));
  c.allocator.recover_resources("f", "a1", c.allocator.allocated("f", "a1"), c.now);
  c.framework("g", {"b"});
  EXPECT_EQ(c.lines(), (Lines{"f a a1 cpus(reservations: [(STATIC,a)]):2", "g b a1 cpus:2; mem:400"}));
}

TEST(Conversions, of_an_operator_need_free_resources) {
  Cluster c;
  c.agent("a1", "cpus:4;mem:400");
  ASSERT_TRUE(c.allocator.update_available("a1", {{must_parse("cpus:2"), must_parse("cpus(a):2")}}));
  c.framework("f", {"a"});
  c.allocate();
  auto refused = c.allocator.update_available("a1", {{must_parse("cpus:2"), must_parse("cpus(a):2")}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Code::Conflict);
}

TEST(SharedVolumes, are_offered_again_while_in_use) {
  Cluster c;
  FrameworkConfig config;
  config.capabilities.shared_resources = true;
  config.min_allocatable["a"] = {};
  c.framework("f", {"a"}, config);
  resources::KindData data;
  data.name = "disk";
  data.reservations = {{true, "a", {}, {}}};
  data.disk.emplace();
  data.disk->persistence_id = "v";
  data.shared = true;
  resources::Resource volume;
  volume.kind = resources::Kind(data);
  volume.scalar = resources::Scalar::from_int(10);
  c.allocator.add_agent("a1", {}, must_parse("cpus:2;mem:100") + Resources(volume), {});
  ASSERT_EQ(c.allocate().size(), 1u);
  EXPECT_EQ(c.offers[0].resources.size(), 3u);
  c.finish("f", "a", "a1", "cpus:1");
  ASSERT_EQ(c.allocate().size(), 1u);
  EXPECT_EQ(c.offers[0].resources.size(), 2u);
  EXPECT_EQ(c.allocator.roles()[0].allocated.get("disk"), resources::Scalar::from_int(10)) << "counted once";
}

TEST(Explanations, say_why_a_framework_has_no_offers) {
  Cluster c;
  c.framework("f", {"a"});
  c.framework("g", {"b"});
  c.agent("free", "cpus:1;mem:100");
  c.agent("gpu", "cpus:1;mem:100;gpus:1");
  c.allocator.suppress("g");
  c.allocate();
  c.decline(c.offers[0], seconds(50));
  c.allocate();
  const Explanation e = *c.allocator.explain("f", c.now);
  ASSERT_EQ(e.roles.size(), 1u);
  EXPECT_EQ(e.roles[0].excluded.at("filtered"), Lines{"free"});
  EXPECT_EQ(e.roles[0].excluded.at("gpu"), Lines{"gpu"});
  ASSERT_EQ(e.roles[0].filters.size(), 1u);
  EXPECT_EQ(e.roles[0].filters[0].expires, c.now + seconds(50));
  EXPECT_TRUE(c.allocator.explain("g", c.now)->roles[0].suppressed);
  EXPECT_EQ(c.allocator.explain("g", c.now)->roles[0].offerable, Lines{"free"});
  EXPECT_FALSE(c.allocator.explain("nobody", c.now));
}

TEST(UnknownNames, have_no_effect) {
  Cluster c;
  c.allocator.remove_framework("x");
  c.allocator.remove_agent("x");
  c.allocator.revive("x");
  c.allocator.suppress("x");
  c.allocator.deactivate_agent("x");
  c.allocator.recover_resources("x", "y", must_parse("cpus:1"), c.now, seconds(5));
  EXPECT_FALSE(c.allocator.update_allocation("x", "y", {}));
  EXPECT_TRUE(c.lines().empty());
}

TEST(RandomSorters, share_by_weight_in_the_long_run) {
  Options options;
  options.role_sorter = options.framework_sorter = Options::Sorter::Random;
  Cluster c(options);
  c.allocator.update_weights({{"heavy", 3}});
  c.framework("h", {"heavy"});
  c.framework("l", {"light"});
  for (int i = 0; i < 2000; ++i) c.agent("a" + std::to_string(i), "cpus:1;mem:100");
  const auto counts = c.counts();
  EXPECT_NEAR(counts.at("h"), 1500, 100);
}

}  // namespace
}  // namespace allocator
