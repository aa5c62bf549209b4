#include "kernel/containerizer/container_dns.hpp"

#include <gtest/gtest.h>

namespace containerizer {
namespace {

TEST(ContainerDns, is_read_by_network) {
  const auto dns = ContainerDns::parse(R"({
    "mesos": [
      {"network_mode": "CNI", "network_name": "net1", "dns": {"nameservers": ["8.8.8.8", "fd01::1"]}},
      {"network_mode": "CNI", "dns": {"nameservers": ["10.0.0.1"]}},
      {"network_mode": "HOST", "dns": {"nameservers": ["127.53.0.1"], "search": ["marathon.mesos"], "options": ["timeout:1"]}}],
    "docker": [{"network_mode": "BRIDGE", "dns": {}}]})");
  ASSERT_TRUE(dns) << dns.error().message;
  EXPECT_EQ(dns->of_network("net1")->nameservers, (std::vector<std::string>{"8.8.8.8", "fd01::1"}));
  EXPECT_EQ(dns->of_network("other")->nameservers, std::vector<std::string>{"10.0.0.1"});
  EXPECT_EQ(render_resolv_conf(*dns->host), "search marathon.mesos\nnameserver 127.53.0.1\noptions timeout:1\n");
  EXPECT_EQ(ContainerDns::parse("{}")->of_network("x"), nullptr);
}

TEST(ContainerDns, that_is_wrong_is_refused_by_place) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "object"},
      {R"({"mesos":{}})", "mesos"},
      {R"({"mesos":[{"network_mode":"HOST"}]})", "mesos[0]: dns"},
      {R"({"mesos":[{"network_mode":"MOON","dns":{}}]})", "network_mode"},
      {R"({"docker":[{"network_mode":"HOST","dns":{}}]})", "docker[0]: network_mode"},
      {R"({"mesos":[{"network_mode":"HOST","network_name":"x","dns":{}}]})", "network_name"},
      {R"({"mesos":[{"network_mode":"HOST","dns":{"nameservers":["ns.example"]}}]})", "nameservers"},
      {R"({"mesos":[{"network_mode":"HOST","dns":{"nameservers":["1.1.1.1","1.1.1.2","1.1.1.3","1.1.1.4"]}}]})", "three"},
      {R"({"mesos":[{"network_mode":"HOST","dns":{"search":["a\nnameserver 6.6.6.6"]}}]})", "search"},
      {R"({"mesos":[{"network_mode":"HOST","dns":{}},{"network_mode":"HOST","dns":{}}]})", "mesos[1]"},
  };
  for (const auto& [json, place] : cases) {
    const auto dns = ContainerDns::parse(json);
    ASSERT_FALSE(dns) << json;
    EXPECT_NE(dns.error().message.find(place), std::string::npos) << json << " -> " << dns.error().message;
  }
}

}  // namespace
}  // namespace containerizer
