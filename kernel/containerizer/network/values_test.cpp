// What is pure of networks: configurations, results, errors, files in /etc, addresses, the built-in bridge's settings,
// what plugins are given, records.

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/file.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/network/bridge.hpp"
#include "kernel/containerizer/network/chain.hpp"
#include "kernel/containerizer/network/config.hpp"
#include "kernel/containerizer/network/files.hpp"
#include "kernel/containerizer/network/ipam.hpp"
#include "kernel/containerizer/network/record.hpp"
#include "kernel/containerizer/network/result.hpp"

namespace containerizer::network {
namespace {

using base::testing::TemporaryDirectory;

std::string problem_of(const char* text) {
  const auto config = parse_network_config(text);
  return config ? "" : config.error().message;
}

TEST(NetworkConfig, is_one_plugin_or_a_chain) {
  const auto single =
      parse_network_config(R"({"name":"a","type":"bridge","capabilities":{"portMappings":true,"x":false}})").value();
  EXPECT_EQ(single.cni_version, "0.1.0");
  ASSERT_EQ(single.plugins.size(), 1u);
  EXPECT_TRUE(single.plugins[0].can("portMappings"));
  EXPECT_FALSE(single.plugins[0].can("x"));
  const auto chain =
      parse_network_config(
          R"({"cniVersion":"1.0.0","name":"b","disableCheck":true,"plugins":[{"type":"bridge"},{"type":"portmap"}]})")
          .value();
  EXPECT_EQ(chain.plugins.size(), 2u);
  EXPECT_TRUE(chain.disable_check);
  EXPECT_EQ(chain.version, (CniVersion{1, 0, 0}));
}

TEST(NetworkConfig, errors_name_what_is_wrong) {
  EXPECT_NE(problem_of("{").find("line 1"), std::string::npos);
  EXPECT_NE(problem_of(R"({"type":"bridge"})").find("/name is missing"), std::string::npos);
  EXPECT_NE(problem_of(R"({"name":"a/b","type":"x"})").find("name: 'a/b'"), std::string::npos);
  EXPECT_NE(problem_of(R"({"name":"a"})").find("/type is missing"), std::string::npos);
  EXPECT_NE(problem_of(R"({"name":"a","type":"../x"})").find("no name of a plugin"), std::string::npos);
  EXPECT_NE(problem_of(R"({"name":"a","type":"x","cniVersion":"2.0.0"})").find("newer"), std::string::npos);
  EXPECT_NE(problem_of(R"({"name":"a","type":"x","cniVersion":"new"})").find("no version"), std::string::npos);
  EXPECT_NE(problem_of(R"({"name":"a","plugins":[]})").find("at least one"), std::string::npos);
  EXPECT_NE(problem_of(R"({"name":"a","plugins":[{"type":"x"},{}]})").find("plugins[1]"), std::string::npos);
  EXPECT_NE(problem_of(R"({"name":"a","type":"x","args":{"org.apache.mesos":{}}})").find("reserved"),
            std::string::npos);
}

TEST(NetworkConfig, of_a_directory_leaves_out_what_is_none) {
  const TemporaryDirectory directory;
  ASSERT_TRUE(base::write_file(directory / "a.conf", R"({"name":"a","type":"x"})"));
  ASSERT_TRUE(base::write_file(directory / "b.conflist", R"({"name":"b","plugins":[{"type":"x"}]})"));
  ASSERT_TRUE(base::write_file(directory / "noext", R"({"name":"c","type":"x"})"));
  ASSERT_TRUE(base::write_file(directory / "bad.conf", "{"));
  ASSERT_TRUE(base::write_file(directory / ".hidden", "{"));
  ASSERT_TRUE(base::write_file(directory / "d1.conf", R"({"name":"d","type":"x"})"));
  ASSERT_TRUE(base::write_file(directory / "d2.conf", R"({"name":"d","type":"y"})"));
  const auto configured = load_networks(directory.path());
  std::vector<std::string> names;
  for (const auto& [name, config] : configured.networks) names.push_back(name);
  EXPECT_EQ(names, (std::vector<std::string>{"a", "b", "c"}));
  ASSERT_EQ(configured.problems.size(), 2u);
  EXPECT_NE(configured.problems[0].find("bad.conf"), std::string::npos);
  EXPECT_NE(configured.problems[1].find("d1.conf and in d2.conf"), std::string::npos);
}

TEST(CniResult, is_read_in_every_version) {
  const GivenAddress four{"10.1.0.2", 16, false}, six{"fd00::2", 64, true};
  const auto old =
      parse_cni_result(
          R"({"cniVersion":"0.2.0","ip4":{"ip":"10.1.0.2/16"},"ip6":{"ip":"fd00::2/64"},"dns":{"nameservers":["10.1.0.1"]}})",
          "eth0")
          .value();
  EXPECT_EQ(old.addresses, (std::vector<GivenAddress>{four, six}));
  EXPECT_EQ(old.dns.nameservers, std::vector<std::string>{"10.1.0.1"});
  const auto middle =
      parse_cni_result(
          R"({"cniVersion":"0.4.0","interfaces":[{"name":"cni0"},{"name":"veth1"},{"name":"eth0","sandbox":"/ns"}],
      "ips":[{"version":"4","interface":2,"address":"10.1.0.2/16"},{"version":"4","interface":0,"address":"10.1.0.1/16"}]})",
          "eth0")
          .value();
  EXPECT_EQ(middle.addresses, std::vector<GivenAddress>{four});
  EXPECT_EQ(middle.host_links, (std::vector<std::string>{"cni0", "veth1"}));
  const auto now = parse_cni_result(R"({"cniVersion":"1.0.0","ips":[{"address":"fd00::2/64"}]})", "eth0").value();
  EXPECT_EQ(now.addresses, std::vector<GivenAddress>{six});
  EXPECT_TRUE(parse_cni_result(" \n", "eth0")->addresses.empty());
}

TEST(CniResult, that_is_garbage_is_an_error) {
  for (const char* text : {"garbage", "[]", R"({"ips":{}})", R"({"ips":[{"address":"10.1.0.2"}]})",
                           R"({"ips":[{"address":"10.1.0.2/99"}]})", R"({"ip4":{"ip":"x/8"}})", R"({"ip4":{"ip":7}})"})
    EXPECT_FALSE(parse_cni_result(text, "eth0")) << text;
}

TEST(CniResult, errors_are_told_in_the_plugins_words) {
  EXPECT_EQ(describe_cni_error(R"({"code":11,"msg":"no address","details":"pool"})", ""), "no address (code 11): pool");
  EXPECT_EQ(describe_cni_error("bang", "why\n"), "stdout 'bang', stderr 'why'");
  EXPECT_EQ(describe_cni_error("", ""), "it said nothing");
  EXPECT_LT(describe_cni_error(std::string(100'000, 'x'), std::string(100'000, 'y')).size(), 1200u);
}

TEST(PluginInput, tells_a_plugin_what_it_asks_for) {
  Link link;
  link.config = parse_network_config(R"({"cniVersion":"0.4.0","name":"n","plugins":[{"type":"p","args":{"mine":1},
      "capabilities":{"portMappings":true,"ips":true,"mac":true}},{"type":"q"}]})")
                    .value();
  link.wish.info.set_name("n");
  auto* label = link.wish.info.mutable_labels()->add_labels();
  label->set_key("tier");
  label->set_value(std::string(70, 'x'));  // longer than some plugins' labels may be
  auto* mapping = link.wish.info.add_port_mappings();
  mapping->set_host_port(31000);
  mapping->set_container_port(80);
  link.wish.info.add_ip_addresses()->set_ip_address("10.1.0.9");
  link.wish.mac = "02:00:00:00:00:01";
  const std::string first = render_plugin_input(link, link.config.plugins[0], "");
  for (const char* piece :
       {R"("name":"n")", R"("cniVersion":"0.4.0")", R"("mine":1)", R"("hostPort":31000)", R"("containerPort":80)",
        R"("protocol":"tcp")", R"("ips":["10.1.0.9"])", R"("mac":"02:00:00:00:00:01")",
        R"("org.apache.mesos":{"network_info":{)", R"("key":"tier")"})
    EXPECT_NE(first.find(piece), std::string::npos) << piece << " in " << first;
  EXPECT_EQ(first.find("prevResult"), std::string::npos);
  const std::string second = render_plugin_input(link, link.config.plugins[1], R"({"ips":[]})");
  EXPECT_NE(second.find(R"("prevResult":{"ips":[]})"), std::string::npos);
  EXPECT_EQ(second.find("runtimeConfig"), std::string::npos);
}

TEST(NetworkFiles, name_the_container_at_its_addresses) {
  EXPECT_EQ(
      render_hosts("web", {{"10.1.0.2", 16, false}, {"fd00::2", 64, true}}, {"10.0.0.7\tdb"}),
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.1.0.2\tweb\nfd00::2\tweb\n10.0.0.7\tdb\n");
  EXPECT_NE(render_hosts("web", {}, {}).find("127.0.0.1\tweb\n"), std::string::npos);
}

TEST(NetworkFiles, ask_the_nearest_name_server) {
  const DnsSettings none, plugins{{"10.1.0.1"}, {"p"}, {}}, operators{{"198.51.100.1"}, {}, {"timeout:2"}},
      asked{{"8.8.8.8"}, {}, {}};
  EXPECT_EQ(choose_resolv_conf(asked, plugins, &operators, "m\n", ""), "search p\nnameserver 8.8.8.8\n");
  EXPECT_EQ(choose_resolv_conf(none, plugins, &operators, "m\n", ""), "search p\nnameserver 10.1.0.1\n");
  EXPECT_EQ(choose_resolv_conf(none, none, &operators, "m\n", ""), "nameserver 198.51.100.1\noptions timeout:2\n");
  EXPECT_EQ(choose_resolv_conf(none, none, nullptr, "# c\nsearch a b\nnameserver 9.9.9.9\n", ""),
            "search a b\nnameserver 9.9.9.9\n");
}

TEST(NetworkFiles, a_name_server_on_the_machine_is_asked_at_the_gateway) {
  const DnsSettings none, operators{{"127.53.0.1", "127.53.0.2", "9.9.9.9"}, {}, {}};
  EXPECT_EQ(choose_resolv_conf(none, none, &operators, "", "172.31.254.1"),
            "nameserver 172.31.254.1\nnameserver 9.9.9.9\n");
  EXPECT_EQ(choose_resolv_conf(none, none, &operators, "", ""), "nameserver 9.9.9.9\n");
  EXPECT_EQ(loopback_server(operators), "127.53.0.1");
  EXPECT_EQ(loopback_server({{"9.9.9.9"}, {}, {}}), "");
}

IpamConfig ipam_in(const std::string& directory, const std::string& last = "10.1.0.4") {
  Range range{Subnet::parse("10.1.0.0/24").value(), IpAddress::parse("10.1.0.1").value(),
              IpAddress::parse(last).value(), IpAddress::parse("10.1.0.1").value()};
  return {directory, {{range}}};
}

std::string leased(const Result<std::vector<Lease>>& leases) {
  return leases ? leases->front().address.text() : leases.error().message;
}

TEST(Ipam, gives_each_address_once_and_lets_it_rest) {
  const TemporaryDirectory directory;
  const IpamConfig config = ipam_in(directory.path());
  EXPECT_EQ(leased(lease_addresses(config, "a", "eth0", {})), "10.1.0.2");
  EXPECT_EQ(leased(lease_addresses(config, "b", "eth0", {})), "10.1.0.3");
  ASSERT_TRUE(release_addresses(config.directory, "a", "eth0"));
  EXPECT_EQ(leased(lease_addresses(config, "c", "eth0", {})), "10.1.0.4");
  EXPECT_EQ(leased(lease_addresses(config, "d", "eth0", {})), "10.1.0.2");
  EXPECT_NE(leased(lease_addresses(config, "e", "eth0", {})).find("no address is left in 10.1.0.0/24"),
            std::string::npos);
  // As the plugin host-local writes and reads them.
  EXPECT_EQ(base::read_file(directory / "10.1.0.2").value(), "d\r\neth0");
  EXPECT_EQ(base::read_file(directory / "last_reserved_ip.0").value(), "10.1.0.2");
}

TEST(Ipam, gives_an_address_that_is_asked_for_or_none) {
  const TemporaryDirectory directory;
  IpamConfig config = ipam_in(directory.path(), "10.1.0.9");
  const auto wish = [](const char* text) { return std::vector<IpAddress>{IpAddress::parse(text).value()}; };
  EXPECT_EQ(leased(lease_addresses(config, "a", "eth0", wish("10.1.0.7"))), "10.1.0.7");
  EXPECT_NE(leased(lease_addresses(config, "b", "eth0", wish("10.1.0.7"))).find("is taken"), std::string::npos);
  EXPECT_NE(leased(lease_addresses(config, "b", "eth0", wish("10.2.0.7"))).find("none of the network's ranges"),
            std::string::npos);
  EXPECT_NE(leased(lease_addresses(config, "b", "eth0", wish("10.1.0.1"))).find("none of the network's ranges"),
            std::string::npos);
  // Nothing is held after an error.
  int leases = 0;
  const auto names = base::list_directory(directory.path()).value();
  for (const auto& name : names) leases += IpAddress::parse(name) ? 1 : 0;
  EXPECT_EQ(leases, 1);
}

TEST(Ipam, walks_through_several_ranges_and_families) {
  const TemporaryDirectory directory;
  const auto range = [](const char* subnet, const char* first, const char* last, const char* gateway) {
    return Range{Subnet::parse(subnet).value(), IpAddress::parse(first).value(), IpAddress::parse(last).value(),
                 IpAddress::parse(gateway).value()};
  };
  const IpamConfig config{directory.path(),
                          {{range("10.1.0.0/24", "10.1.0.9", "10.1.0.9", "10.1.0.1"),
                            range("10.2.0.0/24", "10.2.0.8", "10.2.0.9", "10.2.0.1")},
                           {range("fd00::/64", "fd00::2", "fd00::ff", "fd00::1")}}};
  std::set<std::string> seen;
  for (const char* id : {"a", "b", "c"}) {
    const auto leases = lease_addresses(config, id, "eth0", {});
    ASSERT_TRUE(leases) << leases.error().message;
    ASSERT_EQ(leases->size(), 2u);
    EXPECT_TRUE(leases->at(1).address.v6);
    seen.insert(leases->at(0).address.text());
  }
  EXPECT_EQ(seen, (std::set<std::string>{"10.1.0.9", "10.2.0.8", "10.2.0.9"}));
  EXPECT_FALSE(lease_addresses(config, "d", "eth0", {}));
}

TEST(BridgeConfig, of_the_original_is_built_in) {
  const auto config =
      parse_bridge(
          R"({"name":"mesos-bridge","cniVersion":"0.3.1","type":"bridge","bridge":"ucr-br0","isDefaultGateway":true,
      "forceAddress":false,"ipMasq":true,"mtu":1420,"hairpinMode":true,"ipam":{"type":"host-local","dataDir":"/var/run/dcos/cni/networks",
      "subnet":"172.31.254.0/24","routes":[{"dst":"0.0.0.0/0"}]}})")
          .value();
  ASSERT_TRUE(config);
  EXPECT_EQ(config->bridge, "ucr-br0");
  EXPECT_EQ(config->mtu, 1420u);
  EXPECT_TRUE(config->default_gateway && config->masquerade && config->hairpin);
  EXPECT_EQ(config->ipam.directory, "/var/run/dcos/cni/networks/mesos-bridge");
  const Range& range = config->ipam.sets.at(0).at(0);
  EXPECT_EQ(range.first.text() + " " + range.last.text() + " " + range.gateway.text(),
            "172.31.254.1 172.31.254.254 172.31.254.1");
  EXPECT_EQ(config->routes.size(), 1u);
}

TEST(BridgeConfig, that_says_more_is_the_plugins) {
  for (const char* text :
       {R"({"name":"a","bridge":"b","vlan":7,"ipam":{"type":"host-local","subnet":"10.0.0.0/24"}})",
        R"({"name":"a","bridge":"b","ipam":{"type":"dhcp"}})", R"({"name":"a","bridge":"b"})",
        R"({"name":"a","bridge":"b","ipam":{"type":"host-local","subnet":"10.0.0.0/24","resolvConf":"/x"}})"})
    EXPECT_FALSE(parse_bridge(text).value().has_value()) << text;
  for (const char* text :
       {R"({"name":"a","bridge":"b/c","ipam":{"type":"host-local","subnet":"10.0.0.0/24"}})",
        R"({"name":"a","bridge":"b","ipam":{"type":"host-local","subnet":"10.0.0.1/24"}})",
        R"({"name":"a","bridge":"b","ipam":{"type":"host-local"}})",
        R"({"name":"a","bridge":"b","ipam":{"type":"host-local","subnet":"10.0.0.0/24","gateway":"10.9.0.1"}})",
        R"({"name":"a","bridge":"b","mtu":"x","ipam":{"type":"host-local","subnet":"10.0.0.0/24"}})"})
    EXPECT_FALSE(parse_bridge(text)) << text;
}

TEST(BridgeConfig, its_result_is_one_that_plugins_print) {
  for (const char* version : {"0.2.0", "0.3.1", "0.4.0", "1.0.0"}) {
    Link link;
    link.interface = "eth0";
    link.network_file = "/ns";
    link.config =
        parse_network_config(R"({"name":"n","type":"x","cniVersion":")" + std::string(version) + "\"}").value();
    BridgeConfig config;
    config.bridge = "br0";
    config.cni_version = version;
    const Range range{Subnet::parse("10.1.0.0/16").value(), {}, {}, IpAddress::parse("10.1.0.1").value()};
    const auto parsed = parse_cni_result(
        render_bridge_result(config, link,
                             {"veth1", "0a:58:0a:01:00:02", {{IpAddress::parse("10.1.0.2").value(), range}}}),
        "eth0");
    ASSERT_TRUE(parsed) << parsed.error().message;
    EXPECT_EQ(parsed->addresses, (std::vector<GivenAddress>{{"10.1.0.2", 16, false}})) << version;
  }
  EXPECT_EQ(host_link_name("c", "eth0"), host_link_name("c", "eth0"));
  EXPECT_NE(host_link_name("c", "eth0"), host_link_name("c", "eth1"));
  EXPECT_LT(host_link_name("c", "eth0").size(), 16u);
}

TEST(NetworkRecord, comes_back_as_it_was) {
  Record record{"c", "web", {}};
  Link link;
  link.container = "c";
  link.interface = "eth0";
  link.config = parse_network_config(R"({"name":"n","type":"x","cniVersion":"0.4.0"})").value();
  link.wish.info.set_name("n");
  link.wish.mac = "02:00:00:00:00:01";
  link.result = R"({"ips":[{"address":"10.1.0.2/16"}]})";
  record.links.push_back(link);
  const auto again = parse_record(render_record(record)).value();
  EXPECT_EQ(again.host_name, "web");
  ASSERT_EQ(again.links.size(), 1u);
  EXPECT_EQ(again.links[0].config.plugins[0].type, "x");
  EXPECT_EQ(network_info(again.links[0]).ip_addresses(0).ip_address(), "10.1.0.2");
  EXPECT_FALSE(parse_record("{}"));
}

}  // namespace
}  // namespace containerizer::network
