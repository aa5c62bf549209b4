// What apps' networks become in the message that the kernel gets.

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "marathon/task_info.hpp"

namespace marathon {
namespace {

App app_with(ContainerType type, std::vector<Network> networks) {
  App app;
  app.id = "/a";
  app.cmd = "sleep 1";
  app.networks = std::move(networks);
  app.container.emplace();
  app.container->type = type;
  if (type == ContainerType::Docker) app.container->image = "image";
  PortMapping first, second;
  first.container_port = 80;
  first.host_port = 0;
  first.protocol = "udp,tcp";
  second.container_port = 90;  // not on the host
  app.container->port_mappings = {first, second};
  return app;
}

mesos::v1::ContainerInfo container_of(const App& app) {
  Instance instance;
  instance.task_id = "a.1";
  Placement placement;
  placement.host_ports = {31000, 0};
  placement.container_ports = {80, 90};
  Offer offer;
  offer.message = std::make_shared<mesos::v1::Offer>();
  mesos::v1::TaskInfo task;
  Policy policy;
  policy.defaults.bridge_name = "the-bridge";
  build_task(app, instance, placement, offer, {}, "F", policy, false, task);
  return task.container();
}

TEST(TaskNetworks, the_bridge_has_the_name_that_the_operator_gave_it) {
  const auto info = container_of(app_with(ContainerType::Mesos, {{NetworkMode::Bridge}}));
  ASSERT_EQ(info.network_infos_size(), 1);
  EXPECT_EQ(info.network_infos(0).name(), "the-bridge");
  ASSERT_EQ(info.network_infos(0).port_mappings_size(), 2);
  EXPECT_EQ(info.network_infos(0).port_mappings(0).protocol(), "udp");
  EXPECT_EQ(info.network_infos(0).port_mappings(1).protocol(), "tcp");
  EXPECT_EQ(info.network_infos(0).port_mappings(1).host_port(), 31000u);
  EXPECT_EQ(info.network_infos(0).port_mappings(1).container_port(), 80u);
}

TEST(TaskNetworks, dockers_bridge_has_dockers_form) {
  auto app = app_with(ContainerType::Docker, {{NetworkMode::Bridge}});
  auto info = container_of(app);
  EXPECT_EQ(info.docker().network(), mesos::v1::ContainerInfo::DockerInfo::BRIDGE);
  EXPECT_EQ(info.docker().port_mappings_size(), 2);
  EXPECT_EQ(info.network_infos_size(), 0);
  app.networks[0].labels = {{"tier", "db"}};
  info = container_of(app);
  ASSERT_EQ(info.network_infos_size(), 1);
  EXPECT_EQ(info.network_infos(0).labels().labels(0).value(), "db");
  EXPECT_EQ(info.network_infos(0).port_mappings_size(), 0);
}

TEST(TaskNetworks, a_named_network_has_its_labels) {
  Network network{NetworkMode::Container};
  network.name = "dcos";
  network.labels = {{"k", "v"}};
  const auto info = container_of(app_with(ContainerType::Docker, {network}));
  EXPECT_EQ(info.docker().network(), mesos::v1::ContainerInfo::DockerInfo::USER);
  ASSERT_EQ(info.network_infos_size(), 1);
  EXPECT_EQ(info.network_infos(0).name(), "dcos");
  EXPECT_EQ(info.network_infos(0).labels().labels(0).key(), "k");
}

TEST(TaskNetworks, a_port_leads_into_the_networks_that_it_names) {
  Network one{NetworkMode::Container}, two{NetworkMode::Container};
  one.name = "one";
  two.name = "two";
  auto app = app_with(ContainerType::Mesos, {one, two});
  app.container->port_mappings[0].network_names = {"two"};
  const auto info = container_of(app);
  ASSERT_EQ(info.network_infos_size(), 2);
  EXPECT_EQ(info.network_infos(0).port_mappings_size(), 0);
  EXPECT_EQ(info.network_infos(1).port_mappings_size(), 2);
}

}  // namespace
}  // namespace marathon
