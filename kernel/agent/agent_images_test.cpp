// A whole agent: containers and volumes from images.

#include "base/file.hpp"
#include "kernel/agent/testing/whole_agent.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"
#include "kernel/containerizer/images/testing/fake_registry.hpp"
#include "kernel/containerizer/images/testing/tar_writer.hpp"

namespace agent {
namespace {

using testing::Agent;
using testing::kill_of;
using testing::make_task;
using testing::run;

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
