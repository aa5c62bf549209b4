// The v0 JSON of a small cluster, against a file. Run with --update-golden to rewrite it.

#include "kernel/master/api/state_json.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "base/json/value.hpp"
#include "kernel/master/render.hpp"
#include "kernel/master/testing.hpp"

namespace {

/// One agent with a running and an ended task, an offer, a reservation; one framework that is gone.
std::shared_ptr<const master::Snapshot> picture() {
  master::testing::Conversation cluster;
  for (const char* line : {
           "recovered",
           "agent L1 register host=h1 resources=cpus:4;mem:1024;disk:100;ports:[31000-31010]",
           "subscribe C1 name=web role=web failover_timeout=60 principal=p",
           "C1 accept M-O0 reserve mem:64 launch t1=cpus:1;mem:32;ports:[31000-31001] launch t2=cpus:1;mem:32 principal=p",
           "agent L1 update M-0000 t1 RUNNING uuid=1",
           "agent L1 update M-0000 t2 FINISHED uuid=2",
           "C1 acknowledge t2 uuid=2",
           "subscribe C2 name=gone",
           "operator teardown M-0001",
       }) {
    cluster.command(line);
  }
  return cluster.core().snapshot({base::Instant{base::seconds(2000)}, base::Time{base::seconds(2'000'000)}});
}

master::ServerFacts facts() {
  master::ServerFacts out;
  out.flags = {{"port", "5050"}};
  out.cluster = "test";
  return out;
}

void compare(const std::string& name, const std::string& json) {
  const std::string path = "kernel/master/testdata/" + name;
  const auto parsed = base::json::parse(json);
  ASSERT_TRUE(parsed.has_value()) << parsed.error().message;
  const std::string pretty = base::json::render_pretty(*parsed) + "\n";
  for (const std::string& argument : ::testing::internal::GetArgvs()) {
    if (argument == "--update-golden") std::ofstream(path) << pretty;
  }
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  EXPECT_EQ(text.str(), pretty);
}

TEST(StateJson, has_the_shape_that_clients_know) { compare("state.json", master::state_json(*picture(), facts())); }

TEST(StateJson, summary_counts_tasks) { compare("state-summary.json", master::state_summary_json(*picture(), facts())); }

TEST(StateJson, slaves_show_their_resources_in_full) { compare("slaves.json", master::slaves_json(*picture(), {})); }

TEST(StateJson, roles_show_shares) { compare("roles.json", master::roles_json(*picture())); }

std::string state_of(master::Snapshot snapshot) { return master::state_json(snapshot, facts()); }

TEST(StateJson, leaders_tell_their_domain_and_flags_need_a_right) {
  master::Snapshot snapshot = *picture();
  auto info = *snapshot.master;
  info.mutable_domain()->mutable_fault_domain()->mutable_region()->set_name("eu");
  info.mutable_domain()->mutable_fault_domain()->mutable_zone()->set_name("z1");
  snapshot.master = std::make_shared<const mesos::v1::MasterInfo>(info);
  const std::string domain = R"("domain":{"fault_domain":{"region":{"name":"eu"},"zone":{"name":"z1"}}})";
  std::string text = state_of(snapshot);
  EXPECT_NE(text.find(R"("hostname":"master",)" + domain + "}"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("cluster":"test")"), std::string::npos);
  snapshot.shows_flags = false;
  text = state_of(snapshot);
  EXPECT_EQ(text.find("\"cluster\""), std::string::npos);
  EXPECT_EQ(text.find("\"flags\""), std::string::npos);
}

TEST(StateJson, networks_have_labels_as_a_list) {
  master::Snapshot snapshot = *picture();
  mesos::v1::Task task = *snapshot.frameworks.at(0).tasks.at(0);
  auto& network = *task.mutable_statuses(0)->mutable_container_status()->add_network_infos();
  network.set_name("net");
  network.add_groups("g");
  auto& label = *network.mutable_labels()->add_labels();
  label.set_key("k");
  label.set_value("v");
  network.add_ip_addresses()->set_ip_address("10.0.0.7");
  snapshot.frameworks[0].tasks[0] = std::make_shared<const mesos::v1::Task>(task);
  const std::string text = state_of(snapshot);
  const std::string expected =
      R"("network_infos":[{"groups":["g"],"labels":[{"key":"k","value":"v"}],)"
      R"("ip_addresses":[{"protocol":"IPv4","ip_address":"10.0.0.7"}],"name":"net"}])";
  EXPECT_NE(text.find(expected), std::string::npos) << text;
}

TEST(StateJson, roles_count_what_is_below_them) {
  master::testing::Conversation cluster;
  for (const char* line :
       {"recovered", "agent L1 register host=h1 resources=cpus:4;mem:1024;ports:[31000-31009]",
        "subscribe C1 role=eng/web principal=p",
        "C1 accept M-O0 reserve cpus:1 launch t1=cpus:1;mem:32;ports:[31000-31001] role=eng/web principal=p refuse=60"}) {
    cluster.command(line);
    cluster.take_effects();
  }
  const auto parsed = base::json::parse(master::roles_json(*cluster.core().snapshot(base::Now())));
  ASSERT_TRUE(parsed.has_value());
  const std::string text = base::json::render(*parsed);
  // The reserved processor was offered again and is consumed all the while; ports count by their number.
  const std::string numbers =
      R"("consumed":{"cpus":2.0,"mem":32.0,"ports":2.0}},"resources":{"cpus":)";
  for (const char* role : {"eng", "eng/web"}) {
    const size_t at = text.find(std::string(R"({"name":")") + role + "\"");
    ASSERT_NE(at, std::string::npos) << text;
    EXPECT_NE(text.find(numbers, at), std::string::npos) << text;
    EXPECT_NE(text.find(R"("allocated":{"cpus":1.0,"mem":32.0,"ports":2.0})", at), std::string::npos) << text;
    EXPECT_NE(text.find(R"("reserved":{"cpus":1.0})", at), std::string::npos) << text;
  }
}

TEST(StateJson, roles_have_frameworks_that_left_while_their_tasks_run) {
  master::testing::Conversation cluster;
  for (const char* line :
       {"recovered", "agent L1 register host=h1 resources=cpus:4;mem:1024", "subscribe C1 capabilities=MULTI_ROLE roles=a suppressed=",
        "C1 accept M-O0 launch t1=cpus:1;mem:32", "C1 update_framework roles=b"}) {
    cluster.command(line);
    cluster.take_effects();
  }
  const auto snapshot = cluster.core().snapshot(base::Now());
  master::OperatorResponse::GetRoles roles;
  master::render_roles(*snapshot, &roles);
  ASSERT_EQ(roles.roles_size(), 2);
  for (const auto& role : roles.roles()) {
    ASSERT_EQ(role.frameworks_size(), 1) << role.name();
    EXPECT_EQ(role.frameworks(0).value(), "M-0000");
  }
  const std::string text = master::roles_json(*snapshot);
  EXPECT_NE(text.find(R"("name":"a")"), std::string::npos) << text;
  EXPECT_EQ(text.find(R"("frameworks":[])"), std::string::npos) << text;
}

TEST(StateJson, tasks_are_paged_and_selected) {
  const auto snapshot = picture();
  const auto count = [](const std::string& json) {
    size_t found = 0;
    for (size_t at = json.find("\"framework_id\""); at != std::string::npos; at = json.find("\"framework_id\"", at + 1)) ++found;
    return found;
  };
  EXPECT_EQ(count(master::tasks_json(*snapshot, {})), 2u);
  EXPECT_EQ(count(master::tasks_json(*snapshot, {.limit = 1})), 1u);
  EXPECT_EQ(count(master::tasks_json(*snapshot, {.offset = 2})), 0u);
  EXPECT_EQ(count(master::tasks_json(*snapshot, {.offset = UINT64_MAX})), 0u);
  EXPECT_EQ(count(master::tasks_json(*snapshot, {.task_id = "t1"})), 1u);
  EXPECT_EQ(count(master::tasks_json(*snapshot, {.framework_id = "other"})), 0u);
}

}  // namespace
