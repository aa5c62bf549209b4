#include "l4lb/vips.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace l4lb {
namespace {

Address ip(const char* text) { return *parse_address(text); }

TEST(Vips, names_lose_slashes_and_keep_dots) {
  const struct {
    const char* label;
    const char* framework;
    const char* host;
    int port;
  } kCases[] = {
      {"/l4lbtest:5000", "marathon", "l4lbtest.marathon.l4lb.thisdcos.directory", 5000},
      {"l4lbtest:5000", "marathon", "l4lbtest.marathon.l4lb.thisdcos.directory", 5000},
      {"/group/app:80", "marathon", "groupapp.marathon.l4lb.thisdcos.directory", 80},
      {"a.b:80", "marathon", "a.b.marathon.l4lb.thisdcos.directory", 80},
      {"/Web_One:80", "a.b", "web-one.a.b.l4lb.thisdcos.directory", 80},
      {"1.2.3.4:80", "marathon", "1.2.3.4", 80},
      {"/1.2.3.4:80", "marathon", "1.2.3.4", 80},
      {"fd01:c::1:5000", "marathon", "fd01:c::1", 5000},
      {"1.2.3:80", "marathon", "1.2.3.marathon.l4lb.thisdcos.directory", 80},
  };
  for (const auto& c : kCases) {
    const auto vip = parse_vip(c.label, Protocol::Tcp, c.framework);
    ASSERT_TRUE(vip) << c.label;
    EXPECT_EQ(vip->host, c.host);
    EXPECT_EQ(vip->port, c.port);
  }
}

TEST(Vips, bad_labels_are_refused_with_a_reason) {
  for (const char* label : {"name", "name:", "name:0", "name:70000", ":80", "/:80", "name:80x", "127.0.0.1:80",
                            "0.0.0.0:1", "255.255.255.255:80", "224.0.0.1:80", "::1:80"}) {
    const auto vip = parse_vip(label, Protocol::Tcp, "marathon");
    EXPECT_FALSE(vip) << label;
    EXPECT_TRUE(vip || !vip.error().message.empty());
  }
}

TEST(Vips, domain_fragments_follow_the_rules_of_the_original) {
  EXPECT_EQ(domain_fragment("(@ host . com"), "host.com");
  EXPECT_EQ(domain_fragment("pod_123$abc.marathon-0.6.0-dev.mesos"), "pod-123abc.marathon-0.6.0-dev.mesos");
  EXPECT_EQ(domain_fragment("---a---b"), "a---b");
  EXPECT_EQ(domain_fragment("hello" + std::string(58, '-') + "f"), "hellof");
  EXPECT_EQ(domain_fragment(std::string(80, 'a')), std::string(63, 'a'));
  EXPECT_EQ(domain_fragment("$$$"), "");
}

Task task_with(DiscoveryPort port) {
  Task task;
  task.framework_id = "f";
  task.framework_name = "marathon";
  task.id = "t";
  task.state = "TASK_RUNNING";
  task.ports = {31000, 31001};
  task.discovery.push_back(std::move(port));
  return task;
}

TEST(Vips, weight_follows_state_and_health) {
  const struct {
    const char* state;
    std::optional<bool> healthy;
    bool check;
    int weight;
  } kCases[] = {
      {"TASK_RUNNING", std::nullopt, false, 1}, {"TASK_RUNNING", true, true, 1},    {"TASK_RUNNING", false, true, 0},
      {"TASK_RUNNING", std::nullopt, true, 0},  {"TASK_RUNNING", false, false, 0},  {"TASK_KILLING", true, true, 0},
      {"TASK_KILLING", std::nullopt, false, 0}, {"TASK_STARTING", true, false, -1}, {"TASK_STAGING", true, false, -1},
  };
  for (const auto& c : kCases) {
    Task task = task_with({31000, "tcp", {{"VIP_0", "/web:80"}}});
    task.state = c.state;
    task.healthy = c.healthy;
    task.has_health_check = c.check;
    const Services services = services_of(task, ip("10.0.0.1"));
    ASSERT_EQ(services.list.size(), c.weight < 0 ? 0U : 1U) << c.state;
    if (c.weight < 0) continue;
    EXPECT_EQ(services.list[0].backend.weight, c.weight) << c.state;
  }
}

TEST(Vips, scope_and_mappings_decide_about_the_backend) {
  Task task = task_with({80, "tcp", {{"VIP_0", "/web:80"}}});
  // Without addresses of its own: the machine's.
  EXPECT_EQ(render(services_of(task, ip("10.0.0.1")).list[0].backend.endpoint), "10.0.0.1:80");
  // On a network of its own: the container's addresses and port.
  task.addresses = {ip("9.0.0.2"), ip("fd01:b::2")};
  auto services = services_of(task, ip("10.0.0.1"));
  ASSERT_EQ(services.list.size(), 2U);
  EXPECT_EQ(render(services.list[0].backend.endpoint), "9.0.0.2:80");
  EXPECT_EQ(render(services.list[1].backend.endpoint), "[fd01:b::2]:80");
  // With a port mapping: the machine's port; on its own machine the container directly.
  task.mappings = {{31005, 80, "tcp"}};
  services = services_of(task, ip("10.0.0.1"));
  ASSERT_EQ(services.list.size(), 1U);
  EXPECT_EQ(render(services.list[0].backend.endpoint), "10.0.0.1:31005");
  EXPECT_EQ(render(*services.list[0].local), "9.0.0.2:80");
  // The label says that the number is the machine's port.
  task.discovery[0] = {31005, "tcp", {{"VIP_0", "/web:80"}, {"network-scope", "host"}}};
  EXPECT_EQ(render(services_of(task, ip("10.0.0.1")).list[0].backend.endpoint), "10.0.0.1:31005");
}

TEST(Vips, several_labels_and_the_old_form_give_several_services) {
  Task task = task_with(
      {31000, "udp,tcp", {{"VIP_0", "/web:80"}, {"vip_1", "1.2.3.4:81"}, {"VIP_2", "nonsense"}, {"other", "/x:1"}}});
  task.labels = {{"vip_PORT1", "tcp://old:90"},
                 {"VIP_port9", "tcp://old:90"},
                 {"vip_PORT0", "http://old:90"},
                 {"vip_PORT", "tcp://a:1"}};
  const Services services = services_of(task, ip("10.0.0.1"));
  std::vector<std::string> names;
  for (const auto& service : services.list)
    names.push_back(std::string(name_of(service.vip.protocol)) + " " + render(service.vip) + " " +
                    render(service.backend.endpoint));
  EXPECT_EQ(names, (std::vector<std::string>{"udp web.marathon.l4lb.thisdcos.directory:80 10.0.0.1:31000",
                                             "tcp web.marathon.l4lb.thisdcos.directory:80 10.0.0.1:31000",
                                             "udp 1.2.3.4:81 10.0.0.1:31000", "tcp 1.2.3.4:81 10.0.0.1:31000",
                                             "tcp old.marathon.l4lb.thisdcos.directory:90 10.0.0.1:31001"}));
  EXPECT_EQ(services.problems.size(), 5U);  // the bad one of the port for both protocols, and three old ones
}

TEST(Vips, a_literal_address_takes_backends_of_its_family_only) {
  Task task = task_with({80, "tcp", {{"VIP_0", "1.2.3.4:80"}, {"VIP_1", "fd01:c::5:80"}}});
  task.addresses = {ip("9.0.0.2"), ip("fd01:b::2")};
  const Services services = services_of(task, ip("10.0.0.1"));
  ASSERT_EQ(services.list.size(), 2U);
  EXPECT_TRUE(services.list[0].backend.endpoint.address.v4());
  EXPECT_TRUE(services.list[1].backend.endpoint.address.v6());
}

TEST(Vips, reads_a_task_of_the_agents_stream) {
  const auto value =
      base::json::parse(R"({"framework_id":"f","framework_name":"marathon","id":"t1","name":"n","state":"TASK_RUNNING",
    "healthy":true,"has_health_check":true,"ports":[31000],"labels":{"labels":[{"key":"vip_PORT0","value":"udp://old:9"}]},
    "discovery":{"visibility":"CLUSTER","ports":{"ports":[
      {"number":80,"protocol":"tcp","labels":{"labels":[{"key":"VIP_0","value":"/w:1"}]}}]}},
    "container":{"type":"MESOS"},
    "container_status":{"network_infos":[{"ip_addresses":[{"ip_address":"9.0.0.2"}],
      "port_mappings":[{"host_port":31000,"container_port":80,"protocol":"tcp"}]}]}})");
  ASSERT_TRUE(value);
  const auto task = decode_task(*value);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->healthy, true);
  EXPECT_EQ(task->ports, (std::vector<uint64_t>{31000}));
  ASSERT_EQ(task->discovery.size(), 1U);
  EXPECT_EQ(task->discovery[0].labels[0].second, "/w:1");
  EXPECT_EQ(render(task->addresses[0]), "9.0.0.2");
  EXPECT_EQ(task->mappings[0].container_port, 80U);
  EXPECT_EQ(services_of(*task, ip("10.0.0.1")).list.size(), 2U);
  for (const char* bad : {"[]", "{}", R"({"id":"x"})", R"({"id":7,"framework_id":"f"})"})
    EXPECT_FALSE(decode_task(*base::json::parse(bad))) << bad;
}

}  // namespace
}  // namespace l4lb
