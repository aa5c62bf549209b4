#include "dns/records.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>

#include "base/random.hpp"
#include "dns/answer.hpp"
#include "kernel/api/mesos/v1/master/master.pb.h"

namespace dns {
namespace {

using mesos::v1::master::Event;
using GetState = mesos::v1::master::Response_GetState;

std::string agent_id(int n) { return "20140803-194712-3041283216-5050-2116-S" + std::to_string(n); }

/// A master's state that tests write, and that changes as a master's does.
struct Cluster {
  GetState state;

  mesos::v1::master::Response_GetAgents_Agent& agent(int n, const std::string& ip, int port = 5051) {
    auto* agent = state.mutable_get_agents()->add_agents();
    agent->mutable_agent_info()->mutable_id()->set_value(agent_id(n));
    agent->mutable_agent_info()->set_hostname("agent" + std::to_string(n));
    agent->set_active(true);
    agent->set_version("1.11.0");
    agent->set_pid("slave(1)@" + ip + ":" + std::to_string(port));
    return *agent;
  }

  mesos::v1::master::Response_GetFrameworks_Framework& framework(const std::string& id, const std::string& name,
                                                                 const std::string& hostname) {
    auto* framework = state.mutable_get_frameworks()->add_frameworks();
    framework->mutable_framework_info()->mutable_id()->set_value(id);
    framework->mutable_framework_info()->set_name(name);
    framework->mutable_framework_info()->set_user("root");
    framework->mutable_framework_info()->set_hostname(hostname);
    framework->set_active(true);
    framework->set_connected(true);
    framework->set_recovered(false);
    return *framework;
  }

  mesos::v1::Task& task(const std::string& framework, const std::string& id, const std::string& name, int agent,
                        std::vector<std::pair<int, int>> ports = {}) {
    auto* task = state.mutable_get_tasks()->add_tasks();
    task->mutable_framework_id()->set_value(framework);
    task->mutable_task_id()->set_value(id);
    task->set_name(name);
    task->mutable_agent_id()->set_value(agent_id(agent));
    task->set_state(mesos::v1::TASK_RUNNING);
    if (!ports.empty()) {
      auto* resource = task->add_resources();
      resource->set_name("ports");
      resource->set_type(mesos::v1::Value::RANGES);
      for (const auto& [first, last] : ports) {
        auto* range = resource->mutable_ranges()->add_range();
        range->set_begin(static_cast<uint64_t>(first));
        range->set_end(static_cast<uint64_t>(last));
      }
    }
    return *task;
  }
};

void add_status(mesos::v1::Task& task, double time, const std::vector<std::string>& ips,
                mesos::v1::TaskState state = mesos::v1::TASK_RUNNING) {
  auto* status = task.add_statuses();
  status->mutable_task_id()->set_value(task.task_id().value());
  status->set_state(state);
  status->set_timestamp(time);
  for (const auto& ip : ips) {
    status->mutable_container_status()->add_network_infos()->add_ip_addresses()->set_ip_address(ip);
  }
}

std::vector<std::string> look(const Zone& zone, const std::string& name) {
  std::vector<std::string> found;
  for (const RecordView record : zone.find(name)) {
    found.push_back(record.kind == Kind::SRV ? std::string(record.target()) + ":" + std::to_string(record.port())
                                             : address_of_wire(record.data).text());
  }
  std::sort(found.begin(), found.end());
  return found;
}

using Texts = std::vector<std::string>;

RecordsOptions options() {
  RecordsOptions o;
  o.masters = {*parse_endpoint("144.76.157.37:5050", 0), *parse_endpoint("144.76.157.38:5050", 0)};
  o.listeners = {*parse_address("10.9.9.9")};
  return o;
}

std::shared_ptr<const Zone> zone_of(const GetState& state, RecordsOptions o = options(),
                                    const std::string& leader = "144.76.157.37:5050") {
  Records records(std::move(o));
  records.replace(state, leader, {});
  return records.commit({});
}

TEST(Records, of_masters_follow_the_list_and_the_leader) {
  struct Case {
    Texts masters;
    std::string leader;
    Texts expected;  // master0, master1, ...
    Texts all;
  };
  const std::vector<Case> cases = {
      {{}, "1.0.0.1:5", {"1.0.0.1"}, {"1.0.0.1"}},
      {{"1.0.0.1:5", "1.0.0.2:5"}, "1.0.0.1:5", {"1.0.0.1", "1.0.0.2"}, {"1.0.0.1", "1.0.0.2"}},
      {{"1.0.0.1:5", "1.0.0.2:5"}, "1.0.0.2:5", {"1.0.0.1", "1.0.0.2"}, {"1.0.0.1", "1.0.0.2"}},
      {{"1.0.0.2:5", "1.0.0.3:5"}, "1.0.0.1:5", {"1.0.0.2", "1.0.0.3", "1.0.0.1"}, {"1.0.0.1", "1.0.0.2", "1.0.0.3"}},
      {{"1.0.0.2:5", "1.0.0.2:6", "1.0.0.3:5"}, "1.0.0.3:5", {"1.0.0.2", "1.0.0.3"}, {"1.0.0.2", "1.0.0.3"}},
      {{"1.0.0.1:5", "1.0.0.1:5", "1.0.0.2:5"}, "1.0.0.1:5", {"1.0.0.1", "1.0.0.2"}, {"1.0.0.1", "1.0.0.2"}},
  };
  for (const Case& c : cases) {
    RecordsOptions o;
    for (const auto& master : c.masters) o.masters.push_back(*parse_endpoint(master, 0));
    const auto zone = zone_of({}, o, c.leader);
    const std::string ip = c.leader.substr(0, c.leader.find(':'));
    EXPECT_EQ(look(*zone, "leader.mesos"), Texts{ip});
    EXPECT_EQ(look(*zone, "_leader._tcp.mesos"), Texts{"leader.mesos" + c.leader.substr(c.leader.find(':'))});
    EXPECT_EQ(look(*zone, "_leader._udp.mesos"), look(*zone, "_leader._tcp.mesos"));
    for (size_t i = 0; i <= c.expected.size(); ++i) {
      const Texts expected = i < c.expected.size() ? Texts{c.expected[i]} : Texts{};
      EXPECT_EQ(look(*zone, "master" + std::to_string(i) + ".mesos"), expected) << c.leader << " " << i;
    }
    EXPECT_EQ(look(*zone, "master.mesos"), c.all);
    EXPECT_EQ(look(*zone, "master.dcos.thisdcos.directory"), c.all);
    EXPECT_EQ(look(*zone, "_master._tcp.mesos"), Texts{});
    EXPECT_EQ(look(*zone, "zk-5.zk").size(), 1u);
  }
  EXPECT_EQ(look(*zone_of({}, options(), ""), "master.mesos"), Texts{}) << "no leader, no master records";
}

TEST(Records, of_a_task_without_discovery_information) {
  Cluster c;
  c.agent(0, "1.2.3.10");
  c.agent(1, "1.2.3.11", 6051);
  c.framework("F1", "marathon", "1.2.3.4");
  c.task("F1", "test", "car-store", 1, {{31364, 31366}});
  const auto zone = zone_of(c.state);
  EXPECT_EQ(look(*zone, "slave.mesos"), (Texts{"1.2.3.10", "1.2.3.11"}));
  EXPECT_EQ(look(*zone, "_slave._tcp.mesos"), (Texts{"slave.mesos:5051", "slave.mesos:6051"}));
  EXPECT_EQ(look(*zone, "marathon.mesos"), Texts{"1.2.3.4"});
  EXPECT_EQ(look(*zone, "_framework._tcp.marathon.mesos"), Texts{}) << "schedulers on HTTP listen nowhere";
  EXPECT_EQ(look(*zone, "ns1.mesos"), Texts{"10.9.9.9"});
  for (const char* name : {"car-store.marathon.mesos", "car-store-iffe9-s1.marathon.mesos",
                           "car-store.marathon.slave.mesos", "car-store-iffe9-s1.marathon.slave.mesos",
                           "car-store.marathon.agentip.dcos.thisdcos.directory",
                           "car-store.marathon.containerip.dcos.thisdcos.directory",
                           "car-store.marathon.autoip.dcos.thisdcos.directory"}) {
    EXPECT_EQ(look(*zone, name), Texts{"1.2.3.11"}) << name;
  }
  const std::string target = "car-store-iffe9-s1.marathon.slave.mesos";
  for (const char* name : {"_car-store._tcp.marathon.slave.mesos", "_car-store._udp.marathon.slave.mesos",
                           "_car-store._tcp.marathon.mesos", "_car-store._udp.marathon.mesos"}) {
    EXPECT_EQ(look(*zone, name), (Texts{target + ":31364", target + ":31365", target + ":31366"})) << name;
  }
}

TEST(Records, of_a_task_with_discovery_information) {
  Cluster c;
  c.agent(1, "1.2.3.11");
  c.framework("F1", "marathon", "1.2.3.4");
  auto& task = c.task("F1", "test", "ignored", 1, {{31000, 31000}});
  task.mutable_discovery()->set_visibility(mesos::v1::DiscoveryInfo::FRAMEWORK);
  task.mutable_discovery()->set_name("Liquor.Store");
  const auto port = [&](uint32_t number, const char* name, const char* protocol) {
    auto* added = task.mutable_discovery()->mutable_ports()->add_ports();
    added->set_number(number);
    if (*name) added->set_name(name);
    if (*protocol) added->set_protocol(protocol);
  };
  port(80, "HTTP", "tcp");
  port(443, "", "TCP");
  port(53, "dns", "");
  add_status(task, 1, {"10.3.0.1", "fd01:b::1:8000:2"});
  const auto zone = zone_of(c.state);
  // Both spellings: as it is, and as one label.
  for (const std::string t : {"liquor-store", "liquor.store"}) {
    const std::string target = t + "-iffe9-s1.marathon.mesos";
    EXPECT_EQ(look(*zone, t + ".marathon.mesos"), (Texts{"10.3.0.1", "fd01:b::1:8000:2"}));
    EXPECT_EQ(look(*zone, target), (Texts{"10.3.0.1", "fd01:b::1:8000:2"}));
    EXPECT_EQ(look(*zone, t + ".marathon.slave.mesos"), Texts{"1.2.3.11"});
    EXPECT_EQ(look(*zone, "_" + t + "._tcp.marathon.mesos"), (Texts{target + ":443", target + ":53", target + ":80"}));
    EXPECT_EQ(look(*zone, "_" + t + "._udp.marathon.mesos"), Texts{target + ":53"});
    EXPECT_EQ(look(*zone, "_http._" + t + "._tcp.marathon.mesos"), Texts{target + ":80"});
    EXPECT_EQ(look(*zone, "_dns._" + t + "._udp.marathon.mesos"), Texts{target + ":53"});
    EXPECT_EQ(look(*zone, "_" + t + "._tcp.marathon.slave.mesos"), Texts{t + "-iffe9-s1.marathon.slave.mesos:31000"});
  }
  EXPECT_EQ(look(*zone, "ignored.marathon.mesos"), Texts{});
}

TEST(Records, take_the_addresses_of_the_newest_running_status_from_the_first_source_that_has_any) {
  Cluster c;
  c.agent(0, "1.2.3.10");
  c.framework("F1", "marathon", "1.2.3.4");
  auto& task = c.task("F1", "t1", "app", 0);
  add_status(task, 5, {"10.0.0.5"});
  add_status(task, 3, {"10.0.0.3"});
  add_status(task, 9, {"10.0.0.9"}, mesos::v1::TASK_STARTING);
  auto& labelled = c.task("F1", "t2", "old", 0);
  add_status(labelled, 1, {});
  auto* label = labelled.mutable_statuses(0)->mutable_labels()->add_labels();
  label->set_key("Docker.NetworkSettings.IPAddress");
  label->set_value("172.17.0.2");
  EXPECT_EQ(look(*zone_of(c.state), "app.marathon.mesos"), Texts{"10.0.0.5"});
  EXPECT_EQ(look(*zone_of(c.state), "old.marathon.mesos"), Texts{"1.2.3.10"});
  auto o = options();
  o.rules.sources = {IpSource::Docker, IpSource::Host, IpSource::NetInfo};
  EXPECT_EQ(look(*zone_of(c.state, o), "app.marathon.mesos"), Texts{"1.2.3.10"});
  EXPECT_EQ(look(*zone_of(c.state, o), "old.marathon.mesos"), Texts{"172.17.0.2"});
  o.rules.sources = {IpSource::Docker};
  EXPECT_EQ(look(*zone_of(c.state, o), "app.marathon.mesos"), Texts{});
  EXPECT_EQ(look(*zone_of(c.state, o), "app.marathon.slave.mesos"), Texts{"1.2.3.10"});
}

TEST(Records, below_the_directory_flatten_the_framework_and_mind_port_mappings) {
  Cluster c;
  c.agent(0, "1.2.3.10");
  c.framework("F1", "marathon.prod", "1.2.3.4");
  auto& task = c.task("F1", "t1", "api.web", 0);
  add_status(task, 1, {"9.0.1.3"});
  EXPECT_EQ(look(*zone_of(c.state), "api-web.marathon.prod.mesos"), Texts{"9.0.1.3"}) << "the framework keeps its dots";
  EXPECT_EQ(look(*zone_of(c.state), "api-web.marathon-prod.containerip.dcos.thisdcos.directory"), Texts{"9.0.1.3"});
  EXPECT_EQ(look(*zone_of(c.state), "api-web.marathon-prod.agentip.dcos.thisdcos.directory"), Texts{"1.2.3.10"});
  EXPECT_EQ(look(*zone_of(c.state), "api-web.marathon-prod.autoip.dcos.thisdcos.directory"), Texts{"9.0.1.3"});
  auto* mapping = task.mutable_statuses(0)->mutable_container_status()->mutable_network_infos(0)->add_port_mappings();
  mapping->set_host_port(31000);
  mapping->set_container_port(80);
  EXPECT_EQ(look(*zone_of(c.state), "api-web.marathon-prod.autoip.dcos.thisdcos.directory"), Texts{"1.2.3.10"});
}

TEST(Records, exist_for_running_tasks_of_known_agents_alone) {
  Cluster c;
  c.agent(0, "1.2.3.10");
  c.framework("F1", "marathon", "1.2.3.4");
  c.task("F1", "t1", "stranger", 7);
  c.task("F1", "t2", "killing", 0).set_state(mesos::v1::TASK_KILLING);
  c.task("F1", "t3", "staging", 0).set_state(mesos::v1::TASK_STAGING);
  c.task("F2", "t4", "orphan", 0);
  const auto zone = zone_of(c.state);
  for (const char* name : {"stranger", "killing", "staging", "orphan"}) {
    EXPECT_EQ(look(*zone, std::string(name) + ".marathon.mesos"), Texts{}) << name;
  }
}

TEST(Records, of_virtual_addresses_stay_in_their_domain) {
  Records records(options());
  EXPECT_EQ(records.replace_vips({{"web.marathon.l4lb.thisdcos.directory.", "11.0.0.1"},
                                  {"evil.marathon.mesos", "6.6.6.6"},
                                  {"web.marathon.l4lb.thisdcos.directory", "no address"}}),
            2u);
  auto zone = records.commit({});
  EXPECT_TRUE(zone->vips_loaded);
  EXPECT_EQ(look(*zone, "web.marathon.l4lb.thisdcos.directory"), Texts{"11.0.0.1"});
  EXPECT_EQ(look(*zone, "evil.marathon.mesos"), Texts{});
  records.change_vips({{"API.marathon.l4lb.thisdcos.directory", "fd01:c::1"}},
                      {{"web.marathon.l4lb.thisdcos.directory", "11.0.0.1"}});
  zone = records.commit({});
  EXPECT_EQ(look(*zone, "api.marathon.l4lb.thisdcos.directory"), Texts{"fd01:c::1"});
  EXPECT_EQ(look(*zone, "web.marathon.l4lb.thisdcos.directory"), Texts{});
}

TEST(Records, wait_for_the_address_of_a_machine_known_by_name) {
  Cluster c;
  c.framework("F1", "marathon", "scheduler.example");
  Records records(options());
  records.replace(c.state, "1.1.1.1:5050", {});
  EXPECT_EQ(records.take_unresolved(), Texts{"scheduler.example"});
  EXPECT_TRUE(records.take_unresolved().empty());
  EXPECT_EQ(look(*records.commit({}), "marathon.mesos"), Texts{});
  records.resolved("scheduler.example", {*parse_address("10.5.5.5")});
  EXPECT_EQ(look(*records.commit({}), "marathon.mesos"), Texts{"10.5.5.5"});
  records.resolved("scheduler.example", {});
  EXPECT_EQ(records.commit({}), nullptr) << "a failed look-up changes nothing";
}

TEST(Records, keep_the_old_leader_until_the_new_one_s_address_is_known) {
  Records records(options());
  records.replace({}, "144.76.157.37:5050", {});
  records.replace({}, "second.example:5055", {});
  EXPECT_EQ(records.take_unresolved(), Texts{"second.example"});
  EXPECT_EQ(look(*records.commit({}), "leader.mesos"), Texts{"144.76.157.37"});
  records.resolved("second.example", {*parse_address("10.5.5.5")});
  EXPECT_EQ(look(*records.commit({}), "leader.mesos"), Texts{"10.5.5.5"});
  EXPECT_EQ(look(*records.zone(), "_leader._tcp.mesos"), Texts{"leader.mesos:5055"});
}

// A master that fails over ------------------------------------------------------------------------------------------

class FailoverTest : public ::testing::Test {
 protected:
  FailoverTest() : records(options()) {
    c.agent(0, "1.2.3.10");
    c.agent(1, "1.2.3.11");
    c.framework("F1", "marathon", "1.2.3.4");
    c.task("F1", "t0", "stays", 0, {{31000, 31000}});
    c.task("F1", "t1", "ends", 0);
    c.task("F1", "t2", "other", 1);
    records.replace(c.state, leader, at(0));
    records.commit({});
  }

  static base::Instant at(int seconds) { return base::Instant{base::seconds(seconds)}; }
  bool answers(const std::string& app) {
    records.commit({});
    return !look(*records.zone(), app + ".marathon.mesos").empty();
  }

  /// What a new master knows before its agents are back.
  GetState recovering(std::vector<int> expected) {
    GetState state;
    for (const int n : expected) {
      auto* info = state.mutable_get_agents()->add_recovered_agents();
      info->mutable_id()->set_value(agent_id(n));
      info->set_hostname("x");
    }
    return state;
  }

  Event agent_added(int n) {
    Event event;
    event.set_type(Event::AGENT_ADDED);
    *event.mutable_agent_added()->mutable_agent() = c.state.get_agents().agents(n);
    return event;
  }

  Cluster c;
  std::string leader = "144.76.157.37:5050";
  Records records;
};

TEST_F(FailoverTest, keeps_every_name_until_its_agent_has_spoken) {
  records.replace(recovering({0, 1}), "144.76.157.38:5050", at(10));
  for (const char* app : {"stays", "ends", "other"}) EXPECT_TRUE(answers(app)) << app;
  EXPECT_EQ(look(*records.zone(), "leader.mesos"), Texts{"144.76.157.38"});
  EXPECT_EQ(look(*records.zone(), "marathon.mesos"), Texts{"1.2.3.4"});
  // Agent 0 returns with one of its two tasks.
  records.apply(agent_added(0), at(12));
  Event framework;
  framework.set_type(Event::FRAMEWORK_ADDED);
  *framework.mutable_framework_added()->mutable_framework() = c.state.get_frameworks().frameworks(0);
  records.apply(framework, at(12));
  Event task;
  task.set_type(Event::TASK_ADDED);
  *task.mutable_task_added()->mutable_task() = c.state.get_tasks().tasks(0);
  records.apply(task, at(12));
  EXPECT_TRUE(records.expire(at(16)));
  EXPECT_TRUE(answers("ends")) << "the rest may be under way";
  records.expire(at(18));
  EXPECT_TRUE(answers("stays"));
  EXPECT_FALSE(answers("ends"));
  EXPECT_TRUE(answers("other")) << "agent 1 is still expected";
  EXPECT_FALSE(records.expire(at(1000)));
  EXPECT_TRUE(answers("stays"));
  EXPECT_FALSE(answers("other")) << "it did not come within the master's own limit";
}

TEST_F(FailoverTest, an_empty_state_blanks_nothing) {
  records.replace({}, leader, at(10));
  for (const char* app : {"stays", "ends", "other"}) EXPECT_TRUE(answers(app)) << app;
}

TEST_F(FailoverTest, what_a_complete_state_does_not_have_is_gone_at_once) {
  GetState state = c.state;
  state.mutable_get_agents()->mutable_agents()->RemoveLast();
  state.mutable_get_tasks()->mutable_tasks()->RemoveLast();
  state.mutable_get_tasks()->mutable_tasks()->RemoveLast();
  records.replace(state, leader, at(10));
  EXPECT_TRUE(answers("stays"));
  EXPECT_FALSE(answers("ends"));
  EXPECT_FALSE(answers("other"));
  EXPECT_EQ(look(*records.zone(), "slave.mesos"), Texts{"1.2.3.10"});
}

TEST_F(FailoverTest, the_same_state_again_changes_nothing) {
  const auto before = records.zone();
  records.replace(c.state, leader, at(10));
  records.commit({});
  EXPECT_TRUE(records.zone()->same_records(*before));
}

// Changes against rebuilding --------------------------------------------------------------------------------------

/// Applies random events to the records and to a state as a master would, and compares with records made anew.
class RandomCluster {
 public:
  explicit RandomCluster(uint64_t seed) : random(seed), records(options()) {
    for (int n = 0; n < 4; ++n) add_agent(n);
    for (int f = 0; f < 3; ++f) cluster.framework("F" + std::to_string(f), f == 0 ? "marathon" : "sched.x", "1.2.3." + std::to_string(f));
    records.replace(cluster.state, leader, {});
  }

  void add_agent(int n) { cluster.agent(n, "10.0.0." + std::to_string(n % 3), 5051 + n % 2); }

  void step() {
    Event event;
    auto* tasks = cluster.state.mutable_get_tasks()->mutable_tasks();
    auto* agents = cluster.state.mutable_get_agents()->mutable_agents();
    auto* frameworks = cluster.state.mutable_get_frameworks()->mutable_frameworks();
    const uint64_t choice = random.below(100);
    if (choice < 40 || tasks->empty()) {
      add_task(event);
    } else if (choice < 85) {
      update_task(event, static_cast<int>(random.below(static_cast<uint64_t>(tasks->size()))));
    } else if (choice < 90 && agents->size() > 1) {
      const int n = static_cast<int>(random.below(static_cast<uint64_t>(agents->size())));
      const std::string id = agents->Get(n).agent_info().id().value();
      event.set_type(Event::AGENT_REMOVED);
      event.mutable_agent_removed()->mutable_agent_id()->set_value(id);
      agents->DeleteSubrange(n, 1);
      erase_tasks([&](const mesos::v1::Task& task) { return task.agent_id().value() == id; });
    } else if (choice < 94) {
      add_agent(next_agent++);
      event.set_type(Event::AGENT_ADDED);
      *event.mutable_agent_added()->mutable_agent() = *agents->rbegin();
    } else if (choice < 98) {
      auto& framework = *frameworks->Mutable(static_cast<int>(random.below(static_cast<uint64_t>(frameworks->size()))));
      framework.mutable_framework_info()->set_name("name" + std::to_string(random.below(3)));
      event.set_type(Event::FRAMEWORK_UPDATED);
      *event.mutable_framework_updated()->mutable_framework() = framework;
    } else if (frameworks->size() > 1) {
      const std::string id = frameworks->Get(0).framework_info().id().value();
      event.set_type(Event::FRAMEWORK_REMOVED);
      *event.mutable_framework_removed()->mutable_framework_info() = frameworks->Get(0).framework_info();
      frameworks->DeleteSubrange(0, 1);
      erase_tasks([&](const mesos::v1::Task& task) { return task.framework_id().value() == id; });
    }
    records.apply(event, {});
  }

  void erase_tasks(const std::function<bool(const mesos::v1::Task&)>& gone) {
    auto* tasks = cluster.state.mutable_get_tasks()->mutable_tasks();
    for (int i = tasks->size() - 1; i >= 0; --i) {
      if (gone(tasks->Get(i))) tasks->DeleteSubrange(i, 1);
    }
  }

  void add_task(Event& event) {
    const auto& agents = cluster.state.get_agents().agents();
    const auto& frameworks = cluster.state.get_frameworks().frameworks();
    const int port = static_cast<int>(31000 + random.below(50));
    auto& task = cluster.task(
        frameworks.Get(static_cast<int>(random.below(static_cast<uint64_t>(frameworks.size())))).framework_info().id().value(),
        "task" + std::to_string(next_task++), "app" + std::to_string(random.below(5)), 0, {{port, port + 1}});
    *task.mutable_agent_id() = agents.Get(static_cast<int>(random.below(static_cast<uint64_t>(agents.size())))).agent_info().id();
    if (random.chance(0.5)) task.set_state(mesos::v1::TASK_STAGING);
    if (random.chance(0.3)) {
      task.mutable_discovery()->set_visibility(mesos::v1::DiscoveryInfo::CLUSTER);
      task.mutable_discovery()->set_name("Disc.o" + std::to_string(random.below(3)));
      task.mutable_discovery()->mutable_ports()->add_ports()->set_number(80);
    }
    event.set_type(Event::TASK_ADDED);
    *event.mutable_task_added()->mutable_task() = task;
  }

  void update_task(Event& event, int index) {
    auto* tasks = cluster.state.mutable_get_tasks()->mutable_tasks();
    mesos::v1::Task& task = *tasks->Mutable(index);
    static const mesos::v1::TaskState states[] = {mesos::v1::TASK_RUNNING, mesos::v1::TASK_RUNNING, mesos::v1::TASK_KILLING,
                                                  mesos::v1::TASK_FINISHED, mesos::v1::TASK_UNREACHABLE};
    const auto state = states[random.below(5)];
    task.set_state(state);
    add_status(task, static_cast<double>(++clock), random.chance(0.5) ? Texts{"9.0.0." + std::to_string(random.below(9))} : Texts{}, state);
    event.set_type(Event::TASK_UPDATED);
    *event.mutable_task_updated()->mutable_framework_id() = task.framework_id();
    *event.mutable_task_updated()->mutable_status() = *task.statuses().rbegin();
    event.mutable_task_updated()->set_state(state);
    if (state == mesos::v1::TASK_FINISHED || state == mesos::v1::TASK_UNREACHABLE) tasks->DeleteSubrange(index, 1);
  }

  base::Random random;
  Cluster cluster;
  std::string leader = "144.76.157.37:5050";
  Records records;
  int next_agent = 4, next_task = 0, clock = 0;
};

TEST(Records, kept_by_changes_are_those_made_anew_from_the_same_state) {
  for (uint64_t seed = 1; seed <= 30; ++seed) {
    RandomCluster world(seed);
    for (int step = 0; step < 120; ++step) {
      world.step();
      if (world.random.chance(0.3)) world.records.commit({});
      if (step % 20 != 19) continue;
      world.records.commit({});
      const auto anew = zone_of(world.cluster.state);
      ASSERT_TRUE(world.records.zone()->same_records(*anew)) << "seed " << seed << ", step " << step;
      ASSERT_EQ(world.records.zone()->records(), anew->records());
    }
    // A snapshot over what is known is the same as well.
    world.records.replace(world.cluster.state, world.leader, {});
    world.records.commit({});
    ASSERT_TRUE(world.records.zone()->same_records(*zone_of(world.cluster.state))) << "seed " << seed;
  }
}

}  // namespace
}  // namespace dns
