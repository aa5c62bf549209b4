#include "installer/cluster.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

namespace installer {
namespace {

constexpr Machine kMachine{.cpus = 2, .memory_mb = 24000};

ClusterPlan plan_with(unsigned agents, unsigned offset, const std::string& root = "/var/lib/dcos") {
  return plan_cluster({.root = root, .agents = agents, .port_offset = offset, .bin_dir = "/bin"},
                      kMachine)
      .value();
}

TEST(ClusterPlan, has_every_daemon_with_ports_of_its_own) {
  const ClusterPlan plan = plan_with(3, 0);
  std::vector<std::string> names;
  for (const auto& daemon : plan.daemons) names.push_back(daemon.name);
  EXPECT_EQ(names, (std::vector<std::string>{"master", "agent-1", "agent-2", "agent-3", "dns",
                                             "marathon", "universe", "chronos", "metronome", "l4lb", "gateway"}));
  const auto ports = plan.ports();
  EXPECT_EQ(std::set<uint16_t>(ports.begin(), ports.end()).size(), ports.size());
  EXPECT_EQ(plan.gateway_url, "http://127.0.0.1");
}

TEST(ClusterPlan, of_another_offset_and_root_shares_nothing) {
  const ClusterPlan a = plan_with(2, 0), b = plan_with(2, 100, "/tmp/other");
  std::set<std::string> seen;
  for (const auto* plan : {&a, &b}) {
    for (const auto port : plan->ports())
      EXPECT_TRUE(seen.insert(std::to_string(port)).second) << port;
    for (const auto& daemon : plan->daemons) {
      if (!daemon.cgroup.empty()) {
        EXPECT_TRUE(seen.insert(daemon.cgroup).second);
      }
      for (const auto& word : daemon.argv) {
        if (word.starts_with("--listener=127.53.") || word.starts_with("--table=") ||
            word.starts_with("--gossip_port=")) {
          EXPECT_TRUE(seen.insert(word).second) << word;
        }
        if (word.starts_with("--resources=")) {
          EXPECT_TRUE(seen.insert(word.substr(word.find("ports"))).second) << word;
        }
      }
    }
  }
}

TEST(ClusterPlan, gives_each_offset_a_name_server_address_and_tells_the_agents) {
  std::set<std::string> addresses;
  for (unsigned offset = 0; offset <= 20'000; ++offset) {
    const ClusterPlan plan = plan_with(1, offset);
    const auto& argv = plan.find("dns")->argv;
    const auto listener = std::find_if(argv.begin(), argv.end(), [](const std::string& word) {
      return word.starts_with("--listener=127.53.");
    });
    ASSERT_NE(listener, argv.end());
    const std::string address = listener->substr(11);
    EXPECT_TRUE(addresses.insert(address).second) << address;
    const auto& agent = plan.find("agent-1")->argv;
    EXPECT_TRUE(std::any_of(agent.begin(), agent.end(), [&](const std::string& word) {
      return word.starts_with("--default_container_dns=") && word.find(address) != std::string::npos;
    }));
  }
}

TEST(ClusterPlan, refuses_options_that_make_no_cluster_and_names_them) {
  const auto refusal = [](ClusterOptions options) {
    return plan_cluster(options, kMachine).error().message;
  };
  EXPECT_NE(refusal({.agents = 0}).find("--agents"), std::string::npos);
  EXPECT_NE(refusal({.agents = 51}).find("--agents"), std::string::npos);
  EXPECT_NE(refusal({.port_offset = 65'000}).find("--port-offset"), std::string::npos);
  EXPECT_NE(refusal({.root = "relative"}).find("--root"), std::string::npos);
  EXPECT_NE(refusal({.root = "/"}).find("--root"), std::string::npos);
}

}  // namespace
}  // namespace installer
