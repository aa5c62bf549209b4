// The v0 JSON of a small cluster, against a file. Run with --update-golden to rewrite it.

#include "kernel/master/api/state_json.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <fstream>
#include <sstream>

#include "base/json/value.hpp"
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
