#include "kernel/containerizer/network/request.hpp"

#include <gtest/gtest.h>

#include <functional>

namespace containerizer::network {
namespace {

using mesos::v1::ContainerInfo;
using mesos::v1::NetworkInfo;
using Docker = ContainerInfo::DockerInfo;

ContainerSpec mesos_spec() {
  ContainerSpec spec;
  spec.id = "0a1b2c3d-4e5f-6071-8293-a4b5c6d7e8f9";
  spec.ports = {{31000, 31005}};
  spec.container.emplace().set_type(ContainerInfo::MESOS);
  return spec;
}

ContainerSpec docker_spec(Docker::Network network) {
  ContainerSpec spec = mesos_spec();
  spec.container->set_type(ContainerInfo::DOCKER);
  spec.container->mutable_docker()->set_image("image");
  spec.container->mutable_docker()->set_network(network);
  return spec;
}

void map_port(NetworkInfo& info, uint32_t host, uint32_t container, const char* protocol = "tcp") {
  auto* mapping = info.add_port_mappings();
  mapping->set_host_port(host);
  mapping->set_container_port(container);
  mapping->set_protocol(protocol);
}

void option(ContainerSpec& spec, const char* key, const char* value) {
  auto* parameter = spec.container->mutable_docker()->add_parameters();
  parameter->set_key(key);
  parameter->set_value(value);
}

std::string refusal(ContainerSpec spec, const std::function<void(ContainerSpec&)>& change) {
  change(spec);
  const auto request = wanted_networks(spec, "mesos-bridge");
  return request ? "accepted" : request.error().message;
}

TEST(NetworkRequest, is_absent_on_the_hosts_network) {
  ContainerSpec plain;
  EXPECT_FALSE(wanted_networks(plain, "b")->has_value());
  ContainerSpec unnamed = mesos_spec();
  unnamed.container->add_network_infos();
  EXPECT_FALSE(wanted_networks(unnamed, "b")->has_value());
  EXPECT_FALSE(wanted_networks(docker_spec(Docker::HOST), "b")->has_value());
}

TEST(NetworkRequest, has_the_networks_in_their_order) {
  ContainerSpec spec = mesos_spec();
  spec.container->add_network_infos()->set_name("one");
  spec.container->add_network_infos();  // the host's: left out
  auto* two = spec.container->add_network_infos();
  two->set_name("two");
  map_port(*two, 31000, 80);
  const auto request = wanted_networks(spec, "b").value();
  ASSERT_TRUE(request);
  ASSERT_EQ(request->networks.size(), 2u);
  EXPECT_EQ(request->networks[0].info.name(), "one");
  EXPECT_EQ(request->networks[1].info.port_mappings(0).container_port(), 80u);
  EXPECT_EQ(request->host_name, spec.id);
  spec.container->set_hostname("web");
  EXPECT_EQ(wanted_networks(spec, "b").value()->host_name, "web");
}

TEST(NetworkRequest, reads_dockers_networks) {
  ContainerSpec bridge = docker_spec(Docker::BRIDGE);
  auto* mapping = bridge.container->mutable_docker()->add_port_mappings();
  mapping->set_host_port(31001);
  mapping->set_container_port(80);
  const auto first = wanted_networks(bridge, "mesos-bridge").value();
  EXPECT_EQ(first->networks[0].info.name(), "mesos-bridge");
  EXPECT_EQ(first->networks[0].info.port_mappings(0).host_port(), 31001u);
  EXPECT_EQ(first->networks[0].info.port_mappings(0).protocol(), "tcp");
  EXPECT_EQ(first->host_name, "0a1b2c3d4e5f");
  ContainerSpec user = docker_spec(Docker::USER);
  user.container->add_network_infos()->set_name("dcos");
  EXPECT_EQ(wanted_networks(user, "b").value()->networks[0].info.name(), "dcos");
  const auto none = wanted_networks(docker_spec(Docker::NONE), "b").value();
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->networks.empty());
}

TEST(NetworkRequest, takes_dockers_options) {
  ContainerSpec spec = docker_spec(Docker::HOST);
  option(spec, "--net", "mine");
  option(spec, "hostname", "web");
  option(spec, "add-host", "db:10.0.0.7");
  option(spec, "add-host", "six:fd00::7");
  option(spec, "dns", "10.0.0.2");
  option(spec, "dns-search", "a.example");
  option(spec, "ip", "172.31.254.9");
  option(spec, "mac-address", "02:42:AC:11:00:02");
  const auto request = wanted_networks(spec, "b").value();
  ASSERT_TRUE(request);
  EXPECT_EQ(request->networks[0].info.name(), "mine");
  EXPECT_EQ(request->networks[0].info.ip_addresses(0).ip_address(), "172.31.254.9");
  EXPECT_EQ(request->networks[0].mac, "02:42:ac:11:00:02");
  EXPECT_EQ(request->host_name, "web");
  EXPECT_EQ(request->extra_hosts, (std::vector<std::string>{"10.0.0.7\tdb", "fd00::7\tsix"}));
  EXPECT_EQ(request->dns.nameservers, std::vector<std::string>{"10.0.0.2"});
  EXPECT_EQ(request->dns.search, std::vector<std::string>{"a.example"});
}

TEST(NetworkRequest, refuses_by_name) {
  const struct {
    ContainerSpec spec;
    std::function<void(ContainerSpec&)> change;
    const char* words;
  } cases[] = {
      {mesos_spec(), [](auto& s) { s.container->add_network_infos()->set_name("../x"); }, "network name '../x'"},
      {mesos_spec(),
       [](auto& s) {
         s.container->add_network_infos()->set_name("a");
         s.container->add_network_infos()->set_name("a");
       },
       "'a' multiple times"},
      {mesos_spec(),
       [](auto& s) {
         auto* info = s.container->add_network_infos();
         info->set_name("a");
         map_port(*info, 80, 80);
       },
       "Port [80] not included in resources"},
      {mesos_spec(),
       [](auto& s) {
         auto* info = s.container->add_network_infos();
         info->set_name("a");
         map_port(*info, 31000, 80, "sctp");
       },
       "'sctp' is neither tcp nor udp"},
      {mesos_spec(),
       [](auto& s) {
         auto* info = s.container->add_network_infos();
         info->set_name("a");
         map_port(*info, 31000, 0);
       },
       "container port"},
      {mesos_spec(),
       [](auto& s) {
         auto* info = s.container->add_network_infos();
         info->set_name("a");
         map_port(*info, 31000, 80);
         map_port(*info, 31000, 81);
       },
       "31000/tcp is mapped twice"},
      {mesos_spec(),
       [](auto& s) {
         s.container->add_network_infos()->set_name("a");
         s.container->set_hostname("no name");
       },
       "no host name"},
      {docker_spec(Docker::USER), [](auto&) {}, "exactly one entry in network_infos"},
      {docker_spec(Docker::USER), [](auto& s) { s.container->add_network_infos(); }, "No network name"},
      {docker_spec(Docker::HOST),
       [](auto& s) { s.container->mutable_docker()->add_port_mappings()->set_host_port(31000); }, "port_mappings need"},
      {docker_spec(Docker::NONE),
       [](auto& s) { s.container->mutable_docker()->add_port_mappings()->set_host_port(31000); }, "port_mappings need"},
      {docker_spec(Docker::HOST), [](auto& s) { s.container->set_hostname("h"); }, "hostname"},
      {docker_spec(Docker::HOST), [](auto& s) { option(s, "dns", "1.2.3.4"); }, "network of the container's own"},
      {docker_spec(Docker::BRIDGE), [](auto& s) { option(s, "net", "container:x"); }, "container:x"},
      {docker_spec(Docker::BRIDGE), [](auto& s) { option(s, "ip", "x"); }, "'ip': 'x' is no IP address"},
      {docker_spec(Docker::BRIDGE), [](auto& s) { option(s, "add-host", "x"); }, "NAME:ADDRESS"},
      {docker_spec(Docker::BRIDGE), [](auto& s) { option(s, "mac-address", "02:42"); }, "mac-address"},
      {docker_spec(Docker::BRIDGE), [](auto& s) { option(s, "dns", "resolver"); }, "'dns'"}};
  for (const auto& [spec, change, words] : cases) {
    const std::string message = refusal(spec, change);
    EXPECT_NE(message.find(words), std::string::npos) << words << ": " << message;
  }
}

TEST(NetworkRequest, maps_tcp_and_udp_of_one_port) {
  ContainerSpec spec = mesos_spec();
  auto* info = spec.container->add_network_infos();
  info->set_name("a");
  map_port(*info, 31000, 53, "tcp");
  map_port(*info, 31000, 53, "udp");
  EXPECT_EQ(wanted_networks(spec, "b").value()->networks[0].info.port_mappings_size(), 2);
}

}  // namespace
}  // namespace containerizer::network
