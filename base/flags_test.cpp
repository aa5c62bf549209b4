#include "base/flags.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

struct Table {
  std::string work_dir;
  uint16_t port = 5050;
  bool quiet = false;
  Duration ping = seconds(15);
  std::optional<std::string> cluster;
  Bytes cache{uint64_t{2} << 30};
  std::string secret = "s3cret";
  FlagTable flags{"dcos-x", "Does x.", "MESOS_"};

  Table() {
    flags.add(&work_dir, "work_dir", "Where state lives.", {.required = true});
    flags.add(&port, "port", "Port.");
    flags.add(&quiet, "quiet", "Less.");
    flags.add(&ping, "agent_ping_timeout", "Ping.", {.aliases = {"slave_ping_timeout"}});
    flags.add(&cluster, "cluster", "Name.", {.from_file = true});
    flags.add(&cache, "cache", "Size.");
    flags.add(&secret, "secret", "Hidden.", {.secret = true});
  }

  Status parse(std::vector<const char*> words, FlagTable::Environment environment = {}) {
    words.insert(words.begin(), "dcos-x");
    return flags.parse(static_cast<int>(words.size()), words.data(), environment,
                       [](const std::string& path) -> Result<std::string> {
                         if (path == "/etc/name") return std::string("east");
                         return not_found("no file " + path);
                       });
  }
};

TEST(Flags, take_values_from_arguments) {
  Table t;
  ASSERT_TRUE(t.parse(
      {"--work_dir=/w", "--port=1", "--quiet", "--agent_ping_timeout=1.5mins", "--cache=512MB"}));
  EXPECT_EQ(t.work_dir, "/w");
  EXPECT_EQ(t.port, 1);
  EXPECT_TRUE(t.quiet);
  EXPECT_EQ(t.ping, seconds(90));
  EXPECT_EQ(t.cache.value, uint64_t{512} << 20);
}

TEST(Flags, take_the_environment_and_let_arguments_win) {
  Table t;
  ASSERT_TRUE(t.parse({"--port=7", "--no-quiet"},
                      {{"MESOS_WORK_DIR", "/e"}, {"MESOS_PORT", "6"}, {"MESOS_QUIET", "true"}}));
  EXPECT_EQ(t.work_dir, "/e");
  EXPECT_EQ(t.port, 7);
  EXPECT_FALSE(t.quiet);
}

TEST(Flags, accept_an_alias_but_not_two_names_of_one_flag) {
  Table a;
  ASSERT_TRUE(a.parse({"--work_dir=/w", "--slave_ping_timeout=20secs"}));
  EXPECT_EQ(a.ping, seconds(20));
  Table b;
  EXPECT_FALSE(
      b.parse({"--work_dir=/w", "--slave_ping_timeout=20secs", "--agent_ping_timeout=20secs"}));
}

TEST(Flags, read_a_file_where_the_flag_says_so) {
  Table t;
  ASSERT_TRUE(t.parse({"--work_dir=/w", "--cluster=file:///etc/name"}));
  EXPECT_EQ(t.cluster, "east");
}

TEST(Flags, refuse_with_the_flag_and_the_fix) {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases = {
      {{}, "flag --work_dir is required"},
      {{"--work_dir=/w", "--port=70000"}, "flag --port: '70000' is out of range"},
      {{"--work_dir=/w", "--port=abc"}, "flag --port: 'abc' is not a non-negative integer"},
      {{"--work_dir=/w", "--nope"}, "unknown flag --nope"},
      {{"--work_dir=/w", "--no-port"}, "unknown flag --no-port"},
      {{"--work_dir=/w", "--port"}, "flag --port needs a value"},
      {{"--work_dir=/w", "word"}, "'word' is not a flag"},
      {{"--work_dir=/w", "--quiet=maybe"}, "neither true nor false"},
      {{"--work_dir=/w", "--cluster=file:///none"}, "flag --cluster: no file /none"},
  };
  for (const auto& [words, message] : cases) {
    Table t;
    const Status status = t.parse(words);
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find(message), std::string::npos) << status.error().message;
  }
}

TEST(Flags, show_effective_values_without_secrets_and_unset_ones) {
  Table t;
  ASSERT_TRUE(t.parse({"--work_dir=/w"}));
  const std::map<std::string, std::string> expected = {{"agent_ping_timeout", "15secs"},
                                                       {"cache", "2GB"},
                                                       {"port", "5050"},
                                                       {"quiet", "false"},
                                                       {"work_dir", "/w"}};
  EXPECT_EQ(t.flags.effective(), expected);
}

TEST(Flags, help_names_every_flag_with_its_default) {
  Table t;
  ASSERT_TRUE(t.parse({"--help"}));
  EXPECT_TRUE(t.flags.help_requested());
  const std::string help = t.flags.help();
  EXPECT_NE(help.find("--agent_ping_timeout=VALUE   (default: 15secs)"), std::string::npos) << help;
  EXPECT_NE(help.find("--work_dir=VALUE   (required)"), std::string::npos) << help;
}

}  // namespace
}  // namespace base
