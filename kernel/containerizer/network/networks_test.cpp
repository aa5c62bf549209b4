// Networks with plugins that are scripts: what they are told, in which order, and what becomes of it when they fail,
// hang, print garbage or are left behind. Needs root: namespaces are real.

#include "kernel/containerizer/network/networks.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "base/nft.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/containerizer/network/ipam.hpp"
#include "kernel/containerizer/network/program.hpp"
#include "kernel/containerizer/network/space.hpp"

namespace containerizer::network {
namespace {

using base::testing::TemporaryDirectory;

/// Logs each call as "VERB type interface", then does what the file "<type>.<VERB>" beside the log says.
constexpr const char* kPlugin = R"(#!/bin/sh
type=${0##*/}
dir=${0%/*}
input=$(cat)
echo "$CNI_COMMAND $type $CNI_IFNAME${CNI_NETNS:+ in}" >> "$dir/log"
printf '%s' "$input" > "$dir/$type.$CNI_COMMAND.input"
[ -f "$dir/$type.$CNI_COMMAND" ] && . "$dir/$type.$CNI_COMMAND"
[ "$CNI_COMMAND" = ADD ] && echo '{"cniVersion":"0.4.0","ips":[{"version":"4","address":"10.1.0.2/16"}]}'
exit 0
)";

class NetworksTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    for (const char* type : {"first", "second"}) {
      ASSERT_TRUE(base::write_file(plugins / type, kPlugin, 0755));
    }
    ASSERT_TRUE(base::write_file(
        configs / "n.conflist", R"({"cniVersion":"0.4.0","name":"n","plugins":[{"type":"first"},{"type":"second"}]})"));
    ASSERT_TRUE(base::write_file(configs / "m.conf", R"({"cniVersion":"0.3.1","name":"m","type":"first"})"));
    open();
  }
  void TearDown() override {
    networks.reset();
    // Nothing of a network is left, whatever happened.
    EXPECT_EQ(base::read_file("/proc/self/mounts").value().find(state.path()), std::string::npos);
  }

  void open(base::Duration timeout = base::seconds(30)) {
    networks.reset();
    NetworkOptions options;
    options.config_directory = configs.path();
    options.plugins_path = plugins.path();
    options.directory = state / "networks";
    options.timeout = timeout;
    options.memory = memory;
    auto opened = Networks::open(std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    networks = std::move(*opened);
  }
  void script(const char* name, const std::string& text) { ASSERT_TRUE(base::write_file(plugins / name, text)); }
  void no_script(const char* name) { unlink((plugins / name).c_str()); }
  std::string log() {
    const auto text = base::read_file(plugins / "log");
    unlink((plugins / "log").c_str());
    return text.value_or("");
  }
  static Request request(std::vector<std::string> names) {
    Request out;
    out.host_name = "web";
    for (const auto& name : names) out.networks.emplace_back().info.set_name(name);
    return out;
  }
  std::string failure(const Request& wanted) {
    const auto attached = networks->attach("c", wanted);
    return attached ? "attached" : attached.error().message;
  }

  TemporaryDirectory plugins, configs, state;
  std::string memory;
  std::unique_ptr<Networks> networks;
};

TEST_F(NetworksTest, plugins_are_called_in_their_order_and_undone_in_reverse) {
  const auto attached = networks->attach("c", request({"n", "m"}));
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_EQ(log(), "ADD first eth0 in\nADD second eth0 in\nADD first eth1 in\n");
  EXPECT_TRUE(has_space(attached->network_file));
  ASSERT_EQ(attached->infos.size(), 2u);
  EXPECT_EQ(attached->infos[0].ip_addresses(0).ip_address(), "10.1.0.2");
  EXPECT_NE(base::read_file(attached->hosts).value().find("10.1.0.2\tweb"), std::string::npos);
  EXPECT_EQ(base::read_file(attached->host_name_file).value(), "web\n");
  EXPECT_NE(base::read_file(plugins / "second.ADD.input").value().find("\"prevResult\""), std::string::npos);
  ASSERT_TRUE(networks->check("c"));
  EXPECT_EQ(log(), "CHECK first eth0 in\nCHECK second eth0 in\n");  // 0.3.1 has none
  ASSERT_TRUE(networks->detach("c"));
  EXPECT_EQ(log(), "DEL first eth1 in\nDEL second eth0 in\nDEL first eth0 in\n");
  EXPECT_NE(base::read_file(plugins / "second.DEL.input").value().find("\"prevResult\""), std::string::npos);
  EXPECT_TRUE(networks->list().empty());
  EXPECT_EQ(networks->counts().attached, 1u);
  EXPECT_EQ(networks->counts().detached, 1u);
}

TEST_F(NetworksTest, a_container_without_networks_has_its_loopback) {
  const auto attached = networks->attach("c", request({}));
  ASSERT_TRUE(attached) << attached.error().message;
  EXPECT_TRUE(has_space(attached->network_file));
  EXPECT_EQ(log(), "");
  ASSERT_TRUE(networks->detach("c"));
}

TEST_F(NetworksTest, networks_are_read_again_for_each_container) {
  EXPECT_NE(failure(request({"new"})).find("Unknown CNI network 'new'"), std::string::npos);
  ASSERT_TRUE(networks->detach("c"));
  ASSERT_TRUE(base::write_file(configs / "new.conf", R"({"name":"new","type":"first"})"));
  EXPECT_EQ(failure(request({"new"})), "attached");
  // What is undone is what was done, whatever the files say meanwhile.
  unlink((configs / "new.conf").c_str());
  ASSERT_TRUE(networks->detach("c"));
  EXPECT_EQ(log(), "ADD first eth0 in\nDEL first eth0 in\n");
  ASSERT_TRUE(base::write_file(configs / "gone.conf", R"({"name":"gone","type":"missing"})"));
  EXPECT_NE(failure(request({"gone"})).find("'missing'"), std::string::npos);
  ASSERT_TRUE(networks->detach("c"));
}

TEST_F(NetworksTest, a_plugin_that_fails_is_quoted_and_everything_is_undone) {
  script("second.ADD", "echo '{\"code\":11,\"msg\":\"no room\"}'; echo oh >&2; exit 3");
  const std::string message = failure(request({"n"}));
  EXPECT_NE(message.find("Failed to join the network 'n': the CNI plugin 'second' (ADD) exited with status 3: no room "
                         "(code 11), stderr 'oh'"),
            std::string::npos)
      << message;
  ASSERT_TRUE(networks->detach("c"));
  EXPECT_EQ(log(), "ADD first eth0 in\nADD second eth0 in\nDEL second eth0 in\nDEL first eth0 in\n");
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, a_plugin_that_prints_garbage_is_quoted) {
  for (const char* garbage : {"echo garbage; exit 0", "echo '{\"ips\":[{\"address\":\"nowhere\"}]}'; exit 0"}) {
    script("first.ADD", garbage);
    const std::string message = failure(request({"m"}));
    EXPECT_NE(message.find("'first' (ADD) printed what is no result"), std::string::npos) << message;
    ASSERT_TRUE(networks->detach("c"));
  }
  script("first.ADD", "yes | head -c 3000000; exit 0");
  EXPECT_NE(failure(request({"m"})).find("more than 1 MiB"), std::string::npos);
  ASSERT_TRUE(networks->detach("c"));
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, a_plugin_that_hangs_is_ended_with_all_it_started) {
  open(base::milliseconds(300));
  script("first.ADD", "sleep 1000 & echo $! > \"$dir/child\"; wait");
  const std::string message = failure(request({"m"}));
  EXPECT_NE(message.find("'first' (ADD): no answer within 300ms"), std::string::npos) << message;
  ASSERT_TRUE(networks->detach("c"));
  const int child = std::stoi(base::read_file(plugins / "child").value());
  while (kill(child, 0) == 0 &&
         base::read_file("/proc/" + std::to_string(child) + "/stat").value_or(") Z").find(") Z") == std::string::npos)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, what_cannot_be_undone_is_tried_again) {
  ASSERT_EQ(failure(request({"n"})), "attached");
  script("first.DEL", "exit 4");
  Status left = networks->detach("c");
  ASSERT_FALSE(left);
  EXPECT_NE(
      left.error().message.find("Failed to leave the network 'n': the CNI plugin 'first' (DEL) exited with status 4"),
      std::string::npos);
  EXPECT_TRUE(networks->pending());
  EXPECT_EQ(networks->counts().pending, 1u);
  // Namespace and interfaces are gone nevertheless.
  EXPECT_FALSE(has_space(state / "networks/c/ns"));
  (void)log();
  networks->retry();
  EXPECT_TRUE(networks->pending());
  EXPECT_EQ(log(), "DEL second eth0\nDEL first eth0\n");  // without a namespace, as the specification has it
  no_script("first.DEL");
  networks->retry();
  EXPECT_FALSE(networks->pending());
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, a_launch_that_is_given_up_ends_its_plugin) {
  script("first.ADD", "touch \"$dir/runs\"; sleep 1000");
  std::thread other([this] {
    while (!base::exists(plugins / "runs")) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    networks->cancel("c");
  });
  EXPECT_EQ(failure(request({"m"})), "destroyed during the launch");
  other.join();
  ASSERT_TRUE(networks->detach("c"));
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, an_address_that_is_asked_for_is_given_or_refused) {
  Request wanted = request({"m"});
  wanted.networks[0].info.add_ip_addresses()->set_ip_address("10.1.0.9");
  EXPECT_NE(failure(wanted).find("does not give the address 10.1.0.9"), std::string::npos);
  ASSERT_TRUE(networks->detach("c"));
  wanted.networks[0].info.mutable_ip_addresses(0)->set_ip_address("10.1.0.2");
  EXPECT_EQ(failure(wanted), "attached");
  ASSERT_TRUE(networks->detach("c"));
  wanted.networks[0].mac = "02:00:00:00:00:01";
  EXPECT_NE(failure(wanted).find("capability mac"), std::string::npos);
  ASSERT_TRUE(networks->detach("c"));
}

/// An agent that is killed while a plugin works: the next one waits for that plugin, then undoes everything.
TEST_F(NetworksTest, a_plugin_that_outlives_its_agent_is_waited_for) {
  script("first.ADD", "touch \"$dir/runs\"; sleep 0.3; echo late >> \"$dir/log\"");
  const pid_t agent = fork();
  if (agent == 0) {
    (void)networks->attach("c", request({"m"}));
    _exit(0);
  }
  while (!base::exists(plugins / "runs")) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  kill(agent, SIGKILL);
  waitpid(agent, nullptr, 0);
  open();
  EXPECT_EQ(networks->list(), std::vector<std::string>{"c"});
  ASSERT_TRUE(networks->recover({}));
  ASSERT_TRUE(networks->detach("c"));
  EXPECT_EQ(log(), "ADD first eth0 in\nlate\nDEL first eth0 in\n");
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, a_plugin_that_its_agent_left_hanging_is_ended) {
  script("first.ADD", "touch \"$dir/runs\"; sleep 1000; echo late >> \"$dir/log\"");
  const pid_t agent = fork();
  if (agent == 0) {
    (void)networks->attach("c", request({"m"}));
    _exit(0);
  }
  while (!base::exists(plugins / "runs")) std::this_thread::sleep_for(std::chrono::milliseconds(2));
  kill(agent, SIGKILL);
  waitpid(agent, nullptr, 0);
  open(base::milliseconds(300));
  const Status undone = networks->detach("c");
  EXPECT_TRUE(undone) << undone.error().message;
  EXPECT_EQ(log(), "ADD first eth0 in\nDEL first eth0 in\n");
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, what_is_there_is_found_again) {
  ASSERT_EQ(failure(request({"n"})), "attached");
  open();
  ASSERT_TRUE(networks->recover({"c"}));
  const auto found = networks->find("c");
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ(found->host_name, "web");
  EXPECT_EQ(found->infos[0].ip_addresses(0).ip_address(), "10.1.0.2");
  EXPECT_TRUE(has_space(found->network_file));
  ASSERT_TRUE(networks->detach("c"));
}

TEST_F(NetworksTest, what_a_reboot_swept_away_is_remembered_and_given_back) {
  memory = state / "remembered";
  open();
  ASSERT_TRUE(networks->attach("kept", request({"n"})));
  ASSERT_TRUE(networks->attach("ended", request({"m"})));
  ASSERT_TRUE(networks->detach("ended"));
  // The runtime directory is empty after the machine was started anew; the plugins' leases are not.
  ASSERT_TRUE(remove_space(state / "networks/kept/ns"));
  networks.reset();
  unshare_directory(state / "networks");
  ASSERT_TRUE(base::remove_tree(state / "networks"));
  log();
  open();
  EXPECT_EQ(networks->list(), std::vector<std::string>{"kept"});
  ASSERT_TRUE(networks->detach("kept"));
  EXPECT_EQ(log(), "DEL second eth0\nDEL first eth0\n");
  EXPECT_NE(base::read_file(plugins / "second.DEL.input").value().find("10.1.0.2/16"), std::string::npos) << "the lease is named";
  open();
  EXPECT_TRUE(networks->list().empty()) << "once is enough";
  // What cannot be understood is told and left.
  ASSERT_TRUE(base::write_file(memory + "/broken.json", "{"));
  open();
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, a_damaged_record_stands_in_nobodys_way) {
  ASSERT_EQ(failure(request({"n"})), "attached");
  ASSERT_TRUE(base::write_file(state / "networks/c/record.json", "{"));
  open();
  ASSERT_TRUE(networks->recover({"c"}));
  EXPECT_FALSE(networks->find("c"));
  ASSERT_TRUE(networks->detach("c"));
  EXPECT_TRUE(networks->list().empty());
}

TEST_F(NetworksTest, an_audit_tells_what_nobody_needs_and_what_is_gone) {
  networks.reset();
  ASSERT_TRUE(base::write_file(configs / "b.conf", R"({"cniVersion":"0.4.0","name":"b","type":"mesos-cni-port-mapper","chain":"X",
    "delegate":{"type":"bridge","bridge":"auditbr","isGateway":true,"ipMasq":true,
                "ipam":{"type":"host-local","subnet":"10.9.0.0/24","dataDir":")" + state.path() + R"(/leases"}}})"));
  std::thread([this] {
    ASSERT_EQ(unshare(CLONE_NEWNET), 0);
    open();
    Request wanted = request({"b"});
    auto* port = wanted.networks[0].info.add_port_mappings();
    port->set_host_port(31000);
    port->set_container_port(80);
    for (const char* id : {"c", "d"}) {
      const auto attached = networks->attach(id, wanted);
      ASSERT_TRUE(attached) << attached.error().message;
      port->set_host_port(31001);
    }
    NetworkOptions look = networks->options();
    look.observe = true;
    const auto observer = std::move(*Networks::open(look));
    const auto words = [&](const std::set<std::string>& known) {
      std::multiset<std::string> out;
      for (const auto& one : observer->audit(known, known, [](const std::string& id) { return id != "theirs"; }))
        out.insert((one.missing ? "missing " : "") + one.kind);
      return base::join({out.begin(), out.end()}, ", ");
    };
    ASSERT_TRUE(base::write_file(state / "leases/b/10.9.0.9", "theirs\r\neth0"));
    EXPECT_EQ(words({"c", "d"}), "");
    // Members, hidden addresses, ports.
    EXPECT_EQ(words({"c"}), "interface, lease, network record, rule, rule, rule");
    ASSERT_TRUE(networks->detach("d"));
    EXPECT_EQ(words({"c"}), "");
    EXPECT_EQ(words({}), "interface, lease, network record, rule, rule, rule, rule");  // and the table itself
    base::Nft nft;
    ASSERT_TRUE(nft.run("flush ruleset"));
    EXPECT_EQ(words({"c"}), "missing rule, missing rule, missing rule");
    ASSERT_TRUE(networks->detach("c"));
    EXPECT_EQ(words({}), "");
    networks.reset();
  }).join();
}

TEST_F(NetworksTest, an_address_is_not_lost_with_the_lease_that_a_crash_left_empty) {
  IpamConfig config{state / "leases", {}};
  const Subnet subnet = Subnet::parse("10.9.0.0/30").value();
  const IpAddress only = IpAddress::parse("10.9.0.2").value();
  config.sets = {{Range{subnet, only, only, IpAddress::parse("10.9.0.1").value()}}};
  ASSERT_TRUE(base::make_directories(config.directory));
  ASSERT_TRUE(base::write_file(config.directory + "/10.9.0.2", ""));
  const auto leased = lease_addresses(config, "c", "eth0", {});
  ASSERT_TRUE(leased) << leased.error().message;
  EXPECT_FALSE(lease_addresses(config, "d", "eth0", {}));
  ASSERT_TRUE(release_addresses(config.directory, "c", "eth0"));
  EXPECT_TRUE(list_leases(config.directory).empty());
}

TEST(RunProgram, tells_how_it_ended) {
  ProgramRun run{.path = "/bin/cat", .environment = {}, .input = "hello"};
  const auto end = run_program(run);
  ASSERT_TRUE(end);
  EXPECT_EQ(end->output, "hello");
  run.path = "/nowhere/plugin";
  EXPECT_FALSE(run_program(run));
}

}  // namespace
}  // namespace containerizer::network
