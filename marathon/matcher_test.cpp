#include "marathon/matcher.hpp"

#include <gtest/gtest.h>

#include "marathon/constraints.hpp"
#include "marathon/ports.hpp"

namespace marathon {
namespace {

Offer offer() {
  Offer o;
  o.id = "O1";
  o.agent_id = "A1";
  o.hostname = "host1";
  o.role = "*";
  o.cpus = {{"*", 1000, 0}};
  o.mem = {{"*", 100'000, 1}};
  o.disk = {{"*", 0, 2}};
  o.ports = {{"*", 31000, 31004, 3}, {"*", 31010, 31010, 3}};
  return o;
}

App app(double cpus = 0.3) {
  App a;
  a.id = "/a";
  a.cpus = cpus;
  a.mem = 32;
  a.networks = {{}};
  return a;
}

class Matcher : public ::testing::Test {
 protected:
  std::optional<Placement> place(Offer& o, const App& a, const std::vector<const Instance*>& placed = {}) {
    return match(o, a, placed, policy, base::Time::from_seconds(1000), random, reject);
  }
  MatchPolicy policy;
  base::Random random{1};
  Reject reject{};
};

TEST_F(Matcher, takes_amounts_without_rounding_loss) {
  Offer o = offer();
  EXPECT_TRUE(place(o, app(0.1)));
  EXPECT_TRUE(place(o, app(0.2)));
  EXPECT_TRUE(place(o, app(0.7)));
  EXPECT_EQ(o.cpus[0].left, 0);
  EXPECT_FALSE(place(o, app(0.001)));
  EXPECT_EQ(reject, Reject::InsufficientCpus);
}

TEST_F(Matcher, says_what_is_missing_in_the_order_of_the_funnel) {
  Offer o = offer();
  App a = app();
  a.mem = 1000;
  EXPECT_FALSE(place(o, a));
  EXPECT_EQ(reject, Reject::InsufficientMemory);
  a = app();
  a.disk = 1;
  EXPECT_FALSE(place(o, a));
  EXPECT_EQ(reject, Reject::InsufficientDisk);
  a = app();
  a.role = "other";
  EXPECT_FALSE(place(o, a));
  EXPECT_EQ(reject, Reject::UnfulfilledRole);
  a = app();
  a.port_definitions.resize(7);
  EXPECT_FALSE(place(o, a));
  EXPECT_EQ(reject, Reject::InsufficientPorts);
  EXPECT_EQ(o.cpus[0].left, 1000) << "a refusal takes nothing";
}

TEST_F(Matcher, prefers_reserved_resources) {
  Offer o = offer();
  o.role = "web";
  o.cpus = {{"web", 200, 5}, {"*", 1000, 0}};
  App a = app();
  a.role = "web";
  const auto placement = place(o, a);
  ASSERT_TRUE(placement);
  EXPECT_EQ(o.cpus[0].left, 0);
  EXPECT_EQ(o.cpus[1].left, 900);
  a.accepted_resource_roles = {"web"};
  EXPECT_FALSE(place(o, a));
}

TEST_F(Matcher, any_port_is_one_of_the_offer_and_never_twice) {
  Offer o = offer();
  App a = app(0.01);
  a.port_definitions.resize(2);
  std::set<int> seen;
  for (int i = 0; i < 3; ++i) {
    const auto placement = place(o, a);
    ASSERT_TRUE(placement);
    for (int port : placement->host_ports) {
      EXPECT_TRUE((port >= 31000 && port <= 31004) || port == 31010);
      EXPECT_TRUE(seen.insert(port).second);
    }
  }
  EXPECT_TRUE(o.ports.empty());
}

TEST_F(Matcher, required_ports_are_exact) {
  Offer o = offer();
  App a = app(0.01);
  a.require_ports = true;
  a.port_definitions = {{31002}};
  const auto placement = place(o, a);
  ASSERT_TRUE(placement);
  EXPECT_EQ(placement->host_ports, (std::vector<int>{31002}));
  EXPECT_FALSE(place(o, a));
}

TEST_F(Matcher, container_ports) {
  Offer o = offer();
  App a = app(0.01);
  a.networks = {{NetworkMode::Bridge}};
  a.container.emplace();
  a.container->port_mappings = {{80, 0}, {0, 31001}, {90, std::nullopt}, {0, std::nullopt}};
  const auto placement = place(o, a);
  ASSERT_TRUE(placement);
  EXPECT_NE(placement->host_ports[0], 0);
  EXPECT_EQ(placement->container_ports[0], 80);
  EXPECT_EQ(placement->host_ports[1], 31001);
  EXPECT_EQ(placement->container_ports[1], 31001);
  EXPECT_EQ(placement->host_ports[2], 0);
  EXPECT_GE(placement->container_ports[3], 1025);
}

TEST_F(Matcher, maintenance_keeps_instances_away) {
  Offer o = offer();
  o.unavailable_from = base::Time::from_seconds(1100);
  EXPECT_TRUE(place(o, app(0.1)));
  policy.draining = base::seconds(200);
  EXPECT_FALSE(place(o, app(0.1)));
  EXPECT_EQ(reject, Reject::AgentMaintenance);
}

TEST_F(Matcher, gpu_agents_are_kept_for_gpu_apps) {
  Offer o = offer();
  o.gpus = {{"*", 2000, 9}};
  EXPECT_FALSE(place(o, app(0.1)));
  EXPECT_EQ(reject, Reject::DeclinedScarceResources);
  App other = app(0.1);
  other.labels["GPU_SCHEDULING_BEHAVIOR"] = "unrestricted";
  EXPECT_TRUE(place(o, other));
  policy.gpu_restricted = false;
  EXPECT_TRUE(place(o, app(0.1)));
  other.labels["GPU_SCHEDULING_BEHAVIOR"] = "restricted";
  EXPECT_FALSE(place(o, other)) << "the label decides before the flag";
}

TEST_F(Matcher, uses_the_roles_that_the_app_or_the_flag_says) {
  App a = app(0.1);
  a.role = "web";
  using Roles = std::vector<std::string>;
  EXPECT_EQ(accepted_roles(a, RolesUsed::Any), (Roles{"web", "*"}));
  EXPECT_EQ(accepted_roles(a, RolesUsed::Unreserved), Roles{"*"});
  EXPECT_EQ(accepted_roles(a, RolesUsed::Reserved), Roles{"web"});
  a.accepted_resource_roles = {"*"};
  EXPECT_EQ(accepted_roles(a, RolesUsed::Reserved), Roles{"*"});
}

class Constraints : public ::testing::Test {
 protected:
  bool ok(ConstraintOperator op, std::optional<std::string> argument, std::optional<std::string> value,
          std::vector<std::string> placed = {}, int64_t count = 10) {
    std::vector<Instance> list(placed.size());
    std::vector<const Instance*> pointers;
    for (size_t i = 0; i < placed.size(); ++i) {
      list[i].attributes["rack"] = placed[i];
      pointers.push_back(&list[i]);
    }
    return satisfies({"rack", op, argument}, value, pointers, count);
  }
};

TEST_F(Constraints, each_operator) {
  using Op = ConstraintOperator;
  EXPECT_TRUE(ok(Op::Unique, {}, "r1", {"r2"}));
  EXPECT_FALSE(ok(Op::Unique, {}, "r1", {"r1"}));
  EXPECT_TRUE(ok(Op::Cluster, "r1", "r1"));
  EXPECT_FALSE(ok(Op::Cluster, "r1", "r2"));
  EXPECT_TRUE(ok(Op::Cluster, {}, "r2"));
  EXPECT_FALSE(ok(Op::Cluster, {}, "r2", {"r1"}));
  EXPECT_TRUE(ok(Op::Like, "r[12]", "r1"));
  EXPECT_FALSE(ok(Op::Like, "r", "r1")) << "the whole value";
  EXPECT_FALSE(ok(Op::Unlike, "r.", "r1"));
  EXPECT_TRUE(ok(Op::Unlike, "r.", std::nullopt));
  EXPECT_FALSE(ok(Op::Like, "r.", std::nullopt));
  EXPECT_TRUE(ok(Op::MaxPer, "2", "r1", {"r1"}));
  EXPECT_FALSE(ok(Op::MaxPer, "2", "r1", {"r1", "r1"}));
  EXPECT_TRUE(ok(Op::Is, "1.5", "1.500"));
  EXPECT_FALSE(ok(Op::Is, "a", "b"));
}

TEST_F(Constraints, group_by_spreads) {
  using Op = ConstraintOperator;
  EXPECT_TRUE(ok(Op::GroupBy, {}, "r1"));
  EXPECT_TRUE(ok(Op::GroupBy, {}, "r2", {"r1"})) << "a new group is always welcome";
  EXPECT_FALSE(ok(Op::GroupBy, {}, "r1", {"r1", "r1", "r2"}));
  EXPECT_TRUE(ok(Op::GroupBy, {}, "r2", {"r1", "r1", "r2"}));
  EXPECT_FALSE(ok(Op::GroupBy, "3", "r1", {"r1", "r2"})) << "the third group comes first";
  EXPECT_TRUE(ok(Op::GroupBy, "3", "r3", {"r1", "r2"}));
  EXPECT_FALSE(ok(Op::GroupBy, "2", "r1", {"r1", "r2"}, 2)) << "never more than its share";
}

TEST_F(Constraints, a_hostile_pattern_costs_nothing) {
  EXPECT_FALSE(ok(ConstraintOperator::Like, "(a|aa)+$b", std::string(900, 'a')));
}

TEST(ServicePorts, are_sticky_lowest_first_and_given_back) {
  ServicePorts ports(10000, 10002);
  App first = app(), second = app(), third = app(), fourth = app();
  for (App* a : {&first, &second, &third, &fourth}) a->port_definitions.resize(1);
  for (App* a : {&first, &second, &third}) {
    ASSERT_TRUE(ports.assign(*a, nullptr));
    ports.take(*a);
  }
  EXPECT_EQ(first.port_definitions[0].port, 10000);
  EXPECT_EQ(third.port_definitions[0].port, 10002);
  EXPECT_FALSE(ports.assign(fourth, nullptr));
  App changed = app();
  changed.port_definitions.resize(1);
  ASSERT_TRUE(ports.assign(changed, &second));
  EXPECT_EQ(changed.port_definitions[0].port, 10001);
  ports.release(second);
  ASSERT_TRUE(ports.assign(fourth, nullptr));
  EXPECT_EQ(fourth.port_definitions[0].port, 10001);
}

}  // namespace
}  // namespace marathon
