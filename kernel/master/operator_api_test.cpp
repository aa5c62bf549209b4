// Calls of the operator API over HTTP.

#include "base/file.hpp"
#include "kernel/master/testing_daemon.hpp"

namespace {

using master::testing::FakeAgent;
using master::testing::Master;
using master::testing::Response;

TEST(OperatorApi, answers_every_read_and_refuses_what_it_cannot_do) {
  const Master master;
  for (const char* type : {"GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_METRICS", "GET_LOGGING_LEVEL", "GET_STATE",
                           "GET_AGENTS", "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_OPERATIONS", "GET_TASKS", "GET_ROLES",
                           "GET_WEIGHTS", "GET_MASTER", "GET_QUOTA", "GET_MAINTENANCE_STATUS", "GET_MAINTENANCE_SCHEDULE"}) {
    std::string body = std::string(R"({"type":")") + type + "\"";
    if (std::string(type) == "GET_METRICS") body += R"(,"get_metrics":{})";
    const Response answer = master.post("/api/v1", body + "}");
    EXPECT_EQ(answer.status, 200) << type << answer.body;
    EXPECT_NE(answer.body.find(std::string(R"({"type":")") + type + "\""), std::string::npos) << answer.body;
  }
  EXPECT_EQ(master.post("/api/v1/operator", R"({"type":"GET_WEIGHTS"})").body, R"({"type":"GET_WEIGHTS"})");
  EXPECT_EQ(master.post("/api/v1", R"({"type":"START_MAINTENANCE","start_maintenance":{}})").status, 400);
  EXPECT_EQ(master.post("/api/v1", R"({"type":"REMOVE_QUOTA","remove_quota":{"role":"r"}})").status, 400);
  EXPECT_EQ(master.post("/api/v1", R"({"type":"TEARDOWN","teardown":{"framework_id":{"value":"x"}}})").status, 400);
  EXPECT_EQ(master.request("POST", "/api/v1", {{"Content-Type", "application/json"}, {"Accept", "text/html"}},
                           R"({"type":"GET_HEALTH"})").status,
            406);
}

TEST(OperatorApi, answers_every_read_in_protobuf_too) {
  const Master master;
  for (const char* type : {"GET_HEALTH", "GET_FLAGS", "GET_VERSION", "GET_METRICS", "GET_LOGGING_LEVEL", "GET_STATE", "GET_AGENTS",
                           "GET_FRAMEWORKS", "GET_EXECUTORS", "GET_OPERATIONS", "GET_TASKS", "GET_ROLES", "GET_WEIGHTS", "GET_MASTER",
                           "GET_QUOTA", "GET_MAINTENANCE_STATUS", "GET_MAINTENANCE_SCHEDULE"}) {
    mesos::v1::master::Call call;
    mesos::v1::master::Call::Type value{};
    ASSERT_TRUE(mesos::v1::master::Call::Type_Parse(type, &value));
    call.set_type(value);
    call.mutable_get_metrics();
    const std::string protobuf = "application/x-protobuf";
    const Response answer = master.request("POST", "/api/v1", {{"Content-Type", protobuf}, {"Accept", protobuf}}, call.SerializeAsString());
    EXPECT_EQ(answer.status, 200) << type << answer.body;
    EXPECT_EQ(answer.headers.get_or("Content-Type", ""), protobuf);
    mesos::v1::master::Response response;
    ASSERT_TRUE(response.ParseFromString(answer.body)) << type;
    EXPECT_EQ(mesos::v1::master::Response::Type_Name(response.type()), type);
  }
}

TEST(OperatorApi, grows_and_shrinks_volumes_and_reads_the_log) {
  const std::string directory = ::testing::TempDir() + "master-log-" + std::to_string(::getpid());
  ASSERT_TRUE(base::write_file(directory, "line\n").has_value());
  const Master master({}, {"--external_log_file=" + directory});
  const Response piece = master.post("/api/v1", R"({"type":"READ_FILE","read_file":{"path":"/master/log","offset":0}})");
  EXPECT_NE(piece.body.find(R"("read_file":{"size":5,"data":"bGluZQo="})"), std::string::npos) << piece.body;
  EXPECT_EQ(master.post("/api/v1", R"({"type":"LIST_FILES","list_files":{"path":"/master/log"}})").status, 200);
  EXPECT_EQ(master.post("/api/v1", R"({"type":"READ_FILE","read_file":{"path":"/nothing","offset":0}})").status, 404);
  EXPECT_EQ(master.get("/files/read?path=/master/log&offset=0").body, R"({"offset":0,"data":"line\n"})");
  EXPECT_EQ(master.get("/files/read?path=/master/log").body, R"({"offset":5,"data":""})");
  ::unlink(directory.c_str());

  FakeAgent agent(master);
  const std::string id = agent.register_new("cpus:4;mem:1024;disk:100");
  const std::string disk = R"({"name":"disk","type":"SCALAR","scalar":{"value":8},"reservations":[{"type":"DYNAMIC","role":"web"}])";
  const std::string volume = disk + R"(,"disk":{"persistence":{"id":"v"},"volume":{"container_path":"d","mode":"RW"}}})";
  const auto call = [&](const std::string& type, const std::string& field, const std::string& rest) {
    return master.post("/api/v1", "{\"type\":\"" + type + "\",\"" + field + "\":{\"agent_id\":{\"value\":\"" + id + "\"}," + rest + "}}");
  };
  using Operation_ = mesos::v1::Offer::Operation;
  EXPECT_EQ(call("RESERVE_RESOURCES", "reserve_resources", "\"resources\":[" + disk + "}," + disk + "}]").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::RESERVE);
  EXPECT_EQ(call("CREATE_VOLUMES", "create_volumes", "\"volumes\":[" + volume + "]").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::CREATE);
  EXPECT_EQ(call("GROW_VOLUME", "grow_volume", "\"volume\":" + volume + ",\"addition\":" + disk + "}").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::GROW_VOLUME);
  std::string grown = volume;
  grown.replace(grown.find("8}"), 1, "16");
  EXPECT_EQ(call("SHRINK_VOLUME", "shrink_volume", "\"volume\":" + grown + ",\"subtract\":{\"value\":8}").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::SHRINK_VOLUME);
  EXPECT_EQ(call("DESTROY_VOLUMES", "destroy_volumes", "\"volumes\":[" + volume + "]").status, 202);
  EXPECT_EQ(agent.next().apply_operation().operation().type(), Operation_::DESTROY);
  EXPECT_EQ(call("UNRESERVE_RESOURCES", "unreserve_resources", "\"resources\":[" + disk + "}]").status, 202);
  const Response refused =
      call("RESERVE_RESOURCES", "reserve_resources", R"("resources":[{"name":"cpus","type":"SCALAR","scalar":{"value":1}}])");
  EXPECT_EQ(refused.status, 400);
  EXPECT_NE(refused.body.find("Invalid RESERVE operation on agent " + id + " at slave(1)@127.0.0.1:5051 (h1): "),
            std::string::npos)
      << refused.body;
  EXPECT_EQ(master.post("/api/v1", R"({"type":"MARK_AGENT_GONE","mark_agent_gone":{"agent_id":{"value":"nobody"}}})").status, 404);
}

}  // namespace
