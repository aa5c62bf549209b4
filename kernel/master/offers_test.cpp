// Offers: who gets what nobody answered, and what the whitelist leaves.

#include <gtest/gtest.h>

#include "kernel/master/testing.hpp"

namespace master {
namespace {

std::string after(testing::Conversation& conversation, const std::string& command) {
  conversation.take_effects();
  conversation.command(command);
  return conversation.take_effects();
}

bool has(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

TEST(OfferTimeout, gives_what_was_not_answered_to_others_first) {
  Policy policy;
  policy.offer_timeout = base::seconds(5);
  testing::Conversation c(policy);
  c.command("recovered");
  c.command("healthy");
  // The second one holds a task, so that fairness alone would ask the first one again and again.
  c.command("subscribe C2 role=b");
  c.command("agent L1 register host=h1 resources=cpus:4;mem:1024");
  c.command("C2 accept M-O0 launch t1=cpus:1;mem:32 refuse=0");
  c.command("C2 decline M-O1 refuse=4");
  std::string told = after(c, "subscribe C1 role=a");
  EXPECT_TRUE(has(told, "C1 <- OFFERS M-O2(M-S0 ")) << told;
  told = after(c, "advance 5secs");
  EXPECT_TRUE(has(told, "C1 <- RESCIND M-O2")) << told;
  EXPECT_TRUE(has(told, "C2 <- OFFERS M-O3(M-S0 ")) << told;
  EXPECT_FALSE(has(told, "C1 <- OFFERS")) << told;
  // Declined, it goes to the first one as soon as its short pause is over.
  told = after(c, "C2 decline M-O3 refuse=60");
  EXPECT_FALSE(has(told, "C1 <- OFFERS")) << told;
  told = after(c, "advance 2secs");
  EXPECT_TRUE(has(told, "C1 <- OFFERS M-O4(M-S0 ")) << told;
}

TEST(OfferTimeout, comes_back_to_whoever_is_alone) {
  Policy policy;
  policy.offer_timeout = base::seconds(5);
  testing::Conversation c(policy);
  for (const char* command :
       {"recovered", "healthy", "subscribe C1 role=a", "agent L1 register host=h1 resources=cpus:4;mem:1024"})
    c.command(command);
  const std::string told = after(c, "advance 7secs");
  EXPECT_TRUE(has(told, "C1 <- RESCIND M-O0")) << told;
  EXPECT_TRUE(has(told, "C1 <- OFFERS M-O1(M-S0 ")) << told;
}

TEST(Whitelist, is_what_is_offered_and_may_change) {
  testing::Conversation c;
  c.command("recovered");
  c.command("whitelist h2");
  c.command("subscribe C1 role=a");
  EXPECT_FALSE(has(after(c, "agent L1 register host=h1 resources=cpus:4;mem:1024"), "OFFERS"));
  EXPECT_TRUE(has(after(c, "whitelist h1,h2"), "C1 <- OFFERS M-O0(M-S0 "));
  c.command("whitelist h2");
  EXPECT_FALSE(has(after(c, "C1 decline M-O0 refuse=0"), "OFFERS"));
  EXPECT_TRUE(has(after(c, "whitelist"), "C1 <- OFFERS M-O1(M-S0 "));
}

TEST(InverseOffers, are_part_of_the_picture) {
  testing::Conversation c;
  for (const char* command : {"recovered", "subscribe C1 role=a", "agent L1 register host=h1 resources=cpus:4;mem:1024",
                              "C1 accept M-O0 launch t1=cpus:1;mem:32", "operator schedule h1:2000000"}) {
    c.command(command);
    c.take_effects();
  }
  const auto snapshot = c.core().snapshot(base::Now());
  ASSERT_EQ(snapshot->frameworks.at(0).inverse_offers.size(), 1u);
  EXPECT_EQ(snapshot->frameworks[0].inverse_offers[0]->agent_id().value(), "M-S0");
  c.command("closed C1");
  const auto later = c.core().snapshot(base::Now());
  for (const FrameworkView& framework : later->frameworks) EXPECT_TRUE(framework.inverse_offers.empty());
}

TEST(QuotaOfNestedRoles, must_fit_below_its_parents_and_into_the_cluster) {
  testing::Conversation c;
  c.command("recovered");
  c.command("agent L1 register host=h1 resources=cpus:8;mem:1024");
  const auto says = [&](const std::string& command) { return after(c, "operator quota " + command); };
  EXPECT_TRUE(has(says("eng cpus=4"), "reply 200"));
  EXPECT_TRUE(has(says("eng/web cpus=3"), "reply 200"));
  std::string refused = says("eng/db cpus=2");
  EXPECT_TRUE(has(refused, "reply 400 \"Invalid QuotaConfig: Invalid quota configuration. Parent role 'eng' with guarantees")) << refused;
  EXPECT_TRUE(has(says("eng/db cpus=2 force=yes"), "reply 400"));
  EXPECT_TRUE(has(says("eng/db cpus=1"), "reply 200"));
  // What a parent holds is not counted again for those below it; what roles of the top hold is counted together.
  EXPECT_TRUE(has(says("ops cpus=4"), "reply 200"));
  refused = says("other cpus=1");
  EXPECT_TRUE(
      has(refused, "total quota guarantees 'cpus:9.0' exceed cluster capacity 'cpus:8.0; mem:1024.0' (use 'force' flag"))
      << refused;
  EXPECT_TRUE(has(says("other cpus=1 force=yes"), "reply 200"));
  // A parent without a guarantee of its own holds those of its children; its limit bounds them.
  EXPECT_TRUE(has(says("lab limit=2"), "reply 400"));  // the cluster is overcommitted
  EXPECT_TRUE(has(after(c, "operator remove_quota other"), "reply 200"));
  EXPECT_TRUE(has(after(c, "operator remove_quota ops"), "reply 200"));
  EXPECT_TRUE(has(says("lab limit=2"), "reply 200"));
  EXPECT_TRUE(has(says("lab/a cpus=2"), "reply 200"));
  refused = says("lab/b cpus=1");
  EXPECT_TRUE(has(refused, "The limits of role 'lab' do not contain the sum of its children's guarantees (cpus:3.0)")) << refused;
  refused = after(c, "operator remove_quota lab/b");
  EXPECT_TRUE(has(refused, "reply 400 \"Failed to remove quota: Role 'lab/b' has no quota set\"")) << refused;
}

TEST(Teardown, is_counted_whoever_asks_for_it) {
  testing::Conversation c;
  for (const char* command : {"recovered", "subscribe C1 role=a", "subscribe C2 role=a", "C1 teardown", "operator teardown M-0001"}) {
    c.command(command);
  }
  EXPECT_TRUE(c.core().state().frameworks.empty());
  EXPECT_EQ(c.core().state().counters[static_cast<size_t>(Metric::MessagesUnregisterFramework)], 2u);
}

TEST(UpdateFramework, is_told_only_when_it_changes_the_framework) {
  testing::Conversation c;
  for (const char* command : {"recovered", "publish", "subscribe C1 role=a"}) c.command(command);
  EXPECT_FALSE(has(after(c, "C1 update_framework"), "publish"));
  EXPECT_TRUE(has(after(c, "C1 update_framework name=other"), "publish FRAMEWORK_UPDATED"));
  const std::string refused = after(c, "C1 update_framework user=root");
  EXPECT_TRUE(has(refused, "reply 400 \"FrameworkInfo update is not valid: Updating 'FrameworkInfo.user' is unsupported")) << refused;
}

}  // namespace
}  // namespace master
