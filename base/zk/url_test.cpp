#include "base/zk/url.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "base/zk/group.hpp"

namespace base::zk {
namespace {

TEST(ZkUrl, is_read_in_every_form) {
  struct Row {
    const char *text, *servers, *path, *credentials;
  };
  for (const Row& row : std::initializer_list<Row>{
           {"zk://a:1/mesos", "a:1", "/mesos", ""},
           {"zk://a:1,b:2,c/x/y/", "a:1,b:2,c:2181", "/x/y", ""},
           {"zk://u:p@a:1/mesos", "a:1", "/mesos", "u:p"},
           {"zk://u:p:q@a:1/mesos", "a:1", "/mesos", "u:p:q"},
           {"zk://u:p@ss/w@a:1/mesos", "a:1", "/mesos", "u:p@ss/w"},
           {" zk://[::1]:2181/m\n", "[::1]:2181", "/m", ""},
           {"zk://a:1//m//n", "a:1", "/m/n", ""},
       }) {
    const auto url = parse_url(row.text);
    ASSERT_TRUE(url.has_value()) << row.text << ": " << url.error().message;
    EXPECT_EQ(url->servers, row.servers) << row.text;
    EXPECT_EQ(url->path, row.path) << row.text;
    EXPECT_EQ(url->credentials, row.credentials) << row.text;
  }
}

TEST(ZkUrl, that_is_wrong_is_refused_without_repeating_it) {
  for (const char* text : {"", "http://a:1/m", "zk://", "zk://a:1", "zk://a:1/", "zk:///m", "zk://a:1,,b:2/m", "zk://a:x/m",
                           "zk://a:0/m", "zk://a:70000/m", "zk://:1/m", "zk://u@a:1/m", "zk://:p@a:1/m", "zk://a:1/../m",
                           "zk://a:1/zookeeper/x", "zk://a:1/m\x01"}) {
    const auto url = parse_url(text);
    ASSERT_FALSE(url.has_value()) << text;
    EXPECT_EQ(url.error().message.find("u@a"), std::string::npos);
  }
}

TEST(ZkUrl, never_shows_a_password) {
  const auto url = parse_url("zk://admin:s3cret@a:1,b:2/mesos").value();
  EXPECT_EQ(url.redacted(), "zk://admin:***@a:1,b:2/mesos");
  EXPECT_EQ(parse_url("zk://a:1/mesos")->redacted(), "zk://a:1/mesos");
}

TEST(ZkUrl, survives_any_bytes) {
  Random random(4);
  const std::string alphabet = "zk:/@,.a1[]\x01\xff \n";
  for (int i = 0; i < 20'000; ++i) {
    std::string text = random.chance(0.8) ? "zk://" : "";
    for (uint64_t n = random.below(24); n > 0; --n) text += alphabet[random.below(alphabet.size())];
    if (const auto url = parse_url(text)) {
      EXPECT_FALSE(url->servers.empty());
      EXPECT_TRUE(url->path.starts_with('/') && !url->path.ends_with('/')) << text;
    }
  }
}

TEST(Group, reads_the_names_of_members) {
  EXPECT_EQ(parse_member("json.info_0000000131"), (MemberName{"json.info_0000000131", "json.info", 131}));
  EXPECT_EQ(parse_member("info_0000000002"), (MemberName{"info_0000000002", "info", 2}));
  EXPECT_EQ(parse_member("0000000007"), (MemberName{"0000000007", "", 7}));
  for (const char* name : {"log_replicas", "registry", "", "_", "json.info_", "json.info_12x", "a_99999999999999999999"}) {
    EXPECT_FALSE(parse_member(name)) << name;
  }
}

TEST(Group, is_led_by_the_lowest_number) {
  const std::vector<std::string> names = {"log_replicas", "json.info_0000000012", "info_0000000003", "json.info_0000000004"};
  EXPECT_EQ(find_first(names, {})->name, "info_0000000003");
  EXPECT_EQ(find_first(names, {"json.info"})->name, "json.info_0000000004");
  EXPECT_FALSE(find_first({"registry"}, {}));
  // The counter has overflowed: the negative one is the youngest.
  EXPECT_EQ(find_first({"json.info_-2147483648", "json.info_2147483647"}, {})->name, "json.info_2147483647");
}

}  // namespace
}  // namespace base::zk
