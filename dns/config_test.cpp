#include "dns/config.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>

namespace dns {
namespace {

base::Result<Config> load(const std::string& json, const std::string& resolv_conf = "") {
  auto config = Config::parse(json);
  if (!config) return config;
  if (auto status = config->finish(resolv_conf); !status) return status.error();
  return config;
}

TEST(Config, has_the_defaults_of_the_original) {
  const auto config = load(R"({"masters":["10.0.0.1:5050"]})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->domain, "mesos");
  EXPECT_EQ(config->port, 53);
  EXPECT_EQ(config->ttl, 60u);
  EXPECT_EQ(config->http_port, 8123);
  EXPECT_EQ(config->resolvers, std::vector<std::string>{"8.8.8.8"});
  EXPECT_EQ(config->ip_sources, (std::vector<std::string>{"netinfo", "mesos", "host"}));
  EXPECT_TRUE(config->set_truncate_bit);
}

TEST(Config, takes_keys_in_any_case_and_ignores_unknown_ones) {
  const auto config = load(R"({"MASTERS":["m:5050"],"RefreshSECONDS":30,"soamname":"Root.NS1@Mesos.","email":"x@y","ns":1,
      "ENFORCErfc952":true,"ipsources":["host","netinfo"],"zoneResolvers":{"Weave":["10.0.0.1"]},"ttl":null})");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->refresh_seconds, 30u);
  EXPECT_EQ(config->soa_mname, "root.ns1.mesos");
  EXPECT_TRUE(config->enforce_rfc952);
  EXPECT_EQ(config->zone_resolvers.count("weave"), 1u);
  EXPECT_EQ(config->records({}).rules.sources, (std::vector<IpSource>{IpSource::Host, IpSource::NetInfo}));
}

TEST(Config, refuses_what_is_wrong_and_names_the_field) {
  const std::string masters = R"("masters":["10.0.0.1:5050"],)";
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"[]", "JSON object"},
      {"{", ""},
      {"{}", "masters"},
      {R"({"zk":"zk://h:2181/mesos"})", "zk"},
      {R"({"masters":["a:1","a:1"]})", "masters"},
      {R"({"masters":"a:1"})", "masters"},
      {"{" + masters + R"("ttl":-1})", "ttl"},
      {"{" + masters + R"("ttl":"60"})", "ttl"},
      {"{" + masters + R"("port":70000})", "port"},
      {"{" + masters + R"("stateTimeoutSeconds":0})", "stateTimeoutSeconds"},
      {"{" + masters + R"("domain":"a..b"})", "domain"},
      {"{" + masters + R"("listener":"eth0"})", "listener"},
      {"{" + masters + R"("resolvers":["dns.example"]})", "resolvers"},
      {"{" + masters + R"("resolvers":["1.1.1.1","1.1.1.1:53"]})", "twice"},
      {"{" + masters + R"("IPSources":[]})", "IPSources"},
      {"{" + masters + R"("IPSources":["host","host"]})", "IPSources"},
      {"{" + masters + R"("IPSources":["moon"]})", "IPSources"},
      {"{" + masters + R"("zoneResolvers":{"mesos":["1.1.1.1"]}})", "zoneResolvers"},
      {"{" + masters + R"("zoneResolvers":{"x.mesos":["1.1.1.1"]}})", "zoneResolvers"},
      {"{" + masters + R"("zoneResolvers":{"com":["1.1.1.1"],"abc.com":["1.1.1.1"]}})", "overlaps"},
      {"{" + masters + R"("zoneResolvers":{"com":[]}})", "zoneResolvers"},
      {"{" + masters + R"("dnson":false,"httpon":false})", "dnson"},
      {"{" + masters + R"("certFile":"/c"})", "keyFile"},
      {"{" + masters + R"("mesosAuthentication":"kerberos"})", "mesosAuthentication"},
      {"{" + masters + R"("mesosAuthentication":"basic"})", "mesosCredentials"},
      {"{" + masters + R"("mesosAuthentication":"iam"})", "iam"},
  };
  for (const auto& [json, field] : cases) {
    const auto config = load(json);
    ASSERT_FALSE(config) << json;
    EXPECT_NE(config.error().message.find(field), std::string::npos) << json << " -> " << config.error().message;
  }
  EXPECT_TRUE(load("{" + masters + R"("zoneResolvers":{"bc.com":["1.1.1.1"],"abc.com":["1.1.1.1"]}})"));
}

TEST(Config, takes_the_machine_s_resolvers_that_are_not_local_when_none_are_named) {
  const auto config = load(R"({"masters":["m:5050"],"resolvers":[]})",
                           "# comment\nsearch x\nnameserver 127.0.0.53\nnameserver 10.0.0.2\nnameserver\t10.0.0.3 \n"
                           "nameserver ::1\nnameserver fe80::1%eth0\nnameserver 10.0.0.2\n");
  ASSERT_TRUE(config);
  EXPECT_EQ(config->resolvers, (std::vector<std::string>{"10.0.0.2", "10.0.0.3", "fe80::1"}));
}

TEST(Config, shows_itself_without_secrets) {
  const auto config = load(R"({"masters":["m:5050"],"mesosAuthentication":"basic",
      "mesosCredentials":{"principal":"dns","secret":"hush"}})");
  ASSERT_TRUE(config) << config.error().message;
  const std::string text = config->render(7);
  EXPECT_EQ(text.find("hush"), std::string::npos);
  const auto shown = boost::json::parse(text).as_object();
  EXPECT_EQ(shown.size(), 38u);
  EXPECT_EQ(shown.at("SOASerial").as_int64(), 7);
  EXPECT_EQ(shown.at("SOAMname").as_string(), "ns1.mesos.");
}

}  // namespace
}  // namespace dns
