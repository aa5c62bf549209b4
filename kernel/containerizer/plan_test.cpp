#include "kernel/containerizer/plan.hpp"

#include <gtest/gtest.h>

#include "kernel/containerizer/fetcher/uri.hpp"
#include "kernel/containerizer/statistics.hpp"

namespace containerizer {
namespace {

ContainerSpec make_spec(const std::string& command) {
  ContainerSpec spec;
  spec.id = "c";
  spec.sandbox = "/sandbox";
  spec.command.set_value(command);
  return spec;
}

TEST(LaunchPlan, runs_a_shell_command_by_the_shell) {
  const auto order = plan_launch(make_spec("echo a"), true);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->program, "/bin/sh");
  EXPECT_EQ(order->arguments, (std::vector<std::string>{"sh", "-c", "echo a"}));
  EXPECT_EQ(order->output, "/sandbox/stdout");
}

TEST(LaunchPlan, takes_arguments_as_the_whole_vector) {
  ContainerSpec spec = make_spec("/bin/echo");
  spec.command.set_shell(false);
  EXPECT_EQ(plan_launch(spec, true)->arguments, std::vector<std::string>{"/bin/echo"});
  spec.command.add_arguments("zero");
  spec.command.add_arguments("one");
  EXPECT_EQ(plan_launch(spec, true)->program, "/bin/echo");
  EXPECT_EQ(plan_launch(spec, true)->arguments, (std::vector<std::string>{"zero", "one"}));
  spec.command.clear_value();
  EXPECT_FALSE(plan_launch(spec, true));
}

TEST(LaunchPlan, lets_the_commands_variables_win_and_adds_a_path) {
  ContainerSpec spec = make_spec("true");
  spec.environment = {{"A", "agent"}, {"B", "agent"}};
  auto* variable = spec.command.mutable_environment()->add_variables();
  variable->set_name("B");
  variable->set_value("task");
  const auto order = plan_launch(spec, true);
  EXPECT_EQ(order->environment.at("A"), "agent");
  EXPECT_EQ(order->environment.at("B"), "task");
  EXPECT_TRUE(order->environment.contains("PATH"));
  EXPECT_FALSE(order->environment.contains("HOME"));
}

TEST(LaunchPlan, refuses_by_name_what_this_build_cannot_do) {
  const auto refusal = [](auto change) {
    ContainerSpec spec = make_spec("true");
    spec.container.emplace().set_type(mesos::v1::ContainerInfo::MESOS);
    change(*spec.container);
    const auto order = plan_launch(spec, true);
    return order ? std::string("accepted") : order.error().message;
  };
  using mesos::v1::ContainerInfo;
  EXPECT_EQ(refusal([](ContainerInfo& info) { info.set_type(ContainerInfo::DOCKER); }),
            "a container of type DOCKER needs docker.image");
  EXPECT_EQ(refusal([](ContainerInfo&) {}), "accepted");
}

TEST(LaunchPlan, keeps_volumes_where_they_belong) {
  ContainerSpec spec = make_spec("true");
  spec.container.emplace().set_type(mesos::v1::ContainerInfo::MESOS);
  auto* volume = spec.container->add_volumes();
  volume->set_mode(mesos::v1::Volume::RO);
  volume->set_container_path("data");
  volume->set_host_path("/var/data");
  const auto order = plan_launch(spec, true);
  ASSERT_TRUE(order);
  EXPECT_EQ(order->mounts[0].target, "/sandbox/data");
  EXPECT_TRUE(order->mounts[0].read_only);
  EXPECT_FALSE(plan_launch(spec, false));
  volume->set_container_path("../../etc");
  EXPECT_FALSE(plan_launch(spec, true));
  volume->set_container_path("/a/../../etc");
  EXPECT_FALSE(plan_launch(spec, true));
}

TEST(LaunchPlan, checks_rlimits) {
  ContainerSpec spec = make_spec("true");
  spec.container.emplace().set_type(mesos::v1::ContainerInfo::MESOS);
  auto* limit = spec.container->mutable_rlimit_info()->add_rlimits();
  limit->set_type(mesos::v1::RLimitInfo::RLimit::RLMT_NOFILE);
  EXPECT_EQ(plan_launch(spec, true)->limits[0].soft, std::nullopt);
  limit->set_soft(20);
  EXPECT_FALSE(plan_launch(spec, true));
  limit->set_hard(10);
  EXPECT_FALSE(plan_launch(spec, true));
  limit->set_hard(20);
  EXPECT_EQ(plan_launch(spec, true)->limits[0].hard, 20U);
}

TEST(LaunchPlan, refuses_nul_in_what_goes_to_the_kernel) {
  launch::LaunchOrder order;
  EXPECT_FALSE(launch::encode_order(order));
  order.arguments = {std::string("a\0b", 3)};
  EXPECT_FALSE(launch::encode_order(order));
}

struct UriCase {
  std::string value, destination, source;
  fetcher::Unpack unpack;
};

TEST(Uris, give_destination_and_unpacking) {
  using fetcher::Unpack;
  const UriCase cases[] = {
      {"http://h/a/b.tar.gz?x=/y.zip#z", "b.tar.gz", "http://h/a/b.tar.gz?x=/y.zip#z", Unpack::Tar},
      {"HTTPS://h/app.tgz", "app.tgz", "HTTPS://h/app.tgz", Unpack::Tar},
      {"file:///tmp/data.gz", "data.gz", "/tmp/data.gz", Unpack::Gzip},
      {"file://localhost/tmp/a.zip", "a.zip", "/tmp/a.zip", Unpack::Zip},
      {"/opt/tool", "tool", "/opt/tool", Unpack::Nothing},
      {" /opt/tool.txz ", "tool.txz", "/opt/tool.txz", Unpack::Tar},
      {"rel/tool.tar.bz2", "tool.tar.bz2", "/home/rel/tool.tar.bz2", Unpack::Tar},
      {"http://h/a%20b.txt", "a b.txt", "http://h/a%20b.txt", Unpack::Nothing},
  };
  for (const auto& each : cases) {
    mesos::v1::CommandInfo::URI uri;
    uri.set_value(each.value);
    const auto plan = fetcher::plan_fetch(uri, "/home");
    ASSERT_TRUE(plan) << each.value;
    EXPECT_EQ(plan->destination, each.destination);
    EXPECT_EQ(plan->source, each.source);
    EXPECT_EQ(plan->unpack, each.unpack) << each.value;
  }
}

TEST(Uris, are_refused_when_they_lead_out_or_nowhere) {
  for (const char* value : {"", "http://h", "http://h/", "http://h/..", "http://h/%2e%2e", "ftp://h/a", "hdfs://h/a", "file://rel"}) {
    mesos::v1::CommandInfo::URI uri;
    uri.set_value(value);
    EXPECT_FALSE(fetcher::plan_fetch(uri, "")) << value;
  }
  for (const char* output : {"/etc/passwd", "../up", "a/../../b", ""}) {
    mesos::v1::CommandInfo::URI uri;
    uri.set_value("http://h/file");
    uri.set_output_file(output);
    EXPECT_FALSE(fetcher::plan_fetch(uri, "")) << output;
  }
}

TEST(Uris, of_programs_are_not_unpacked) {
  mesos::v1::CommandInfo::URI uri;
  uri.set_value("/opt/run.tar");
  uri.set_executable(true);
  EXPECT_EQ(fetcher::plan_fetch(uri, "")->unpack, fetcher::Unpack::Nothing);
}

TEST(Statistics, leave_out_what_is_not_known) {
  cgroups::Limits limits;
  limits.cpus = 0.6;
  limits.memory = 64 << 20;
  const auto statistics = make_statistics(limits, {}, 12.5);
  EXPECT_FALSE(statistics.has_mem_rss_bytes());
  EXPECT_FALSE(statistics.has_mem_limit_bytes());
  EXPECT_DOUBLE_EQ(statistics.cpus_limit(), 0.6);
}

TEST(Statistics, count_what_goes_through_all_interfaces_but_the_loopback_one) {
  mesos::v1::ResourceStatistics out;
  add_interface_counts("Inter-|   Receive  |  Transmit\n face |bytes packets errs\n    lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n", out);
  EXPECT_FALSE(out.has_net_rx_bytes()) << "a container without interfaces";
  add_interface_counts("    lo: 9 9 9 9 0 0 0 0 9 9 9 9 0 0 0 0\n  eth0: 100 2 3 4 0 0 0 0 500 6 7 8 0 0 0 0\n"
                       "  eth1:1000 20 30 40 0 0 0 0 5000 60 70 80 0 0 0 0\n broken: 1 2\n",
                       out);
  EXPECT_EQ(out.net_rx_bytes(), 1100u);
  EXPECT_EQ(out.net_rx_packets(), 22u);
  EXPECT_EQ(out.net_rx_errors(), 33u);
  EXPECT_EQ(out.net_rx_dropped(), 44u);
  EXPECT_EQ(out.net_tx_bytes(), 5500u);
  EXPECT_EQ(out.net_tx_packets(), 66u);
  EXPECT_EQ(out.net_tx_errors(), 77u);
  EXPECT_EQ(out.net_tx_dropped(), 88u);
}

}  // namespace
}  // namespace containerizer
