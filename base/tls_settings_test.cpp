#include <gtest/gtest.h>

#include "base/tls_settings.hpp"

namespace base {
namespace {

struct Given {
  std::vector<const char*> arguments{};
  FlagTable::Environment environment{};
};

Result<TlsSettings> settings(const Given& given) {
  FlagTable table("daemon", "A daemon.", "MESOS_");
  TlsFlags flags;
  flags.add_to(table);
  std::vector<const char*> argv{"daemon"};
  argv.insert(argv.end(), given.arguments.begin(), given.arguments.end());
  const auto read = [](const std::string&) -> Result<std::string> { return not_found("no file"); };
  if (Status parsed = table.parse(static_cast<int>(argv.size()), argv.data(), given.environment, read); !parsed)
    return parsed.error();
  return flags.settings(given.environment);
}

TEST(TlsSettings, come_from_flags_and_from_the_variables_of_the_original) {
  const auto none = settings({});
  ASSERT_TRUE(none) << none.error().message;
  EXPECT_FALSE(none->enabled);
  EXPECT_FALSE(none->verify_server);

  const auto by_flags = settings({{"--ssl_cert_file=/c", "--ssl_key_file=/k", "--ssl_ca_file=/a"}, {}});
  ASSERT_TRUE(by_flags) << by_flags.error().message;
  EXPECT_TRUE(by_flags->enabled);
  EXPECT_TRUE(by_flags->verify_server);
  EXPECT_FALSE(by_flags->verify_client);

  const auto by_original = settings({{}, {{"LIBPROCESS_SSL_ENABLED", "1"}, {"LIBPROCESS_SSL_CERT_FILE", "/c"},
                                          {"LIBPROCESS_SSL_KEY_FILE", "/k"}, {"LIBPROCESS_SSL_REQUIRE_CERT", "true"},
                                          {"LIBPROCESS_SSL_SUPPORT_DOWNGRADE", "true"}, {"LIBPROCESS_SSL_VERIFY_DEPTH", "2"},
                                          {"LIBPROCESS_SSL_ENABLE_TLS_V1_0", "false"}, {"SSL_CERT_FILE", "/etc/ssl/bundle"}}});
  ASSERT_TRUE(by_original) << by_original.error().message;
  EXPECT_TRUE(by_original->enabled);
  EXPECT_TRUE(by_original->support_downgrade);
  EXPECT_TRUE(by_original->require_client);
  EXPECT_TRUE(by_original->verify_client);
  EXPECT_FALSE(by_original->verify_server);
  EXPECT_EQ(by_original->cert_file, "/c");
  EXPECT_EQ(by_original->verify_depth, 2);

  const auto legacy = settings({{}, {{"SSL_ENABLED", "true"}, {"SSL_CERT_FILE", "/c"}, {"SSL_KEY_FILE", "/k"}, {"SSL_VERIFY_CERT", "1"}}});
  ASSERT_TRUE(legacy) << legacy.error().message;
  EXPECT_EQ(legacy->cert_file, "/c");
  EXPECT_TRUE(legacy->verify_server);
  EXPECT_TRUE(legacy->verify_client);
  EXPECT_FALSE(legacy->require_client);

  // OpenSSL's own variable for the system's bundle is no certificate of ours.
  const auto bundle = settings({{}, {{"SSL_CERT_FILE", "/etc/ssl/bundle"}}});
  ASSERT_TRUE(bundle) << bundle.error().message;
  EXPECT_EQ(bundle->cert_file, "");
}

TEST(TlsSettings, given_by_a_flag_win_over_the_environment) {
  const FlagTable::Environment environment{{"MESOS_SSL_KEY_FILE", "/k1"}, {"LIBPROCESS_SSL_KEY_FILE", "/k2"},
                                           {"LIBPROCESS_SSL_CERT_FILE", "/c2"}, {"LIBPROCESS_SSL_ENABLED", "true"}};
  const auto mixed = settings({{"--ssl_cert_file=/c0", "--no-ssl_enabled"}, environment});
  ASSERT_TRUE(mixed) << mixed.error().message;
  EXPECT_FALSE(mixed->enabled);
  EXPECT_EQ(mixed->cert_file, "/c0");
  EXPECT_EQ(mixed->key_file, "/k1");
}

TEST(TlsSettings, name_what_is_wrong) {
  struct Case {
    Given given;
    const char* words;
  };
  const Case cases[] = {
      {{{"--ssl_enabled"}, {}}, "without a certificate"},
      {{{"--ssl_cert_file=/c"}, {}}, "LIBPROCESS_SSL_KEY_FILE"},
      {{{"--ssl_key_file=/k"}, {}}, "--ssl_cert_file"},
      {{{}, {{"LIBPROCESS_SSL_ENABLED", "yes"}}}, "LIBPROCESS_SSL_ENABLED"},
      {{{}, {{"LIBPROCESS_SSL_ENABLE_TLS_V1_1", "1"}}}, "TLS 1.2 is the oldest"},
      {{{"--ssl_verify_depth=-1"}, {}}, "--ssl_verify_depth"},
      {{{"--no-ssl_enable_tls_v1_2", "--no-ssl_enable_tls_v1_3"}, {}}, "neither TLS 1.2 nor"},
  };
  for (const Case& c : cases) {
    const auto result = settings(c.given);
    ASSERT_FALSE(result) << c.words;
    EXPECT_NE(result.error().message.find(c.words), std::string::npos) << result.error().message;
  }
}

}  // namespace
}  // namespace base
