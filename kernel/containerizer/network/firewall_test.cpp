#include "kernel/containerizer/network/firewall.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <unistd.h>

#include <thread>

#include "base/nft.hpp"
#include "kernel/containerizer/network/firewall_plan.hpp"
#include "kernel/containerizer/network/policy.hpp"

namespace containerizer::network {
namespace {

FirewallEntry entry_of(const char* address, std::vector<PortRule> ports, const char* tier = nullptr) {
  FirewallEntry entry;
  entry.info.set_name("n");
  if (tier != nullptr) {
    auto* label = entry.info.mutable_labels()->add_labels();
    label->set_key("tier");
    label->set_value(tier);
  }
  entry.addresses = {{address, 24, false}};
  entry.ports = std::move(ports);
  entry.masquerade = true;
  entry.subnets = {"10.1.0.0/24"};
  entry.bridge = "br0";
  entry.host_links = {"veth1"};
  return entry;
}

const char* const kPolicy = R"({"rules":[
  {"from":{"labels":{"tier":"web"}},"to":{"labels":{"tier":"db"}},"ports":["5432/tcp","6000-6010/udp"],"action":"allow"},
  {"to":{"labels":{"tier":"db"}},"action":"deny"}]})";

TEST(FirewallPlan, makes_its_tables_with_the_first_and_takes_them_with_the_last) {
  FirewallPlan plan("t");
  const std::string first = plan.set("a/eth0", entry_of("10.1.0.2", {{false, 31000, 80}, {true, 31000, 53}}));
  EXPECT_NE(first.find("table inet t {"), std::string::npos);
  EXPECT_NE(first.find("add element inet t ports4 { tcp . 31000 : 10.1.0.2 . 80, udp . 31000 : 10.1.0.2 . 53 }"),
            std::string::npos)
      << first;
  EXPECT_EQ(first.find("table bridge t {"), std::string::npos);
  // What both have is neither added twice nor taken away under the other.
  const std::string second = plan.set("b/eth0", entry_of("10.1.0.3", {{false, 31001, 80}}));
  EXPECT_EQ(second,
            "add element inet t hidden4 { 10.1.0.3 }\nadd element inet t members4 { 10.1.0.3 }\n"
            "add element inet t ports4 { tcp . 31001 : 10.1.0.3 . 80 }\n");
  EXPECT_EQ(plan.remove("b/eth0"),
            "delete element inet t hidden4 { 10.1.0.3 }\ndelete element inet t members4 { 10.1.0.3 }\n"
            "delete element inet t ports4 { tcp . 31001 : 10.1.0.3 . 80 }\n");
  EXPECT_EQ(plan.remove("b/eth0"), "");
  const std::string last = plan.remove("a/eth0");
  EXPECT_NE(last.find("delete table inet t"), std::string::npos);
  EXPECT_EQ(last.find("table inet t {"), std::string::npos);
  EXPECT_TRUE(plan.empty());
}

TEST(FirewallPlan, puts_containers_at_the_ends_of_rules) {
  FirewallPlan plan("t", Policy::parse(kPolicy).value());
  const std::string script = plan.set("a/eth0", entry_of("10.1.0.2", {}, "db"));
  EXPECT_NE(script.find("add element bridge t p0t4 { 10.1.0.2 }"), std::string::npos) << script;
  EXPECT_NE(script.find("add element inet t p1t4 { 10.1.0.2 }"), std::string::npos);
  EXPECT_EQ(script.find("p0f4 { 10.1.0.2"), std::string::npos);
  EXPECT_NE(
      script.find("ip saddr @p0f4 ip daddr @p0t4 tcp dport { 5432 } tcp flags & (fin | syn | rst | ack) == syn accept"),
      std::string::npos);
  EXPECT_NE(script.find("ip saddr @p0f4 ip daddr @p0t4 udp dport { 6000-6010 } accept"), std::string::npos);
  EXPECT_NE(script.find("ip daddr @p1t4 meta l4proto != tcp drop"), std::string::npos);
  EXPECT_NE(script.find("add element bridge t own4 { \"veth1\" . 10.1.0.2 }"), std::string::npos);
}

TEST(Policy, errors_name_the_place) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "JSON object"},
      {"{}", "rules: is required"},
      {R"({"rules":[],"x":1})", "'x' is not known"},
      {R"({"rules":[{"from":{},"action":"maybe"}]})", "rules[0]: action"},
      {R"({"rules":[{"action":"deny"}]})", "rules[0]: from or to"},
      {R"({"rules":[{"from":{"labels":{"a":1}},"action":"deny"}]})", "rules[0]: from: labels"},
      {R"({"rules":[{"from":{"label":{}},"action":"deny"}]})", "rules[0]: from: 'label'"},
      {R"({"rules":[{"to":{},"ports":["80/icmp"],"action":"deny"}]})", "rules[0]: ports[0]"},
      {R"({"rules":[{"to":{},"ports":["90-80"],"action":"deny"}]})", "rules[0]: ports[0]"}};
  for (const auto& [text, words] : cases) {
    const auto policy = Policy::parse(text);
    ASSERT_FALSE(policy) << text;
    EXPECT_NE(policy.error().message.find(words), std::string::npos) << policy.error().message;
  }
  EXPECT_EQ(Policy::parse(kPolicy)->rules.size(), 2u);
}

TEST(FirewallTable, is_named_after_the_agents_directory) {
  EXPECT_EQ(table_of("/a"), table_of("/a"));
  EXPECT_NE(table_of("/a"), table_of("/b"));
}

/// In a network namespace that ends with the thread.
void in_a_network(const std::function<void()>& test) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  std::thread([&test] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    test();
  }).join();
}

TEST(Firewall, is_what_the_kernel_has) {
  in_a_network([] {
    Firewall firewall("t", Policy::parse(kPolicy).value());
    base::Nft nft;
    ASSERT_TRUE(firewall.set("a/eth0", entry_of("10.1.0.2", {{false, 31000, 80}}, "db")));
    Status done = firewall.set("b/eth0", entry_of("10.1.0.3", {{true, 31000, 53}}, "web"));
    ASSERT_TRUE(done) << done.error().message;
    std::string ports = nft.run("list map inet t ports4").value();
    EXPECT_NE(ports.find("6 . 31000 : 10.1.0.2 . 80"), std::string::npos) << ports;
    EXPECT_NE(ports.find("17 . 31000 : 10.1.0.3 . 53"), std::string::npos) << ports;
    EXPECT_EQ(firewall.ports(), 2u);
    ASSERT_TRUE(firewall.remove("a/eth0"));
    ports = nft.run("list map inet t ports4").value();
    EXPECT_EQ(ports.find("10.1.0.2"), std::string::npos) << ports;
    // Somebody flushes everything: the next change puts all of it back.
    ASSERT_TRUE(nft.run("flush ruleset"));
    ASSERT_TRUE(firewall.set("c/eth0", entry_of("10.1.0.4", {{false, 31002, 80}})));
    ports = nft.run("list map inet t ports4").value();
    EXPECT_NE(ports.find("10.1.0.3"), std::string::npos) << ports;
    ASSERT_TRUE(firewall.rebuild({}));
    EXPECT_FALSE(nft.run("list table inet t"));
    EXPECT_FALSE(nft.run("list table bridge t"));
  });
}

TEST(Firewall, leaves_others_tables_alone) {
  in_a_network([] {
    base::Nft nft;
    ASSERT_TRUE(nft.run("add table inet other"));
    Firewall mine("mine", {}), theirs("theirs", {});
    ASSERT_TRUE(theirs.set("a/eth0", entry_of("10.1.0.2", {{false, 31000, 80}})));
    ASSERT_TRUE(mine.set("a/eth0", entry_of("10.1.0.3", {{false, 31001, 80}})));
    ASSERT_TRUE(mine.remove("a/eth0"));
    EXPECT_FALSE(nft.run("list table inet mine"));
    EXPECT_TRUE(nft.run("list table inet theirs"));
    EXPECT_TRUE(nft.run("list table inet other"));
  });
}

}  // namespace
}  // namespace containerizer::network
