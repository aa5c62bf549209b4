// Task groups under a whole agent: the default executor, containers inside its container, and the calls that make them.

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <iostream>
#include <thread>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "base/http/test_certificates.hpp"
#include "base/http/tls.hpp"
#include "base/loop.hpp"
#include "base/recordio.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "kernel/agent/testing/agent_process.hpp"
#include "kernel/agent/testing/fake_master.hpp"
#include "kernel/agent/testing/whole_agent.hpp"
#include "kernel/auth/executor_token.hpp"

namespace agent {
namespace {

using dcos::internal::v1::MasterMessage;
using mesos::v1::TaskInfo;
using testing::AgentProcess;
using testing::FakeMaster;
using testing::kill_of;

void add_resource(google::protobuf::RepeatedPtrField<mesos::v1::Resource>& list, const char* name, double amount) {
  auto* resource = list.Add();
  resource->set_name(name);
  resource->set_type(mesos::v1::Value::SCALAR);
  resource->mutable_scalar()->set_value(amount);
}

TaskInfo make_task(const std::string& id, const std::string& command) {
  TaskInfo task;
  task.set_name(id);
  task.mutable_task_id()->set_value(id);
  task.mutable_agent_id()->set_value("agent-1");
  task.mutable_command()->set_value(command);
  add_resource(*task.mutable_resources(), "cpus", 0.1);
  add_resource(*task.mutable_resources(), "mem", 32);
  return task;
}

MasterMessage group_of(const std::vector<TaskInfo>& tasks, const std::string& executor = "pod") {
  MasterMessage message;
  auto& run = *message.mutable_run_task_group();
  auto& framework = *run.mutable_framework_info();
  framework.mutable_id()->set_value("framework-1");
  framework.set_name("test");
  framework.set_user("root");
  framework.set_checkpoint(true);
  framework.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::PARTITION_AWARE);
  framework.add_capabilities()->set_type(mesos::v1::FrameworkInfo::Capability::TASK_KILLING_STATE);
  run.set_launch_executor(true);
  run.mutable_executor()->set_type(mesos::v1::ExecutorInfo::DEFAULT);
  run.mutable_executor()->mutable_executor_id()->set_value(executor);
  add_resource(*run.mutable_executor()->mutable_resources(), "cpus", 0.1);
  add_resource(*run.mutable_executor()->mutable_resources(), "mem", 32);
  for (const auto& task : tasks) *run.mutable_task_group()->add_tasks() = task;
  return message;
}

/// Ends well when it is asked to.
const std::string kSleep = "exec sleep 1000";

class Pods : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
    agent.start();
    ASSERT_TRUE(master.wait_for_agent()) << log();
  }

  void TearDown() override {
    if (agent.running()) {
      EXPECT_TRUE(WIFEXITED(agent.stop(SIGUSR1)));
    }
    EXPECT_TRUE(master.wait([this] { return agent.leftovers().empty(); }, 15)) << base::join(agent.leftovers(), "\n");
    if (HasFailure()) std::cerr << log() << "\n--- executor\n" << base::read_file(sandbox() + "/stderr").value_or("");
  }

  std::string log() const { return base::read_file(agent.work_dir() + "/agent.log").value_or("no log"); }
  std::string sandbox(const std::string& executor = "pod") const {
    return agent.work_dir() + "/slaves/agent-1/frameworks/framework-1/executors/" + executor + "/runs/latest";
  }
  /// A file of a task's own sandbox.
  std::string output(const std::string& task, const std::string& file = "stdout") const {
    return base::read_file(sandbox() + "/tasks/" + task + "/" + file).value_or("");
  }
  bool eventually_prints(const std::string& task, const std::string& text) const {
    return master.wait([&] { return output(task).find(text) != std::string::npos; });
  }
  std::string states(const std::string& task) const {
    std::string text;
    for (const auto& status : master.updates(task)) {
      const std::string name = mesos::v1::TaskState_Name(status.state()).substr(5);
      if (!text.ends_with(name)) text += (text.empty() ? "" : " ") + name;
    }
    return text;
  }
  mesos::v1::ContainerID container_of(const std::string& task) const {
    return master.update(task, mesos::v1::TASK_RUNNING).container_status().container_id();
  }
  std::string call(const std::string& json) const { return agent.post("/api/v1", json); }
  std::string id_json(const std::string& task) const {
    const auto id = container_of(task);
    return R"({"value":")" + id.value() + R"(","parent":{"value":")" + id.parent().value() + R"("}})";
  }
  bool gone(const std::string& executor = "pod") const {
    return master.wait([&] {
      for (const auto& message : master.received())
        if (message.has_exited_executor() && message.exited_executor().executor_id().value() == executor) return true;
      return false;
    });
  }

  explicit Pods(std::vector<std::string> flags = {}) : agent(master.address(), std::move(flags)) {}

  FakeMaster master;
  AgentProcess agent;
};

TEST_F(Pods, run_their_tasks_in_containers_of_one_executor) {
  master.send(group_of({make_task("a", "echo $MESOS_CONTAINER_IP; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; " + kSleep),
                        make_task("b", "echo b-$MESOS_SANDBOX; readlink /proc/self/ns/net; readlink /proc/self/ns/ipc; exit 0")}));
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_RUNNING)) << log();
  ASSERT_TRUE(master.wait_for("b", mesos::v1::TASK_FINISHED)) << log();
  EXPECT_EQ(states("b"), "STARTING RUNNING FINISHED");
  const auto running = master.update("a", mesos::v1::TASK_RUNNING);
  EXPECT_EQ(running.container_status().network_infos(0).ip_addresses(0).ip_address(), "127.0.0.1");
  EXPECT_EQ(running.container_status().network_infos_size(), 1);
  EXPECT_TRUE(running.container_status().container_id().has_parent());
  EXPECT_EQ(running.container_status().container_id().parent().value(), container_of("b").parent().value());
  EXPECT_NE(container_of("a").value(), container_of("b").value());
  EXPECT_EQ(running.executor_id().value(), "pod");
  ASSERT_TRUE(eventually_prints("a", "ipc:["));
  const std::string text_a = output("a"), text_b = output("b");
  const auto of_a = base::split(text_a, '\n'), of_b = base::split(text_b, '\n');
  EXPECT_EQ(of_a[0], "127.0.0.1");
  EXPECT_EQ(of_a[1], of_b[1]) << "one network";
  EXPECT_EQ(of_a[2], of_b[2]) << "one set of semaphores and shared memory";
  EXPECT_TRUE(std::string(of_b[0]).ends_with("/containers/" + container_of("b").value())) << of_b[0];
  // A task that ends well ends nobody else.
  EXPECT_EQ(states("a"), "STARTING RUNNING");
  const std::string containers = call(R"({"type":"GET_CONTAINERS","get_containers":{"show_nested":true}})");
  EXPECT_NE(containers.find(container_of("a").value()), std::string::npos) << containers;
  EXPECT_NE(containers.find(R"("parent":{"value":")"), std::string::npos) << containers;
  EXPECT_EQ(call(R"({"type":"GET_CONTAINERS"})").find(container_of("a").value()), std::string::npos) << "only on request";

  master.send(kill_of("a"));
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_KILLED)) << log();
  EXPECT_EQ(states("a"), "STARTING RUNNING KILLING KILLED");
  EXPECT_TRUE(gone()) << "an executor without tasks ends";
}

/// Files that flags name.
std::string file_with(const char* text) {
  static const base::testing::TemporaryDirectory directory;
  static int number = 0;
  const std::string path = directory / std::to_string(number++);
  EXPECT_TRUE(base::write_file(path, text, 0600));
  return path;
}

/// An agent that asks everybody who they are.
class ClosedPods : public Pods {
 protected:
  ClosedPods()
      : Pods({"--authenticate_http_readwrite", "--authenticate_http_executors", "--jwt_secret_key=file://" + file_with("key"),
              "--http_credentials=file://" + file_with(R"({"credentials":[{"principal":"ops","secret":"s"}]})")}) {}

  /// The status of a call with an Authorization header, and its body.
  std::string call_as(const std::string& authorization, const std::string& path, const std::string& json) const {
    base::http::ClientRequest request;
    request.method = "POST";
    request.url = *base::http::Url::parse("http://127.0.0.1:" + std::to_string(agent.port()) + path);
    request.body = json;
    request.headers.set("Content-Type", "application/json");
    if (!authorization.empty()) request.headers.set("Authorization", authorization);
    const auto response = base::http::fetch(std::move(request));
    return response ? std::to_string(response->status) + " " + response->body : response.error().message;
  }
};

TEST_F(ClosedPods, run_by_the_tokens_of_their_executors_alone) {
  auto checked = make_task("a", "env; " + kSleep);
  auto* check = checked.mutable_health_check();
  check->set_type(mesos::v1::HealthCheck::COMMAND);
  check->mutable_command()->set_value("true");
  check->set_delay_seconds(0);
  check->set_interval_seconds(0.05);
  master.send(group_of({checked, make_task("b", kSleep)}));
  master.send(group_of({make_task("other", kSleep)}, "other-pod"));
  for (const char* task : {"a", "b", "other"}) ASSERT_TRUE(master.wait_for(task, mesos::v1::TASK_RUNNING)) << log();
  EXPECT_TRUE(master.wait([&] { return master.updates("a").back().healthy(); })) << "sessions need the token too; " << log();

  const auto bearer = [](const std::string& key, const std::string& executor, const std::string& container) {
    return "Bearer " + auth::make_executor_token(key, {"framework-1", executor, container});
  };
  const std::string own = container_of("a").parent().value(), others = container_of("other").parent().value();
  const std::string kill_of_b =
      R"({"type":"KILL_NESTED_CONTAINER","kill_nested_container":{"container_id":)" + id_json("b") + R"(,"signal":30}})";
  EXPECT_TRUE(call_as("", "/api/v1", kill_of_b).starts_with("401")) << call_as("", "/api/v1", kill_of_b);
  EXPECT_TRUE(call_as(bearer("wrong", "pod", own), "/api/v1", kill_of_b).starts_with("401"));
  EXPECT_TRUE(call_as(bearer("key", "other-pod", others), "/api/v1", kill_of_b).starts_with("403"));
  EXPECT_TRUE(call_as(bearer("key", "pod", own), "/api/v1", R"({"type":"GET_STATE"})").starts_with("403"));
  EXPECT_TRUE(call_as(bearer("key", "pod", own), "/api/v1",
                      R"({"type":"KILL_CONTAINER","kill_container":{"container_id":{"value":")" + own + R"("}}})")
                  .starts_with("403"))
      << "its own container is not inside its own";
  const std::string message =
      R"({"type":"MESSAGE","executor_id":{"value":"pod"},"framework_id":{"value":"framework-1"},"message":{"data":"aGk="}})";
  EXPECT_TRUE(call_as("", "/api/v1/executor", message).starts_with("401"));
  EXPECT_TRUE(call_as(bearer("key", "other-pod", others), "/api/v1/executor", message).starts_with("403"));
  EXPECT_TRUE(call_as(bearer("key", "pod", "another-run"), "/api/v1/executor", message).starts_with("403"));
  EXPECT_TRUE(call_as(bearer("key", "pod", own), "/api/v1/executor", message).starts_with("202"));

  // Nobody but the executor's own process has the token: no task, no log, no answer of the agent.
  ASSERT_TRUE(eventually_prints("a", "MESOS_SANDBOX"));
  EXPECT_EQ(output("a").find("TOKEN"), std::string::npos) << output("a");
  const std::string token = bearer("key", "pod", own).substr(7);
  EXPECT_EQ(log().find(token), std::string::npos);
  EXPECT_EQ(agent.get("/state").find(token), std::string::npos);
  EXPECT_EQ(agent.get("/flags").find("jwt_secret_key"), std::string::npos);

  agent.kill_hard();
  agent.start();
  ASSERT_TRUE(master.wait_for_agent(2)) << log();
  master.send(kill_of("a"));
  for (const char* task : {"a", "b"}) ASSERT_TRUE(master.wait_for(task, mesos::v1::TASK_KILLED)) << log();
  EXPECT_EQ(states("other"), "STARTING RUNNING") << "it subscribed again";
}

TEST_F(Pods, end_with_the_first_task_that_fails) {
  master.send(group_of({make_task("bad", "until [ -e ../../go ]; do sleep 0.05; done; exit 3"), make_task("good", kSleep)}));
  ASSERT_TRUE(master.wait_for("bad", mesos::v1::TASK_RUNNING)) << log();
  ASSERT_TRUE(master.wait_for("good", mesos::v1::TASK_RUNNING)) << log();
  ASSERT_TRUE(base::write_file(sandbox() + "/go", "", 0644));
  ASSERT_TRUE(master.wait_for("bad", mesos::v1::TASK_FAILED)) << log();
  EXPECT_EQ(master.update("bad", mesos::v1::TASK_FAILED).message(), "Command exited with status 3");
  ASSERT_TRUE(master.wait_for("good", mesos::v1::TASK_KILLED)) << log();
  EXPECT_TRUE(gone());
}

TEST_F(Pods, fail_whole_when_a_container_cannot_be_made) {
  auto broken = make_task("broken", "true");
  broken.mutable_command()->set_user("no-such-user");
  master.send(group_of({broken, make_task("fine", kSleep)}));
  ASSERT_TRUE(master.wait_for("broken", mesos::v1::TASK_FAILED)) << log();
  const auto failed = master.update("broken", mesos::v1::TASK_FAILED);
  EXPECT_EQ(failed.reason(), mesos::v1::TaskStatus::REASON_CONTAINER_LAUNCH_FAILED);
  EXPECT_NE(failed.message().find("No such user 'no-such-user'"), std::string::npos) << failed.message();
  EXPECT_TRUE(master.wait_for("fine", mesos::v1::TASK_KILLED)) << log();
}

TEST_F(Pods, share_directories_of_the_executors_sandbox) {
  const auto with_volume = [](TaskInfo task, const std::string& path) {
    task.mutable_container()->set_type(mesos::v1::ContainerInfo::MESOS);
    auto* volume = task.mutable_container()->add_volumes();
    volume->set_container_path(path);
    volume->set_mode(mesos::v1::Volume::RW);
    volume->mutable_source()->set_type(mesos::v1::Volume::Source::SANDBOX_PATH);
    volume->mutable_source()->mutable_sandbox_path()->set_type(mesos::v1::Volume::Source::SandboxPath::PARENT);
    volume->mutable_source()->mutable_sandbox_path()->set_path("shared/data");
    return task;
  };
  master.send(group_of({with_volume(make_task("writer", "echo hello > mine/file.new; mv mine/file.new mine/file; " + kSleep), "mine"),
                        with_volume(make_task("reader", "until [ -e theirs/file ]; do sleep 0.05; done; cat theirs/file"), "theirs")}));
  ASSERT_TRUE(master.wait_for("reader", mesos::v1::TASK_FINISHED)) << log();
  EXPECT_EQ(output("reader"), "hello\n");
  EXPECT_EQ(base::read_file(sandbox() + "/shared/data/file").value_or(""), "hello\n");
  master.send(kill_of("writer"));
  ASSERT_TRUE(master.wait_for("writer", mesos::v1::TASK_KILLED));
}

TEST_F(Pods, survive_their_agent) {
  master.send(group_of({make_task("a", "until [ -e ../../go ]; do sleep 0.05; done; exit 7"), make_task("b", kSleep)}));
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_RUNNING)) << log();
  ASSERT_TRUE(master.wait_for("b", mesos::v1::TASK_RUNNING)) << log();
  agent.kill_hard();
  agent.start();
  ASSERT_TRUE(master.wait_for_agent(2)) << log();
  EXPECT_EQ(states("a"), "STARTING RUNNING");

  // What ends while the agent is away is told truly when it is back.
  agent.kill_hard();
  ASSERT_TRUE(base::write_file(sandbox() + "/go", "", 0644));
  ASSERT_TRUE(master.wait([&] {  // its helper has written how it ended
    return base::exists(agent.work_dir() + "/run/containers/" + container_of("a").parent().value() + "." +
                        container_of("a").value() + "/status");
  }));
  agent.start();
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_FAILED)) << log();
  EXPECT_EQ(master.update("a", mesos::v1::TASK_FAILED).message(), "Command exited with status 7");
  EXPECT_TRUE(master.wait_for("b", mesos::v1::TASK_KILLED)) << log();
  EXPECT_TRUE(gone());
}

TEST_F(Pods, answer_to_tcp_and_http_probes_on_their_network) {
  // No listener: the health check fails until it gives up.
  auto task = make_task("probed", kSleep);
  auto* health = task.mutable_health_check();
  health->set_type(mesos::v1::HealthCheck::TCP);
  health->mutable_tcp()->set_port(1);
  health->set_delay_seconds(0);
  health->set_interval_seconds(0.05);
  health->set_grace_period_seconds(0);
  health->set_consecutive_failures(2);
  master.send(group_of({task, make_task("other", kSleep)}));
  ASSERT_TRUE(master.wait_for("probed", mesos::v1::TASK_KILLED)) << log();
  EXPECT_FALSE(master.update("probed", mesos::v1::TASK_KILLED).healthy());
  EXPECT_TRUE(master.update("probed", mesos::v1::TASK_KILLED).has_healthy());
  EXPECT_TRUE(master.wait_for("other", mesos::v1::TASK_KILLED)) << log();
}

TEST_F(Pods, answer_to_probes_over_https) {
  base::http::TestAuthority authority("nobody knows it");
  authority.issue("server");
  base::TlsSettings settings;
  settings.enabled = true;
  settings.cert_file = authority.cert_file("server");
  settings.key_file = authority.key_file("server");
  base::http::ServerOptions options;
  options.tls = base::http::Tls::open(settings).value();
  std::atomic<int> status = 200, probes = 0;
  base::Loop loop;
  base::http::Server server(loop, std::move(options), [&](base::http::Request request, base::http::Responder responder) {
    ++probes;
    if (request.path == "/there") return responder.reply(base::http::Response::text(status, std::string(100'000, 'x')));
    base::http::Response elsewhere = base::http::Response::text(302, "");
    elsewhere.headers.set("Location", "/there");
    responder.reply(std::move(elsewhere));
  });
  const uint16_t port = server.listen("127.0.0.1", 0).value();
  std::thread serving([&loop] { loop.run(); });
  const auto probed = [port](const std::string& id, const std::string& scheme, uint16_t at) {
    auto task = make_task(id, kSleep);
    auto* health = task.mutable_health_check();
    health->set_type(mesos::v1::HealthCheck::HTTP);
    health->mutable_http()->set_scheme(scheme);
    health->mutable_http()->set_port(at == 0 ? port : at);
    health->mutable_http()->set_path("/here");
    health->set_delay_seconds(0);
    health->set_interval_seconds(0.05);
    health->set_grace_period_seconds(0);
    health->set_consecutive_failures(3);
    return task;
  };
  master.send(group_of({probed("good", "https", 0)}, "pod"));
  const auto told_healthy = [this](const std::string& id) {
    const auto updates = master.updates(id);
    return std::any_of(updates.begin(), updates.end(), [](const auto& each) { return each.has_healthy() && each.healthy(); });
  };
  EXPECT_TRUE(master.wait([&] { return told_healthy("good"); })) << log();
  // What speaks no TLS is no good answer.
  master.send(group_of({probed("plain", "https", agent.port())}, "other-pod"));
  EXPECT_TRUE(master.wait_for("plain", mesos::v1::TASK_KILLED)) << log();
  EXPECT_FALSE(told_healthy("plain"));
  status = 503;
  EXPECT_TRUE(master.wait_for("good", mesos::v1::TASK_KILLED)) << log();
  EXPECT_FALSE(master.update("good", mesos::v1::TASK_KILLED).healthy());
  loop.post([&loop] { loop.stop(); });
  serving.join();
}

TEST_F(Pods, answer_to_commands_run_inside_their_containers) {
  // Healthy as long as a file lies in the task's own sandbox.
  auto task = make_task("probed", "touch well; " + kSleep);
  auto* health = task.mutable_health_check();
  health->set_type(mesos::v1::HealthCheck::COMMAND);
  health->mutable_command()->set_value("test -e well && test \"$COLOUR\" = blue");
  auto* colour = task.mutable_command()->mutable_environment()->add_variables();
  colour->set_name("COLOUR");
  colour->set_value("blue");
  health->set_delay_seconds(0);
  health->set_interval_seconds(0.05);
  health->set_grace_period_seconds(1000);
  health->set_consecutive_failures(2);
  master.send(group_of({task}));
  ASSERT_TRUE(master.wait([this] {
    const auto updates = master.updates("probed");
    return !updates.empty() && updates.back().has_healthy() && updates.back().healthy();
  })) << log();
  ASSERT_EQ(::unlink((sandbox() + "/tasks/probed/well").c_str()), 0);
  ASSERT_TRUE(master.wait_for("probed", mesos::v1::TASK_KILLED)) << log();
  EXPECT_FALSE(master.update("probed", mesos::v1::TASK_KILLED).healthy());
}

TEST_F(Pods, sessions_inside_them_stream_their_output_and_need_the_right_headers) {
  master.send(group_of({make_task("a", kSleep)}));
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_RUNNING)) << log();
  const auto launch = [&](const std::string& id, const std::string& command) {
    return call(R"({"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":{"value":")" + id +
                R"(","parent":)" + id_json("a") + R"(},"command":{"value":")" + command + R"("}}})");
  };
  const std::string said = launch("guest", "echo out; echo err >&2; exit 4");
  EXPECT_TRUE(said.starts_with("200 ")) << said;
  EXPECT_NE(said.find(R"("type":"STDOUT","data":"b3V0Cg==")"), std::string::npos) << said;
  EXPECT_NE(said.find(R"("type":"STDERR","data":"ZXJyCg==")"), std::string::npos) << said;
  EXPECT_NE(call(R"({"type":"WAIT_CONTAINER","wait_container":{"container_id":{"value":"guest","parent":)" + id_json("a") + "}}}")
                .find(R"("exit_status":1024)"), std::string::npos);
  EXPECT_TRUE(launch("other", "true").starts_with("200"));
  const std::string attach = R"({"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":)";
  EXPECT_TRUE(call(attach + R"({"value":"nobody"}}})").starts_with("404 Container nobody cannot be found"));
  EXPECT_TRUE(call(R"({"type":"ATTACH_CONTAINER_OUTPUT"})").starts_with("400"));
  EXPECT_TRUE(call(R"({"type":"ATTACH_CONTAINER_INPUT"})").starts_with("415"));
}

TEST_F(Pods, tell_those_who_attach_what_they_print_from_then_on) {
  master.send(group_of({make_task("a", "echo before; until [ -e ../../go ]; do sleep 0.05; done; echo out; echo err >&2")}));
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_RUNNING)) << log();
  ASSERT_TRUE(eventually_prints("a", "before"));
  auto said = std::async(std::launch::async, [this, id = id_json("a")] {
    return call(R"({"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":)" + id + "}}");
  });
  const std::string attached = R"("containerizer/streams/outputs":1)";
  ASSERT_TRUE(master.wait([&] { return agent.get("/metrics/snapshot").find(attached) != std::string::npos; }));
  ASSERT_TRUE(base::write_file(sandbox() + "/go", "", 0644));
  const std::string text = said.get();
  EXPECT_TRUE(text.starts_with("200 ")) << text;
  EXPECT_NE(text.find(R"("type":"STDOUT","data":"b3V0Cg==")"), std::string::npos) << text;
  EXPECT_NE(text.find(R"("type":"STDERR","data":"ZXJyCg==")"), std::string::npos) << text;
  EXPECT_EQ(text.find("YmVmb3Jl"), std::string::npos) << "what was printed before is in the files";
}

class PodsOfOthers : public Pods {
 protected:
  PodsOfOthers() : Pods({R"(--acls={"launch_nested_container_sessions_as_user":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}],)"
                         R"("attach_containers_input":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}],)"
                         R"("attach_containers_output":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]})"}) {}
};

TEST_F(PodsOfOthers, take_no_sessions_and_no_attachments) {
  master.send(group_of({make_task("a", kSleep)}));
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_RUNNING)) << log();
  EXPECT_TRUE(call(R"({"type":"LAUNCH_NESTED_CONTAINER_SESSION","launch_nested_container_session":{"container_id":{"value":"s","parent":)" +
                   id_json("a") + R"(},"command":{"value":"true"}}})").starts_with("403"));
  EXPECT_TRUE(call(R"({"type":"ATTACH_CONTAINER_OUTPUT","attach_container_output":{"container_id":)" + id_json("a") + "}}")
                  .starts_with("403"));
  const std::string record =
      R"({"type":"ATTACH_CONTAINER_INPUT","attach_container_input":{"type":"CONTAINER_ID","container_id":)" + id_json("a") + "}}";
  base::http::ClientRequest request;
  request.method = "POST";
  request.url = *base::http::Url::parse("http://127.0.0.1:" + std::to_string(agent.port()) + "/api/v1");
  request.body = base::encode_record(record);
  request.headers.set("Content-Type", "application/recordio");
  EXPECT_EQ(base::http::fetch(request)->status, 400) << "it does not say what its records are";
  request.headers.set("Message-Content-Type", "application/json");
  EXPECT_EQ(base::http::fetch(request)->status, 403);
}

class GuardedPods : public Pods {
 protected:
  GuardedPods()
      : Pods({R"(--acls={"launch_nested_containers_as_user":[{"principals":{"type":"ANY"},"users":{"values":["root"]}},)"
              R"({"principals":{"type":"ANY"},"users":{"type":"NONE"}}],)"
              R"("kill_nested_containers":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}],)"
              R"("remove_nested_containers":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}],)"
              R"("launch_standalone_containers":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}],)"
              R"("view_containers":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]})"}) {}
};

TEST_F(GuardedPods, answer_only_whom_the_lists_let) {
  master.send(group_of({make_task("a", "until [ -e ../../go ]; do sleep 0.05; done")}));
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_RUNNING)) << log() << "the executor launches and waits as root";
  const std::string id = R"({"value":"guest","parent":)" + id_json("a") + "}";
  const auto launch = [&](const std::string& user) {
    return call(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":)" + id + R"(,"command":{"user":")" + user +
                R"(","value":"exec sleep 1000"}}})");
  };
  EXPECT_TRUE(launch("nobody").starts_with("403"));
  EXPECT_TRUE(launch("root").starts_with("200"));
  for (const std::string type : {"KILL_CONTAINER", "KILL_NESTED_CONTAINER", "REMOVE_CONTAINER", "REMOVE_NESTED_CONTAINER"})
    EXPECT_TRUE(call(R"({"type":")" + type + R"(",")" + base::to_lower(type) + R"(":{"container_id":)" + id + "}}").starts_with("403"))
        << type;
  EXPECT_TRUE(call(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"alone"},"command":{"value":"true"}}})")
                  .starts_with("403"));
  EXPECT_EQ(call(R"({"type":"GET_CONTAINERS","get_containers":{"show_nested":true,"show_standalone":true}})").find("guest"),
            std::string::npos);
  ASSERT_TRUE(base::write_file(sandbox() + "/go", "", 0644));
  EXPECT_TRUE(master.wait_for("a", mesos::v1::TASK_FINISHED)) << log();
}

TEST_F(Pods, containers_can_be_launched_awaited_signalled_and_removed_by_calls) {
  master.send(group_of({make_task("a", kSleep)}));
  ASSERT_TRUE(master.wait_for("a", mesos::v1::TASK_RUNNING)) << log();
  const auto parent = container_of("a");
  const std::string id = R"({"value":"guest","parent":)" + id_json("a") + "}";
  const auto with_id = [&](const std::string& type, const std::string& more = "") {
    return call(R"({"type":")" + type + R"(",")" + base::to_lower(type) + R"(":{"container_id":)" + id + more + "}}");
  };
  const std::string program = R"(,"command":{"value":"trap 'exit 5' USR1; touch ready; while true; do sleep 0.05; done"})";
  EXPECT_TRUE(with_id("LAUNCH_NESTED_CONTAINER", program).starts_with("200"));
  EXPECT_TRUE(with_id("LAUNCH_NESTED_CONTAINER", program).starts_with("202")) << "it is there already";
  EXPECT_TRUE(with_id("REMOVE_NESTED_CONTAINER").starts_with("500 Nested container has not terminated yet"));
  const std::string own = sandbox() + "/containers/" + parent.value() + "/containers/guest";
  ASSERT_TRUE(master.wait([&] { return base::exists(own + "/ready"); })) << "signals are heard from here on";
  EXPECT_TRUE(with_id("KILL_NESTED_CONTAINER", R"(,"signal":10)").starts_with("200"));
  // The raw wait status, however often it is asked for.
  for (int i = 0; i < 2; ++i) {
    const std::string waited = with_id("WAIT_NESTED_CONTAINER");
    EXPECT_NE(waited.find(R"("exit_status":1280)"), std::string::npos) << waited;
    EXPECT_NE(waited.find(R"("type":"WAIT_NESTED_CONTAINER")"), std::string::npos) << waited;
  }
  EXPECT_TRUE(with_id("KILL_NESTED_CONTAINER").starts_with("404"));
  EXPECT_TRUE(base::exists(own + "/stdout"));
  EXPECT_TRUE(with_id("REMOVE_NESTED_CONTAINER").starts_with("200"));
  EXPECT_TRUE(master.wait([&] { return !base::exists(own); }));
  EXPECT_TRUE(with_id("WAIT_NESTED_CONTAINER").starts_with("404"));
  EXPECT_TRUE(with_id("REMOVE_NESTED_CONTAINER").starts_with("200")) << "what is not there is removed";

  // What cannot be is refused by name.
  EXPECT_TRUE(call(R"({"type":"LAUNCH_CONTAINER"})").starts_with("400 Failed to validate agent::Call: Expecting 'launch_container'"));
  EXPECT_TRUE(call(R"({"type":"LAUNCH_NESTED_CONTAINER","launch_nested_container":{"container_id":{"value":"x"},)"
                   R"("command":{"value":"true"}}})").starts_with("400"));
  EXPECT_TRUE(call(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"x","parent":{"value":"nobody"}},)"
                   R"("command":{"value":"true"}}})").starts_with("400 The parent container nobody cannot be found"));
  EXPECT_TRUE(call(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"../x"},)"
                   R"("command":{"value":"true"}}})").starts_with("400"));

  // A container that stands alone.
  EXPECT_TRUE(call(R"({"type":"LAUNCH_CONTAINER","launch_container":{"container_id":{"value":"alone"},)"
                   R"("command":{"value":"echo $MESOS_SANDBOX; exit 2"}}})").starts_with("200"));
  const std::string ended = call(R"({"type":"WAIT_CONTAINER","wait_container":{"container_id":{"value":"alone"}}})");
  EXPECT_NE(ended.find(R"("exit_status":512)"), std::string::npos) << ended;
  EXPECT_EQ(base::read_file(agent.work_dir() + "/containers/alone/stdout").value_or(""), agent.work_dir() + "/containers/alone\n");
  EXPECT_TRUE(call(R"({"type":"REMOVE_CONTAINER","remove_container":{"container_id":{"value":"alone"}}})").starts_with("200"));
}

}  // namespace
}  // namespace agent
