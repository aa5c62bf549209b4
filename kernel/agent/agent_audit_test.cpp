// A whole agent: what it says of its containers, and what an audit counts.

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/strings.hpp"
#include "kernel/agent/testing/whole_agent.hpp"

namespace agent {
namespace {

using testing::Agent;
using testing::AgentProcess;
using testing::make_task;
using testing::run;

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

}  // namespace
}  // namespace agent
