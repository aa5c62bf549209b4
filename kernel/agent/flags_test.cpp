// The flag table: the original's names, from arguments and MESOS_* variables; what this build lacks is refused by name.

#include "kernel/agent/flags.hpp"

#include "kernel/agent/modules.hpp"

#include <gtest/gtest.h>

namespace agent {
namespace {

using Environment = base::FlagTable::Environment;

/// What is wrong with these words; empty: nothing.
std::string problem(std::vector<std::string> words, const Environment& environment = {}, Flags* out = nullptr) {
  Flags own;
  Flags& flags = out == nullptr ? own : *out;
  words.insert(words.begin(), "dcos-agent");
  std::vector<const char*> arguments;
  for (const auto& word : words) arguments.push_back(word.c_str());
  const auto parsed = flags.parse(static_cast<int>(arguments.size()), arguments.data(), environment,
                                  [](const std::string& path) -> base::Result<std::string> { return "content of " + path; });
  return parsed ? "" : parsed.error().message;
}

std::string with(std::vector<std::string> more) {
  more.insert(more.begin(), {"--master=127.0.0.1:5050", "--work_dir=/work"});
  return problem(std::move(more));
}

TEST(AgentFlags, are_read_from_arguments_and_variables_and_arguments_win) {
  Flags flags;
  EXPECT_EQ(problem({"--port=6000", "--no-hostname_lookup", "--gc_delay=2hrs", "--jwt_secret_key=file:///key", "--ip=10.0.0.1"},
                    {{"MESOS_MASTER", "zk://a:1,b:2/mesos"}, {"MESOS_WORK_DIR", "/w"}, {"MESOS_PORT", "7000"},
                     {"MESOS_SWITCH_USER", "false"}, {"PATH", "/bin"}},
                    &flags),
            "");
  EXPECT_EQ(flags.master, "zk://a:1,b:2/mesos");
  EXPECT_EQ(flags.work_dir, "/w");
  EXPECT_EQ(flags.port, 6000);
  EXPECT_FALSE(flags.hostname_lookup);
  EXPECT_FALSE(flags.switch_user);
  EXPECT_EQ(flags.gc_delay, base::hours(2));
  EXPECT_EQ(flags.jwt_secret_key, "content of /key");
  const auto shown = flags.effective();
  EXPECT_EQ(shown.at("port"), "6000");
  EXPECT_EQ(shown.at("gc_delay"), "2hrs");
  EXPECT_EQ(shown.at("switch_user"), "false");
  EXPECT_FALSE(shown.contains("jwt_secret_key")) << "a secret";
  EXPECT_FALSE(shown.contains("attributes")) << "not given";
  EXPECT_EQ(problem({"--executor_secret_key=file:///key", "--master=a:1", "--work_dir=/w"}), "") << "its older name";
}

TEST(AgentFlags, of_functions_that_are_absent_are_taken_at_their_defaults_alone) {
  EXPECT_EQ(with({"--authenticatee=crammd5", "--no-memory_profiling", "--http_authenticators=basic", "--docker=docker",
                  "--authorizer=local"}),
            "");
  // What says nothing here may say anything.
  EXPECT_EQ(with({"--no-systemd_enable_support", "--quiet", "--logbufsecs=5", "--executor_reregistration_retry_interval=1secs",
                  "--systemd_runtime_directory=/run/x", "--no-initialize_driver_logging"}),
            "");
  for (const std::string flag : {"--hooks=x", "--resource_estimator=x", "--memory_profiling", "--appc_store_dir=/x", "--ip6=::1",
                                 "--volume_gid_range=[1-2]", "--perf_events=cycles", "--docker_volume_chown"}) {
    const std::string name = flag.substr(0, flag.find('='));
    EXPECT_TRUE(with({flag}).starts_with(name)) << with({flag});
    EXPECT_NE(with({flag}).find("not supported by this build"), std::string::npos) << with({flag});
  }
}

TEST(AgentFlags, that_make_no_sense_are_refused_by_name) {
  const std::pair<const char*, const char*> cases[] = {
      {"--unheard_of=1", "unheard_of"},
      {"--port=70000", "port"},
      {"--isolation=cgroups/none", "cgroups/none"},
      {"--recover=never", "--recover"},
      {"--reconfiguration_policy=any", "--reconfiguration_policy"},
      {"--executor_reregistration_timeout=16secs", "--executor_reregistration_timeout"},
      {"--launcher=windows", "--launcher"},
      {"--cgroups_root=../x", "--cgroups_root"},
      {"--gc_disk_headroom=1.5", "--gc_disk_headroom"},
      {"--containerizers=docker", "--containerizers"},
      {"--authenticate_http_readwrite", "--http_credentials"},
      {"--authenticate_http_executors", "--jwt_secret_key"},
      {"--jwt_secret_key= ", "--jwt_secret_key"},
      {"--network_cni_plugins_dir=/x", "--network_cni_config_dir"},
      {"--docker_parallel_downloads=0", "--docker_parallel_downloads"},
      {"--csi_plugin_config_dir=/x", "the isolator volume/csi and --csi_plugin_config_dir need each other"},
      {"--isolation=filesystem/linux,volume/csi", "need each other"},
      {"--isolation=volume/csi", "volume/csi needs filesystem/linux"},
      {"--http_heartbeat_interval=1ms", "--http_heartbeat_interval"},
      {"--domain_socket_location=relative", "--domain_socket_location"},
      {"--default_container_info={\"type\":\"NONE\"}", "default_container_info"},
      {"--agent_features={\"capabilities\":[{\"type\":\"MULTI_ROLE\"}]}", "HIERARCHICAL_ROLE is required"},
      {"--agent_features={\"capabilities\":[{\"type\":\"FLYING\"}]}", "no capability 'FLYING'"},
      {"--agent_features={}", "capabilities"},
      {"--secret_command=program", "absolute path"},
      {"--logging_level=LOUD", "--logging_level"}};
  for (const auto& [flag, words] : cases) EXPECT_NE(with({flag}).find(words), std::string::npos) << flag << ": " << with({flag});
  EXPECT_NE(problem({"--master=a:1"}).find("work_dir"), std::string::npos);
  EXPECT_NE(problem({"--master=a:1", "--work_dir=w"}).find("--work_dir must be an absolute path"), std::string::npos);
  EXPECT_NE(problem({"--work_dir=/w"}).find("master"), std::string::npos);
}

TEST(AgentFlags, say_where_profiles_of_disks_are) {
  const auto source = [](const std::string& parameters) {
    const auto modules = parse_modules(R"({"libraries":[{"modules":[{"name":"org_apache_mesos_UriDiskProfileAdaptor","parameters":[)" +
                                       parameters + "]}]}]}");
    return disk_profiles(kUriProfiles, *modules);
  };
  const auto url = source(R"({"key":"uri","value":"https://h/p.json"},{"key":"poll_interval","value":"5secs"},)"
                          R"({"key":"max_random_wait","value":"1mins"})");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_TRUE(url->remote());
  EXPECT_EQ(url->poll_interval, base::seconds(5));
  EXPECT_EQ(url->max_random_wait, base::minutes(1));
  EXPECT_EQ(source(R"({"key":"uri","value":"file:///p.json"})")->place, "/p.json");
  EXPECT_FALSE(source(R"({"key":"uri","value":"file:///p.json"})")->remote());
  EXPECT_FALSE(source(R"({"key":"uri","value":"ftp://h/p.json"})"));
  EXPECT_FALSE(source(R"({"key":"uri","value":"/p"},{"key":"max_random_wait","value":"soon"})"));
}

}  // namespace
}  // namespace agent
