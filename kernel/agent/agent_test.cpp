// A whole agent, as a process, under a master that the test speaks for over the real link.

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <set>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/http/sse.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/agent/testing/agent_process.hpp"
#include "kernel/agent/testing/fake_master.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"
#include "kernel/containerizer/images/testing/fake_registry.hpp"
#include "kernel/containerizer/images/testing/tar_writer.hpp"

namespace agent {
namespace {

using dcos::internal::v1::MasterMessage;
using testing::AgentProcess;
using testing::FakeMaster;

mesos::v1::FrameworkInfo make_framework() {
  mesos::v1::FrameworkInfo info;
  info.mutable_id()->set_value("framework-1");
  info.set_name("test");
  info.set_user("root");
  info.set_checkpoint(true);
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
  info.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE);
  return info;
}

void add_resource(mesos::v1::TaskInfo& task, const char* name, double amount) {
  auto* resource = task.add_resources();
  resource->set_name(name);
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(amount);
}

mesos::v1::TaskInfo make_task(const std::string& id, const std::string& command) {
  mesos::v1::TaskInfo task;
  task.set_name(id);
  task.mutable_task_id()->set_value(id);
  task.mutable_agent_id()->set_value("agent-1");
  task.mutable_command()->set_value(command);
  add_resource(task, "cpus", 0.1);
  add_resource(task, "mem", 32);
  return task;
}

MasterMessage run(const mesos::v1::TaskInfo& task) {
  MasterMessage message;
  message.mutable_run_task()->mutable_framework_info()->CopyFrom(make_framework());
  message.mutable_run_task()->mutable_task()->CopyFrom(task);
  message.mutable_run_task()->set_launch_executor(true);
  return message;
}

MasterMessage kill_of(const std::string& id) {
  MasterMessage message;
  message.mutable_kill_task()->mutable_framework_id()->set_value("framework-1");
  message.mutable_kill_task()->mutable_task_id()->set_value(id);
  return message;
}

class Agent : public ::testing::Test {
 protected:
  void SetUp() override {
    agent.start();
    ASSERT_TRUE(master.wait_for_agent()) << log();
  }

  void TearDown() override {
    if (agent.running()) {
      EXPECT_TRUE(WIFEXITED(agent.stop(SIGUSR1)));
    }
    EXPECT_TRUE(master.wait([this] { return agent.leftovers().empty(); }, 10)) << base::join(agent.leftovers(), "\n");
    if (HasFailure()) std::cerr << log();
  }

  std::string log() const { return base::read_file(agent.work_dir() + "/agent.log").value_or("no log"); }

  std::string sandbox(const std::string& task) const {
    return agent.work_dir() + "/slaves/agent-1/frameworks/framework-1/executors/" + task + "/runs/latest";
  }

  base::testing::TemporaryDirectory archives;  // for images
  FakeMaster master;
  AgentProcess agent{master.address(), {"--docker_registry=" + archives.path()}};
};

TEST(AgentFirewall, closes_what_it_names) {
  FakeMaster master;
  AgentProcess agent{master.address(), {R"(--firewall_rules={"disabled_endpoints":{"paths":["/containers"]}})"}};
  agent.start();
  ASSERT_TRUE(master.wait_for_agent());
  for (const std::string path : {"/containers", "/slave(1)/containers.json", "/%63ontainers"}) {
    EXPECT_EQ(agent.get(path), "403 Endpoint '" + path + "' is disabled");
  }
  EXPECT_TRUE(agent.get("/state").starts_with("200 "));
  EXPECT_TRUE(WIFEXITED(agent.stop(SIGUSR1)));
}

TEST_F(Agent, runs_a_command_and_tells_its_life) {
  master.send(run(make_task("t1", "echo out; echo err >&2; echo $MESOS_SANDBOX")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_FINISHED)) << log();
  std::vector<mesos::v1::TaskState> states;
  for (const auto& status : master.updates("t1")) states.push_back(status.state());
  EXPECT_EQ(states, (std::vector{mesos::v1::TASK_STARTING, mesos::v1::TASK_RUNNING, mesos::v1::TASK_FINISHED}));
  const auto running = master.update("t1", mesos::v1::TASK_RUNNING);
  EXPECT_EQ(running.container_status().network_infos(0).ip_addresses(0).ip_address(), "127.0.0.1");
  EXPECT_EQ(running.uuid().size(), 16U);
  const std::string text = base::read_file(sandbox("t1") + "/stdout").value_or("");
  EXPECT_TRUE(text.starts_with("out\n" + agent.work_dir() + "/slaves/agent-1/frameworks/framework-1/")) << text;
  EXPECT_EQ(base::read_file(sandbox("t1") + "/stderr").value_or(""), "err\n");
  const std::string read = agent.get("/files/read?path=/frameworks/framework-1/executors/t1/runs/latest/stderr&offset=0");
  EXPECT_EQ(read, R"(200 {"data":"err\n","offset":0})");
  EXPECT_NE(agent.get("/state").find("TASK_FINISHED"), std::string::npos);
}

TEST_F(Agent, reports_status_and_signal_of_a_failed_command) {
  master.send(run(make_task("t1", "exit 3")));
  master.send(run(make_task("t2", "kill -SEGV $$")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_FAILED));
  ASSERT_TRUE(master.wait_for("t2", mesos::v1::TASK_FAILED));
  EXPECT_EQ(master.update("t1", mesos::v1::TASK_FAILED).message(), "Command exited with status 3");
  EXPECT_EQ(master.update("t2", mesos::v1::TASK_FAILED).message(), "Command terminated with signal Segmentation fault");
}

TEST_F(Agent, kills_politely_and_then_by_force) {
  auto polite = make_task("polite", "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.1; done");
  auto stubborn = make_task("stubborn", "trap '' TERM; echo ready; while :; do sleep 0.1; done");
  stubborn.mutable_kill_policy()->mutable_grace_period()->set_nanoseconds(200'000'000);
  master.send(run(polite));
  master.send(run(stubborn));
  for (const char* id : {"polite", "stubborn"})
    ASSERT_TRUE(master.wait([&] { return base::read_file(sandbox(id) + "/stdout").value_or("") == "ready\n"; }));
  master.send(kill_of("polite"));
  master.send(kill_of("stubborn"));
  ASSERT_TRUE(master.wait_for("polite", mesos::v1::TASK_KILLED));
  ASSERT_TRUE(master.wait_for("stubborn", mesos::v1::TASK_KILLED));
  EXPECT_EQ(base::read_file(sandbox("polite") + "/stdout").value_or(""), "ready\nbye\n");
  EXPECT_FALSE(master.update("stubborn", mesos::v1::TASK_KILLING).task_id().value().empty());
  EXPECT_EQ(master.update("stubborn", mesos::v1::TASK_KILLED).message(), "Command terminated with signal Killed");
}

TEST_F(Agent, takes_descendants_that_fled_their_session_along) {
  master.send(run(make_task("t1", "(setsid sh -c 'setsid sleep 1000 & echo $! ; sleep 1000' &) ; sleep 1000")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING));
  ASSERT_TRUE(master.wait([&] { return !base::read_file(sandbox("t1") + "/stdout").value_or("").empty(); }));
  master.send(kill_of("t1"));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_KILLED));
  // TearDown finds no process in the sandbox.
}

TEST_F(Agent, goes_on_with_its_tasks_after_kill_9) {
  master.send(run(make_task("t1", "echo $$; sleep 1000")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING));
  agent.kill_hard();
  agent.start();
  ASSERT_TRUE(master.wait_for_agent(2)) << log();
  const auto messages = master.received();
  const auto back = std::find_if(messages.rbegin(), messages.rend(), [](const auto& m) { return m.has_reregister_agent(); });
  ASSERT_NE(back, messages.rend());
  ASSERT_EQ(back->reregister_agent().tasks_size(), 1);
  EXPECT_EQ(back->reregister_agent().tasks(0).state(), mesos::v1::TASK_RUNNING);
  // An update may come again: killed early enough, the agent had not written down that it was acknowledged.
  std::set<std::string> uuids;
  for (const auto& update : master.updates("t1")) uuids.insert(update.uuid());
  EXPECT_EQ(uuids.size(), 2U);
  master.send(kill_of("t1"));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_KILLED)) << log();
}

TEST_F(Agent, tells_the_true_end_of_a_task_that_ended_while_it_was_down) {
  master.send(run(make_task("good", "while [ ! -e go ]; do sleep 0.02; done")));
  master.send(run(make_task("bad", "while [ ! -e go ]; do sleep 0.02; done; exit 7")));
  ASSERT_TRUE(master.wait_for("good", mesos::v1::TASK_RUNNING));
  ASSERT_TRUE(master.wait_for("bad", mesos::v1::TASK_RUNNING));
  const std::string good = sandbox("good"), bad = sandbox("bad");
  agent.kill_hard();
  ASSERT_TRUE(base::write_file(good + "/go", ""));
  ASSERT_TRUE(base::write_file(bad + "/go", ""));
  const auto count_statuses = [this] {
    int count = 0;
    const auto names = base::list_directory(agent.work_dir() + "/run/containers");
    for (const auto& name : names.value_or({}))
      if (base::exists(agent.work_dir() + "/run/containers/" + name + "/status")) ++count;
    return count;
  };
  ASSERT_TRUE(master.wait([&] { return count_statuses() == 2; }));
  agent.start();
  ASSERT_TRUE(master.wait_for("good", mesos::v1::TASK_FINISHED)) << log();
  ASSERT_TRUE(master.wait_for("bad", mesos::v1::TASK_FAILED)) << log();
  EXPECT_EQ(master.update("bad", mesos::v1::TASK_FAILED).message(), "Command exited with status 7");
}

TEST_F(Agent, sends_an_unacknowledged_update_again_after_a_restart) {
  master.set_acknowledge(false);
  master.send(run(make_task("t1", "touch up; sleep 1000")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_STARTING));
  ASSERT_TRUE(master.wait([&] { return base::exists(sandbox("t1") + "/up"); }));
  const std::string uuid = master.updates("t1")[0].uuid();
  agent.kill_hard();
  agent.start();
  ASSERT_TRUE(master.wait([&] { return master.updates("t1").size() >= 2; }));
  EXPECT_EQ(master.updates("t1")[1].uuid(), uuid);
  master.set_acknowledge(true);
  for (const auto& message : master.received())
    if (message.has_status_update()) master.acknowledge(message.status_update());
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING)) << log();
}

TEST_F(Agent, tells_that_a_task_ran_out_of_memory) {
  const bool counted = base::exists("/sys/fs/cgroup/memory/memory.limit_in_bytes") ||
                       base::read_file("/sys/fs/cgroup/cgroup.controllers").value_or("").find("memory") != std::string::npos;
  if (geteuid() != 0 || !counted) GTEST_SKIP() << "needs root and the memory controller";
  master.send(run(make_task("t1", "exec python3 -c 'x = bytearray(300 << 20); print(len(x))'")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_FAILED)) << log();
  const auto status = master.update("t1", mesos::v1::TASK_FAILED);
  EXPECT_EQ(status.reason(), mesos::v1::TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY);
  EXPECT_TRUE(status.message().starts_with("Memory limit exceeded: Requested: 64MB Maximum Used: 64MB")) << status.message();
  EXPECT_NEAR(status.limitation().resources(0).scalar().value(), 64, 1);
}

TEST_F(Agent, says_why_a_container_could_not_be_launched) {
  auto image = make_task("image", "true");
  image.mutable_container()->set_type(mesos::v1::ContainerInfo::DOCKER);
  image.mutable_container()->mutable_docker()->set_image("libmesos/ubuntu");
  master.send(run(image));
  auto missing = make_task("missing", "/no/such/program");
  missing.mutable_command()->set_shell(false);
  master.send(run(missing));
  auto fetch = make_task("fetch", "true");
  fetch.mutable_command()->add_uris()->set_value("http://127.0.0.1:1/file.tgz");
  master.send(run(fetch));
  for (const char* id : {"image", "missing", "fetch"}) {
    ASSERT_TRUE(master.wait_for(id, mesos::v1::TASK_FAILED)) << id << log();
    EXPECT_EQ(master.update(id, mesos::v1::TASK_FAILED).reason(), mesos::v1::TaskStatus::REASON_CONTAINER_LAUNCH_FAILED);
  }
  EXPECT_NE(master.update("image", mesos::v1::TASK_FAILED).message().find("image"), std::string::npos);
  EXPECT_NE(master.update("missing", mesos::v1::TASK_FAILED).message().find("/no/such/program"), std::string::npos);
  EXPECT_NE(master.update("fetch", mesos::v1::TASK_FAILED).message().find("http://127.0.0.1:1/file.tgz"), std::string::npos);
}

TEST_F(Agent, kills_a_task_that_stays_unhealthy) {
  auto task = make_task("t1", "sleep 1000");
  auto* check = task.mutable_health_check();
  check->set_type(mesos::v1::HealthCheck::COMMAND);
  check->mutable_command()->set_value("exit 1");
  check->set_delay_seconds(0);
  check->set_interval_seconds(0.05);
  check->set_grace_period_seconds(0);
  check->set_consecutive_failures(2);
  master.send(run(task));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_KILLED)) << log();
  EXPECT_FALSE(master.update("t1", mesos::v1::TASK_KILLED).healthy());
  EXPECT_TRUE(master.update("t1", mesos::v1::TASK_KILLED).has_healthy());
}

TEST_F(Agent, serves_nothing_outside_of_sandboxes) {
  master.send(run(make_task("t1", "ln -s /etc/passwd link; ln -s ../../.. up; echo x > file; sleep 1000")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING));
  ASSERT_TRUE(master.wait([&] { return base::exists(sandbox("t1") + "/file"); }));
  const std::string base = "/files/read?offset=0&path=/frameworks/framework-1/executors/t1/runs/latest";
  EXPECT_EQ(agent.get(base + "/file"), R"(200 {"data":"x\n","offset":0})");
  EXPECT_TRUE(agent.get(base + "/link").starts_with("400 ")) << agent.get(base + "/link");
  EXPECT_TRUE(agent.get(base + "/up/latest/file").starts_with("400 "));
  EXPECT_TRUE(agent.get(base + "/../../../../../../../../meta/agent.db").starts_with("400 "));
  EXPECT_TRUE(agent.get(base + "/nothing").starts_with("404 "));
  EXPECT_TRUE(agent.get("/files/read?path=/etc/passwd").starts_with("404 "));
  EXPECT_TRUE(agent.get(base).starts_with("400 Cannot read a directory."));
}

// A custom executor in the fewest words: runs nothing, says that it did.
constexpr const char* kExecutor = R"(
import base64, http.client, json, os, uuid
host = os.environ['MESOS_AGENT_ENDPOINT']
ids = {'framework_id': {'value': os.environ['MESOS_FRAMEWORK_ID']}, 'executor_id': {'value': os.environ['MESOS_EXECUTOR_ID']}}
headers = {'Content-Type': 'application/json', 'Accept': 'application/json'}
def call(kind, body):
    connection = http.client.HTTPConnection(host)
    connection.request('POST', '/api/v1/executor', json.dumps(dict(ids, type=kind, **body)), headers)
    return connection.getresponse()
def update(task, state):
    status = {'task_id': task, 'state': state, 'source': 'SOURCE_EXECUTOR', 'uuid': base64.b64encode(uuid.uuid4().bytes).decode()}
    answer = call('UPDATE', {'update': {'status': status}})
    print(state, answer.status, flush=True)
events = call('SUBSCRIBE', {'subscribe': {}})
while True:
    event = json.loads(events.read(int(events.readline())))
    print(event['type'], flush=True)
    if event['type'] == 'LAUNCH':
        update(event['launch']['task']['task_id'], 'TASK_RUNNING')
        update(event['launch']['task']['task_id'], 'TASK_FINISHED')
    if event['type'] == 'SHUTDOWN': break
)";

TEST_F(Agent, tells_its_tasks_and_every_change_as_an_event_stream) {
  base::Loop loop;
  base::http::Client client(loop);
  base::http::SseDecoder decoder;
  std::vector<base::http::SseEvent> events;
  base::http::ClientRequest request;
  request.url = *base::http::Url::parse("http://127.0.0.1:" + std::to_string(agent.port()) + "/tasks/stream");
  // Each step waits for what the one before has caused.
  const auto step = [&] {
    const auto& event = events.back();
    if (event.event == "snapshot") {
      // One from before the agent has its id is followed by another.
      if (event.data.find(R"("agent_id":"agent-1")") == std::string::npos) return;
      EXPECT_NE(event.data.find(R"("ip":"127.0.0.1","tasks":[])"), std::string::npos) << event.data;
      auto task = make_task("t1", "sleep 1000");
      auto* port = task.mutable_discovery()->mutable_ports()->add_ports();
      task.mutable_discovery()->set_visibility(mesos::v1::DiscoveryInfo::CLUSTER);
      port->set_number(8080);
      port->set_protocol("tcp");
      auto* label = port->mutable_labels()->add_labels();
      label->set_key("VIP_0");
      label->set_value("/web:80");
      master.send(run(task));
    } else if (event.event == "task" && event.data.find("TASK_RUNNING") != std::string::npos) {
      master.send(kill_of("t1"));
    } else if (event.event == "removed") {
      loop.stop();
    }
  };
  base::http::StreamCallbacks callbacks;
  callbacks.on_head = [](const base::http::Response& head) { EXPECT_EQ(head.status, 200); };
  callbacks.on_data = [&](std::string_view data) {
    std::vector<base::http::SseEvent> some;
    decoder.feed(data, some);
    for (auto& each : some) {
      events.push_back(std::move(each));
      step();
    }
  };
  callbacks.on_end = [&](base::Status status) { loop.stop(status ? 0 : 1); };
  client.stream(std::move(request), std::move(callbacks));
  loop.after(base::seconds(20), [&loop] { loop.stop(2); });
  ASSERT_EQ(loop.run(), 0);
  ASSERT_GE(events.size(), 3U);
  EXPECT_EQ(events.front().event, "snapshot");
  bool running = false, killing = false;
  for (const auto& event : events) {
    if (event.data.find("TASK_RUNNING") != std::string::npos) {
      running = true;
      for (const char* piece : {R"("framework_name":"test")", R"("id":"t1")", R"("has_health_check":false)",
                                R"({"key":"VIP_0","value":"/web:80"})", R"("ip_address":"127.0.0.1")"})
        EXPECT_NE(event.data.find(piece), std::string::npos) << piece << " in " << event.data;
    }
    if (event.data.find("TASK_KILLING") != std::string::npos) killing = true;
  }
  EXPECT_TRUE(running);
  EXPECT_TRUE(killing);
  EXPECT_EQ(events.back().data, R"({"framework_id":"framework-1","id":"t1"})");
}

TEST_F(Agent, runs_a_custom_executor_by_the_executor_api) {
  auto task = make_task("t1", "");
  task.clear_command();
  task.mutable_executor()->mutable_executor_id()->set_value("e1");
  task.mutable_executor()->mutable_command()->set_shell(false);
  task.mutable_executor()->mutable_command()->set_value("/usr/bin/env");
  for (const char* word : {"env", "python3", "-c", kExecutor})
    task.mutable_executor()->mutable_command()->add_arguments(word);
  master.send(run(task));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_FINISHED)) << log() << base::read_file(sandbox("e1") + "/stderr").value_or("");
  auto next = task;
  next.mutable_task_id()->set_value("t2");
  master.send(run(next));
  ASSERT_TRUE(master.wait_for("t2", mesos::v1::TASK_FINISHED)) << log();
  MasterMessage shutdown;
  shutdown.mutable_shutdown_executor()->mutable_framework_id()->set_value("framework-1");
  shutdown.mutable_shutdown_executor()->mutable_executor_id()->set_value("e1");
  master.send(shutdown);
  ASSERT_TRUE(master.wait([&] { return master.received().back().has_exited_executor(); })) << log();
  EXPECT_EQ(master.received().back().exited_executor().status(), 0);
  const std::string said = base::read_file(sandbox("e1") + "/stdout").value_or("");
  EXPECT_TRUE(said.starts_with("SUBSCRIBED\nLAUNCH\nTASK_RUNNING 202\n")) << said;
}

TEST_F(Agent, goes_on_checking_after_a_restart) {
  auto task = make_task("t1", "sleep 1000");
  auto* check = task.mutable_health_check();
  check->set_type(mesos::v1::HealthCheck::COMMAND);
  check->mutable_command()->set_value("test -e healthy && test -n \"$MESOS_SANDBOX\"");
  check->set_delay_seconds(0);
  check->set_interval_seconds(0.05);
  check->set_grace_period_seconds(1000);
  master.send(run(task));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING));
  agent.kill_hard();
  agent.start();
  ASSERT_TRUE(master.wait_for_agent(2));
  ASSERT_TRUE(base::write_file(sandbox("t1") + "/healthy", ""));
  EXPECT_TRUE(master.wait([&] { return master.updates("t1").back().healthy(); })) << log();
}

TEST_F(Agent, answers_what_monitoring_and_operators_ask) {
  master.send(run(make_task("t1", "echo out; sleep 1000")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING)) << log();
  EXPECT_EQ(agent.get("/health"), "200 ");
  EXPECT_TRUE(agent.get("/version").starts_with(R"(200 {"version":"1.)")) << agent.get("/version");
  EXPECT_NE(agent.get("/slave(1)/flags.json").find(R"("hostname":"localhost")"), std::string::npos) << agent.get("/slave(1)/flags.json");
  EXPECT_NE(agent.get("/system/stats.json").find("mem_total_bytes"), std::string::npos) << agent.get("/system/stats.json");
  EXPECT_NE(agent.get("/help").find("/containers/explain"), std::string::npos);
  EXPECT_EQ(agent.get("/logging/toggle"), "200 0\n") << agent.get("/logging/toggle");
  const std::string metrics = agent.get("/metrics/snapshot");
  for (const char* name : {"slave/tasks_running\":1", "slave/executors_running\":1", "slave/registered\":1", "slave/cpus_total\":4",
                           "slave/recovery_errors\":0", "slave/uptime_secs\":", "slave/recovery_time_secs\":",
                           "slave/executors_terminated\":0",
                           "slave/invalid_framework_messages\":0", "slave/executor_directory_max_allowed_age_secs\":",
                           "containerizer/mesos/container_destroy_errors\":0", "containerizer/mesos/filesystem/containers_new_rootfs\":0"})
    EXPECT_NE(metrics.find(name), std::string::npos) << name << " in " << metrics;
  EXPECT_NE(agent.get("/metrics").find("# TYPE"), std::string::npos);

  const auto ask = [&](const std::string& type, const std::string& more = "") {
    return agent.post("/api/v1", R"({"type":")" + type + "\"" + more + "}");
  };
  const std::pair<const char*, const char*> calls[] = {
      {"GET_HEALTH", R"("healthy":true)"},        {"GET_VERSION", R"("version":"1.)"},   {"GET_FLAGS", R"("name":"work_dir")"},
      {"GET_METRICS", "slave/uptime_secs"},       {"GET_STATE", R"("value":"t1")"},      {"GET_TASKS", "TASK_RUNNING"},
      {"GET_FRAMEWORKS", R"("name":"test")"},     {"GET_EXECUTORS", R"("value":"t1")"},  {"GET_AGENT", R"("hostname":"localhost")"},
      {"GET_CONTAINERS", "resource_statistics"},  {"GET_OPERATIONS", "get_operations"},  {"GET_LOGGING_LEVEL", "get_logging_level"},
      {"GET_RESOURCE_PROVIDERS", "get_resource_providers"}};
  for (const auto& [type, words] : calls) {
    EXPECT_TRUE(ask(type).starts_with("200 ")) << type << ": " << ask(type);
    EXPECT_NE(ask(type).find(words), std::string::npos) << type << ": " << ask(type);
  }
  const std::string path = "/frameworks/framework-1/executors/t1/runs/latest";
  EXPECT_NE(ask("LIST_FILES", R"(,"list_files":{"path":")" + path + R"("})").find("/stdout"), std::string::npos);
  const std::string read = ask("READ_FILE", R"(,"read_file":{"path":")" + path + R"(/stdout","offset":0})");
  EXPECT_NE(read.find(R"("data":"b3V0Cg==")"), std::string::npos) << read;
  EXPECT_TRUE(ask("LIST_FILES").starts_with("400 ")) << ask("LIST_FILES");
  EXPECT_TRUE(ask("NO_SUCH_CALL").starts_with("4")) << ask("NO_SUCH_CALL");

  EXPECT_EQ(agent.get("/containerizer/debug"), R"(200 {"pending":[]})");
  const std::string state = agent.get("/state");
  for (const char* name : {"RESIZE_VOLUME", "RESOURCE_PROVIDER", "AGENT_OPERATION_FEEDBACK", "TASK_RESOURCE_LIMITS"})
    EXPECT_NE(state.find("\"" + std::string(name) + "\""), std::string::npos) << name;
  EXPECT_TRUE(agent.get("/files/read?path=/slave/log&offset=0").starts_with("404")) << "nobody keeps one";
}

TEST_F(Agent, has_an_answer_for_every_call) {
  const auto* types = mesos::v1::agent::Call::Type_descriptor();
  for (int i = 0; i < types->value_count(); ++i) {
    const auto& name = types->value(i)->name();
    const std::string answer = agent.post("/api/v1", R"({"type":")" + std::string(name) + R"("})");
    EXPECT_EQ(answer.starts_with("501"), name == "UNKNOWN") << name << ": " << answer;
  }
}

TEST_F(Agent, explains_where_a_container_is_and_what_it_waits_for) {
  // Somebody who takes the connection and says nothing.
  const base::Fd silent(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ASSERT_EQ(bind(silent.get(), reinterpret_cast<sockaddr*>(&address), length), 0);
  ASSERT_EQ(listen(silent.get(), 5), 0);
  getsockname(silent.get(), reinterpret_cast<sockaddr*>(&address), &length);
  const std::string uri = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port)) + "/file";

  master.send(run(make_task("runs", "sleep 1000")));
  auto fetches = make_task("fetches", "true");
  fetches.mutable_command()->add_uris()->set_value(uri);
  master.send(run(fetches));
  auto quiet = make_task("quiet", "");
  quiet.clear_command();
  quiet.mutable_executor()->mutable_executor_id()->set_value("never-subscribes");
  quiet.mutable_executor()->mutable_command()->set_value("sleep 1000");
  master.send(run(quiet));
  ASSERT_TRUE(master.wait_for("runs", mesos::v1::TASK_RUNNING)) << log();
  const auto explained = [&](const std::string& executor) {
    const std::string link = agent.work_dir() + "/slaves/agent-1/frameworks/framework-1/executors/" + executor + "/runs/latest";
    char target[4096];
    const ssize_t size = readlink(link.c_str(), target, sizeof target);
    const std::string path(target, size > 0 ? static_cast<size_t>(size) : 0);
    return agent.get("/containers/explain?container=" + path.substr(path.rfind('/') + 1));
  };
  if (geteuid() != 0) GTEST_SKIP() << "limits and namespaces need root";
  const std::string runs = explained("runs");
  for (const char* piece : {R"(200 {"container_id":")", R"("executor_id":"runs")", R"("stage":"RUNNING")", R"("waits_for":"")", R"("pid":)",
                            R"("limits":{"cpus":0.2)", R"("memory_limit_bytes":67108864)", R"("out_of_memory_kills":0)",
                            R"("namespaces":{)", R"("net":"net:[)", R"("shared_namespaces":[)", R"("isolators":[)", R"("statistics":{)"})
    EXPECT_NE(runs.find(piece), std::string::npos) << piece << " in " << runs;
  EXPECT_TRUE(master.wait([&] { return explained("fetches").find(R"("stage":"FETCHING")") != std::string::npos; }))
      << explained("fetches");
  EXPECT_NE(explained("fetches").find(R"("waits_for":"its fetch of )" + uri), std::string::npos) << explained("fetches");
  EXPECT_TRUE(master.wait([&] { return explained("never-subscribes").find("its executor to subscribe") != std::string::npos; }))
      << explained("never-subscribes");
  EXPECT_TRUE(agent.get("/containers/explain").starts_with("400 "));
  EXPECT_TRUE(agent.get("/containers/explain?container=no-such").starts_with("404 "));
}

/// Waits until an audit says just that.
#define EXPECT_AUDIT(words) \
  EXPECT_TRUE(master.wait([&] { return agent.audit().find(words) != std::string::npos; })) << agent.audit()

TEST_F(Agent, is_clean_to_an_audit_with_its_tasks_and_without) {
  EXPECT_AUDIT("0 clean: 0 left over, 0 missing; the agent runs and has 0 containers");
  master.send(run(make_task("t1", "sleep 1000")));
  master.send(run(make_task("t2", "exit 1")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING)) << log();
  ASSERT_TRUE(master.wait_for("t2", mesos::v1::TASK_FAILED)) << log();
  EXPECT_AUDIT("0 clean: 0 left over, 0 missing; the agent runs and has 1 containers");
  agent.stop(SIGTERM);
  EXPECT_AUDIT("0 clean: 0 left over, 0 missing; the agent does not run and has 1 containers");
  agent.start();
  ASSERT_TRUE(master.wait_for_agent(2));
}

TEST_F(Agent, audit_finds_what_is_left_over_and_what_is_missing) {
  if (geteuid() != 0) GTEST_SKIP() << "needs root";
  master.send(run(make_task("t1", "sleep 1000")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING)) << log();
  const std::string work = agent.work_dir();
  const std::string container = base::list_directory(work + "/run/containers").value().at(0);
  const auto pid = base::read_file(work + "/run/containers/" + container + "/pid").value();
  agent.kill_hard();
  kill(static_cast<pid_t>(std::stol(pid)), SIGKILL);
  // Beside it lies what belongs to nothing.
  const std::string first = base::exists("/sys/fs/cgroup/freezer") ? "/sys/fs/cgroup/freezer/" : "/sys/fs/cgroup/";
  const std::string cgroup = first + agent.cgroups_root();
  const bool groups = base::exists(cgroup);
  const std::string executor = work + "/slaves/agent-0/frameworks/f/executors/e";
  for (const std::string& path : {work + "/run/containers/orphan", work + "/run/containers.trash/old-root", executor + "/runs/c",
                                  work + "/volumes/roles/web/data", work + "/store/docker/staging/1-1",
                                  work + "/store/docker/layers/sha256-bad"})
    ASSERT_TRUE(base::make_directories(path));
  if (groups) {
    ASSERT_TRUE(base::make_directories(cgroup + "/stray"));
  }
  std::string found;
  // A process that was killed is there until its parent has heard of it.
  ASSERT_TRUE(master.wait([&] { return (found = agent.audit()).find("missing container") != std::string::npos; })) << found;
  EXPECT_TRUE(found.starts_with("1 ")) << found;
  std::vector<std::string> wanted = {"left container " + work + "/run/containers/orphan: ",
                                     "left file " + work + "/run/containers.trash/old-root: ",
                                     "left file " + work + "/store/docker/staging/1-1: ",
                                     "left layer " + work + "/store/docker/layers/sha256-bad: ",
                                     "left sandbox " + executor + "/runs/c: ",
                                     "left socket " + work + "/run/agent.sock: ",
                                     "left volume " + work + "/volumes/roles/web/data: ",
                                     "missing container " + container + ": "};
  if (groups) wanted.push_back("left cgroup stray: ");
  for (const auto& line : wanted) EXPECT_NE(found.find(line), std::string::npos) << line << "\n" << found;
  EXPECT_NE(found.find("not clean: " + std::to_string(wanted.size() - 1) + " left over, 1 missing"), std::string::npos) << found;
  // All but the volume is what the next start takes away, or has a time to go from then on.
  agent.start();
  ASSERT_TRUE(master.wait_for_agent(2)) << log();
  EXPECT_AUDIT("not clean: 1 left over, 0 missing; the agent runs and has 0 containers");
  EXPECT_TRUE(agent.audit().starts_with("1 left volume " + work + "/volumes/roles/web/data"));
}

TEST_F(Agent, is_told_from_another_agent_of_the_machine_by_an_audit) {
  AgentProcess other{master.address()};
  other.start();
  ASSERT_TRUE(master.wait_for_agent(2));
  const std::string there = other.work_dir();
  ASSERT_TRUE(base::make_directories(there + "/run/containers/orphan"));
  EXPECT_TRUE(other.audit().starts_with("1 left container " + there + "/run/containers/orphan")) << other.audit();
  EXPECT_TRUE(agent.audit().starts_with("0 clean")) << agent.audit();
}

/// An agent whose images are archives in a directory of the test's.
class AgentWithImages : public Agent {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "images need root";
    const auto busybox = base::read_file("/bin/busybox");
    if (!busybox) GTEST_SKIP() << "needs busybox-static";
    namespace fakes = containerizer::images::testing;
    fakes::TarWriter tar;
    tar.file("bin/busybox", *busybox, 0755).file("etc/passwd", "app:x:77:78::/:/bin/sh\n");
    for (const char* name : {"sh", "sleep", "id", "test", "echo"}) tar.symlink(std::string("bin/") + name, "busybox");
    const fakes::FakeImage image{.layers = {tar.finish()},
                                 .config = R"({"Entrypoint":["/bin/sh","-c"],"Cmd":["id -u; echo $A; exec sleep 1000"],)"
                                           R"("Env":["A=b"],"User":"app"})"};
    ASSERT_TRUE(base::write_file(archives / "app:1.tar", fakes::FakeRegistry::archive(image, "app:1")));
    Agent::SetUp();
  }

  void TearDown() override {
    if (!IsSkipped()) Agent::TearDown();
  }

  static mesos::v1::TaskInfo image_task(const std::string& id) {
    auto task = make_task(id, "");
    task.mutable_command()->Clear();
    task.mutable_command()->set_shell(false);
    task.mutable_container()->set_type(mesos::v1::ContainerInfo::DOCKER);
    task.mutable_container()->mutable_docker()->set_image("app:1");
    return task;
  }

};

TEST_F(AgentWithImages, shows_an_image_as_a_volume_through_a_restart) {
  auto task = make_task("t1", "vol/bin/busybox echo here; exec sleep 1000");
  task.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
  auto* volume = task.mutable_container()->add_volumes();
  volume->set_container_path("vol");
  volume->set_mode(mesos::v1::Volume::RO);
  volume->mutable_image()->set_type(mesos::v1::Image::DOCKER);
  volume->mutable_image()->mutable_docker()->set_name("app:1");
  master.send(run(task));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING)) << log();
  EXPECT_TRUE(master.wait([&] { return base::read_file(sandbox("t1") + "/stdout").value_or("") == "here\n"; })) << log();
  agent.kill_hard();
  agent.start();
  ASSERT_TRUE(master.wait_for_agent(2)) << log();
  const auto images = [this] { return base::list_directory(agent.work_dir() + "/store/docker/images").value_or({}).size(); };
  EXPECT_EQ(agent.post("/api/v1", R"({"type":"PRUNE_IMAGES"})"), "200 ");
  EXPECT_EQ(images(), 1U) << "it is in use";
  master.send(kill_of("t1"));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_KILLED)) << log();
  EXPECT_EQ(agent.post("/api/v1", R"({"type":"PRUNE_IMAGES"})"), "200 ");
  EXPECT_EQ(images(), 0U);
}

TEST_F(AgentWithImages, removes_images_when_told_to) {
  master.send(run(image_task("t1")));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING)) << log();
  const auto images = [this] { return base::list_directory(agent.work_dir() + "/store/docker/images").value_or({}).size(); };
  const auto prune = [this](const std::string& excluded) {
    return agent.post("/api/v1", R"({"type":"PRUNE_IMAGES","prune_images":{"excluded_images":[)" + excluded + "]}}");
  };
  EXPECT_EQ(prune(""), "200 ");
  EXPECT_EQ(images(), 1U) << "it is in use";
  master.send(kill_of("t1"));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_KILLED)) << log();
  EXPECT_EQ(prune(R"({"type":"APPC","appc":{"name":"x"}})"),
            "400 prune_images.excluded_images must be of type DOCKER and have docker.name");
  EXPECT_EQ(prune(R"({"type":"DOCKER","docker":{"name":"app:1"}})"), "200 ");
  EXPECT_EQ(images(), 1U);
  EXPECT_EQ(prune(""), "200 ");
  EXPECT_EQ(images(), 0U);
}

TEST_F(AgentWithImages, runs_a_docker_container_through_a_restart) {
  auto task = image_task("t1");
  auto* check = task.mutable_health_check();
  check->set_type(mesos::v1::HealthCheck::COMMAND);
  check->mutable_command()->set_value("test $(id -u) = 77 && test $A = b");
  check->set_delay_seconds(0);
  check->set_interval_seconds(0.1);
  master.send(run(task));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_RUNNING)) << log();
  const auto running = master.update("t1", mesos::v1::TASK_RUNNING);
  EXPECT_TRUE(running.data().starts_with(R"([{"Id":")")) << running.data();
  EXPECT_NE(running.data().find(R"("Image":"app:1")"), std::string::npos);
  EXPECT_EQ(running.container_status().network_infos(0).ip_addresses(0).ip_address(), "127.0.0.1");
  EXPECT_TRUE(master.wait([&] { return master.updates("t1").back().healthy(); })) << log();
  EXPECT_EQ(base::read_file(sandbox("t1") + "/stdout").value_or(""), "77\nb\n");
  agent.kill_hard();
  agent.start();
  ASSERT_TRUE(master.wait_for_agent(2)) << log();
  const size_t before = master.updates("t1").size();
  EXPECT_TRUE(master.wait([&] { return master.updates("t1").size() > before && master.updates("t1").back().healthy(); })) << log();
  master.send(kill_of("t1"));
  ASSERT_TRUE(master.wait_for("t1", mesos::v1::TASK_KILLED)) << log();
}

TEST_F(AgentWithImages, refuses_what_it_cannot_do_in_words) {
  auto bridge = image_task("bridge");
  bridge.mutable_container()->mutable_docker()->set_network(mesos::v1::ContainerInfo::DockerInfo::BRIDGE);
  auto appc = image_task("appc");
  appc.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
  appc.mutable_container()->clear_docker();
  appc.mutable_container()->mutable_mesos()->mutable_image()->set_type(mesos::v1::Image::APPC);
  auto option = image_task("option");
  auto* parameter = option.mutable_container()->mutable_docker()->add_parameters();
  parameter->set_key("blkio-weight");
  parameter->set_value("5");
  auto missing = image_task("missing");
  missing.mutable_container()->mutable_docker()->set_image("app:2");
  for (const auto& [task, words] : {std::pair{bridge, "Unknown CNI network 'mesos-bridge'"},
                                    {appc, "APPC"},
                                    {option, "blkio-weight"},
                                    {missing, "app:2.tar"}}) {
    const std::string id = task.task_id().value();
    master.send(run(task));
    ASSERT_TRUE(master.wait_for(id, mesos::v1::TASK_FAILED)) << id << log();
    const auto status = master.update(id, mesos::v1::TASK_FAILED);
    EXPECT_EQ(status.reason(), mesos::v1::TaskStatus::REASON_CONTAINER_LAUNCH_FAILED);
    EXPECT_NE(status.message().find(words), std::string::npos) << status.message();
  }
}

}  // namespace
}  // namespace agent
