// A whole agent: the life of tasks, restarts, what it answers.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/http/sse.hpp"
#include "base/loop.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/agent/testing/whole_agent.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"

namespace agent {
namespace {

using testing::Agent;
using testing::AgentProcess;
using testing::FakeMaster;
using testing::MasterMessage;
using testing::kill_of;
using testing::make_task;
using testing::run;

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

}  // namespace
}  // namespace agent
