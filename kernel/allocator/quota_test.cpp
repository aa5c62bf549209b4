#include <gtest/gtest.h>

#include "kernel/allocator/testing.hpp"

namespace allocator {
namespace {

using testing::Cluster;
using Lines = std::vector<std::string>;

Quota quota(const std::string& guarantees, const std::string& limits) {
  Quota out;
  out.guarantees = *ResourceQuantities::parse(guarantees);
  const ResourceQuantities bounds = *ResourceQuantities::parse(limits);
  for (const auto& [name, amount] : bounds.list()) out.limits.set(name, amount);
  return out;
}

double cpus_of(Cluster& c, const std::string& framework) {
  double out = 0;
  for (const std::string& agent : c.agents) out += c.allocator.allocated(framework, agent).cpus().value_or(0);
  return out;
}

TEST(Limits, chop_what_is_offered) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("a", quota("", "cpus:3;mem:50")));
  c.framework("f", {"a"});
  c.agent("a1", "cpus:2;mem:30;ports:[1-5]");
  c.agent("a2", "cpus:2;mem:30;ports:[1-5]");
  c.agent("a3", "cpus:2;mem:30;ports:[1-5]");
  c.allocate();
  ASSERT_EQ(c.offers.size(), 2u);
  EXPECT_EQ(cpus_of(c, "f"), 3);
  EXPECT_TRUE(c.conserved());
}

TEST(Limits, open_again_when_tasks_end) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("a", quota("", "cpus:2")));
  c.framework("f", {"a"});
  c.agent("a1", "cpus:2;mem:10");
  c.allocate();
  c.agent("a2", "cpus:2;mem:10");
  EXPECT_TRUE(c.lines().empty());
  c.allocator.deactivate_agent("a1");
  c.finish("f", "a", "a1", "cpus:1");
  EXPECT_EQ(c.lines(), Lines{"f a a2 cpus:1; mem:10"}) << "another agent, which did not change itself";
}

TEST(Limits, bound_whole_subtrees) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("eng", quota("", "cpus:5")));
  ASSERT_TRUE(c.allocator.set_quota("eng/web", quota("", "cpus:2")));
  c.framework("w", {"eng/web"});
  c.framework("d", {"eng/db"});
  for (int i = 0; i < 8; ++i) c.agent("a" + std::to_string(i), "cpus:1;mem:8");
  c.allocate();
  EXPECT_EQ(cpus_of(c, "w"), 2);
  EXPECT_EQ(cpus_of(c, "d"), 3);
}

TEST(Limits, count_reservations_whether_used_or_not) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("a", quota("", "cpus:3")));
  c.framework("f", {"a"});
  c.agent("r", "cpus(a):2;mem(a):64");
  c.allocator.deactivate_agent("r");
  c.agent("a1", "cpus:4;mem:10");
  EXPECT_EQ(c.lines(), Lines{"f a a1 cpus:1; mem:10"});
}

TEST(Limits, do_not_apply_to_reserved_resources) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("a", quota("", "cpus:1;mem:32")));
  c.framework("f", {"a"});
  c.agent("a1", "cpus(a):2;mem(a):64;cpus:1;mem:100");
  EXPECT_EQ(c.lines(), Lines{"f a a1 cpus(reservations: [(STATIC,a)]):2; mem(reservations: [(STATIC,a)]):64"});
}

TEST(Guarantees, are_served_before_everyone_else) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("q", quota("cpus:6;mem:60", "")));
  for (int i = 0; i < 5; ++i) c.framework("other" + std::to_string(i), {"r" + std::to_string(i)});
  c.framework("f", {"q"});
  for (int i = 0; i < 10; ++i) c.agent("a" + std::to_string(i), "cpus:1;mem:10");
  c.allocate();
  EXPECT_EQ(cpus_of(c, "f"), 6);
  double others = 0;
  for (int i = 0; i < 5; ++i) others += cpus_of(c, "other" + std::to_string(i));
  EXPECT_EQ(others, 4);
}

TEST(Guarantees, keep_headroom_for_roles_that_do_not_use_them_yet) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("q", quota("cpus:6;mem:60", "")));
  c.framework("other", {"r"});
  for (int i = 0; i < 10; ++i) c.agent("a" + std::to_string(i), "cpus:1;mem:10");
  c.allocate();
  EXPECT_EQ(cpus_of(c, "other"), 4);
  // The guarantee's role arrives and finds them.
  c.framework("f", {"q"});
  c.allocate();
  EXPECT_EQ(cpus_of(c, "f"), 6);
  // Without the quota the rest is for everyone.
  c.allocator.remove_framework("f");
  ASSERT_TRUE(c.allocator.set_quota("q", {}));
  c.allocate();
  EXPECT_EQ(cpus_of(c, "other"), 10);
}

TEST(Guarantees, let_others_have_what_becomes_surplus) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("q", quota("cpus:4", "")));
  c.framework("other", {"r"});
  c.agent("a1", "cpus:4;mem:100");
  EXPECT_EQ(c.lines(), Lines{"other r a1 mem:100"}) << "memory is not guaranteed to anyone";
  c.finish("other", "r", "a1", "mem:100");
  c.allocate();
  c.agent("a2", "cpus:4;mem:100");
  c.allocate();
  EXPECT_EQ(cpus_of(c, "other"), 4);
}

TEST(Guarantees, of_nested_roles_count_within_their_parents) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("eng", quota("cpus:6", "")));
  ASSERT_TRUE(c.allocator.set_quota("eng/web", quota("cpus:4", "")));
  c.framework("other", {"r"});
  for (int i = 0; i < 10; ++i) c.agent("a" + std::to_string(i), "cpus:1");
  c.allocate();
  EXPECT_EQ(cpus_of(c, "other"), 4) << "six are kept, not ten";
  c.framework("d", {"eng/db"});
  c.allocate();
  EXPECT_EQ(cpus_of(c, "d"), 6) << "the parent's guarantee serves any child";
}

TEST(Guarantees, are_offered_with_everything_else_on_the_agent) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("q", quota("cpus:1", "")));
  c.framework("f", {"q"});
  c.agent("a1", "cpus:1;mem:1024;disk:50;ports:[1-5]");
  EXPECT_EQ(c.lines(), Lines{"f q a1 cpus:1; disk:50; mem:1024; ports:[1-5]"});
}

TEST(Quota, is_validated) {
  Cluster c;
  EXPECT_FALSE(c.allocator.set_quota("a", quota("cpus:2", "cpus:1")));
  EXPECT_FALSE(c.allocator.set_quota("*", quota("cpus:2", "")));
  EXPECT_FALSE(c.allocator.set_quota("a//b", quota("cpus:2", "")));
  EXPECT_TRUE(c.allocator.set_quota("a", {}));
  EXPECT_TRUE(c.allocator.roles().empty());
}

TEST(Quota, that_blocks_is_named_in_the_explanation) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("a", quota("", "cpus:1;mem:32")));
  c.framework("f", {"a"});
  c.agent("a1", "cpus:1;mem:32");
  c.allocate();
  c.agent("a2", "cpus:1;mem:32");
  c.allocate();
  const Explanation e = *c.allocator.explain("f", c.now);
  EXPECT_EQ(e.roles[0].excluded.at("quota"), Lines{"a2"});
  EXPECT_EQ(e.roles[0].consumed_quota.text(), "cpus:1.0; mem:32.0");
  EXPECT_TRUE(e.roles[0].quota.has_value());
  EXPECT_EQ(e.roles[0].quota_role, "a");
}

TEST(Recovery, lets_only_roles_under_a_limit_wait) {
  Cluster c;
  ASSERT_TRUE(c.allocator.set_quota("eng", quota("", "cpus:4")));
  ASSERT_TRUE(c.allocator.set_quota("web", quota("cpus:1", "")));
  c.allocator.hold_limited_roles(true);
  c.framework("d", {"eng/db"});
  c.agent("a1", "cpus:2;mem:64");
  EXPECT_TRUE(c.lines().empty()) << "a limit of an ancestor counts";
  EXPECT_EQ(c.allocator.explain("d", c.now)->roles.at(0).excluded.at("agents are missing"), Lines{"a1"});
  c.framework("w", {"web"});
  EXPECT_EQ(c.lines(), Lines{"w web a1 cpus:2; mem:64"});
  c.agent("a2", "cpus:2;mem:64");
  c.allocate();
  c.allocator.deactivate_framework("w");
  c.agent("a3", "cpus:2;mem:64");
  EXPECT_TRUE(c.lines().empty());
  c.allocator.hold_limited_roles(false);
  EXPECT_EQ(c.lines(), Lines{"d eng/db a3 cpus:2; mem:64"});
}

}  // namespace
}  // namespace allocator
