#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "dns/api/http_v1.hpp"
#include "dns/core.hpp"
#include "dns/rate_limit.hpp"
#include "dns/vips.hpp"
#include "kernel/api/mesos/v1/master/master.pb.h"

namespace dns {
namespace {

std::shared_ptr<const Zone> zone() {
  ZoneEdit edit;
  std::vector<Record> records;
  append_address(records, "car-store.marathon.mesos", *parse_address("1.2.3.11"));
  append_address(records, "car-store.marathon.mesos", *parse_address("fd01::b"));
  append_address(records, "car-store.marathon.slave.mesos", *parse_address("1.2.3.11"));
  append_address(records, "x.marathon.agentip.dcos.thisdcos.directory", *parse_address("1.2.3.11"));
  for (Record& record : records) edit.add(std::move(record));
  edit.add({"_car-store._tcp.marathon.mesos", Kind::SRV, srv_data(31302, "car-store.marathon.slave.mesos")});
  edit.add({"_lost._tcp.marathon.mesos", Kind::SRV, srv_data(1, "nowhere.marathon.mesos")});
  auto made = edit.apply(Zone());
  made->serial = 9;
  return made;
}

TEST(Api, gives_hosts_by_name_and_one_empty_object_for_none) {
  EXPECT_EQ(api::hosts(*zone(), "Car-Store.*.Marathon.mesos.").body,
            R"([{"host":"car-store.marathon.mesos.","ip":"1.2.3.11"},{"host":"car-store.marathon.mesos.","ip":"fd01::b"}])");
  EXPECT_EQ(api::hosts(*zone(), "nothing.mesos").body, R"([{"host":"","ip":""}])");
  EXPECT_EQ(api::hosts(*zone(), "_car-store._tcp.marathon.mesos").body, R"([{"host":"","ip":""}])");
  EXPECT_EQ(api::hosts(*zone(), "x").headers.get("Content-Type"), "application/json");
}

TEST(Api, gives_services_with_ports_as_text_and_the_name_as_asked) {
  EXPECT_EQ(api::services(*zone(), "_CAR-store._tcp.marathon.mesos.").body,
            R"([{"service":"_CAR-store._tcp.marathon.mesos.","host":"car-store.marathon.slave.mesos.","ip":"1.2.3.11","port":"31302"}])");
  EXPECT_EQ(api::services(*zone(), "_lost._tcp.marathon.mesos").body,
            R"([{"service":"_lost._tcp.marathon.mesos","host":"nowhere.marathon.mesos.","ip":"","port":"1"}])");
  EXPECT_EQ(api::services(*zone(), "nothing.mesos").body, R"([{"service":"","host":"","ip":"","port":""}])");
}

TEST(Api, transfers_what_is_below_the_domain) {
  const auto all = boost::json::parse(api::render_axfr(*zone(), Config())).as_object();
  EXPECT_EQ(all.at("Serial").as_int64(), 9);
  EXPECT_EQ(all.at("Mname").as_string(), "ns1.mesos.");
  const auto& records = all.at("Records").as_object();
  EXPECT_EQ(records.at("As").as_object().size(), 2u);
  EXPECT_EQ(records.at("AAAAs").as_object().at("car-store.marathon.mesos.").as_array().at(0).as_string(), "fd01::b");
  EXPECT_EQ(records.at("SRVs").as_object().at("_car-store._tcp.marathon.mesos.").as_array().at(0).as_string(),
            "car-store.marathon.slave.mesos.:31302");
}

TEST(Api, enumerates_a_shared_record_under_the_first_task_alone) {
  Task one, two;
  one.id = "a.1";
  two.id = "a.2";
  one.name = two.name = "app";
  one.agent_id = two.agent_id = "x-S1";
  const std::vector<Address> agent{*parse_address("1.2.3.4")};
  const auto listed = boost::json::parse(api::render_enumeration(
      {{"marathon", {{one, agent}, {two, agent}}}, {"empty", {}}}, RecordRules())).as_object();
  const auto& frameworks = listed.at("frameworks").as_array();
  ASSERT_EQ(frameworks.size(), 2u);
  EXPECT_TRUE(frameworks[1].at("tasks").as_array().empty());
  const auto& tasks = frameworks[0].at("tasks").as_array();
  EXPECT_EQ(tasks[0].at("records").as_array().size(), 4u);
  EXPECT_EQ(tasks[1].at("records").as_array().size(), 2u) << "its canonical names; app.marathon is the first one's";
}

TEST(Vips, are_read_from_the_events_of_l4lb) {
  const auto snapshot = parse_vip_snapshot(R"([{"name":"a.l4lb.thisdcos.directory","host":"11.0.0.1","rtype":"A"}])");
  ASSERT_TRUE(snapshot);
  EXPECT_EQ(snapshot->at(0).host, "11.0.0.1");
  const auto delta = parse_vip_delta(R"({"added":[],"removed":[{"name":"a","host":"1.1.1.1","rtype":"A"}]})");
  ASSERT_TRUE(delta);
  EXPECT_EQ(delta->removed.size(), 1u);
  EXPECT_FALSE(parse_vip_snapshot("{}"));
  EXPECT_FALSE(parse_vip_snapshot(R"([{"name":"a"}])"));
  EXPECT_FALSE(parse_vip_delta(R"({"added":{}})"));
}

TEST(RateLimit, lets_one_source_have_its_share_and_others_theirs) {
  RateLimit limit(1000, 1);
  const Address flood = *parse_address("10.0.0.1"), other = *parse_address("10.0.0.2");
  const base::Instant now{base::seconds(5)};
  int allowed = 0, slipped = 0;
  for (int i = 0; i < 10'000; ++i) {
    const auto verdict = limit.take(flood, now);
    allowed += verdict == RateLimit::Verdict::Allow;
    slipped += verdict == RateLimit::Verdict::Slip;
  }
  EXPECT_EQ(allowed, 100) << "a tenth of a second's worth";
  EXPECT_GT(slipped, 0);
  EXPECT_LT(slipped, 20) << "a flood gets few answers, short ones";
  EXPECT_EQ(limit.take(other, now), RateLimit::Verdict::Allow);
  EXPECT_EQ(limit.take(flood, now + base::milliseconds(100)), RateLimit::Verdict::Allow);
  RateLimit none(0, 1);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(none.take(flood, now), RateLimit::Verdict::Allow);
}

// The core: effects of events.

template <class T>
size_t count(const Effects& effects) {
  size_t n = 0;
  for (const Effect& effect : effects) n += std::holds_alternative<T>(effect) ? 1 : 0;
  return n;
}

TEST(Core, makes_one_zone_of_many_changes) {
  Core core({});
  Effects out;
  auto state = std::make_shared<mesos::v1::master::Event>();
  state->set_type(mesos::v1::master::Event::SUBSCRIBED);
  core.on(ClusterSeen{"10.0.0.1:5050", state}, {}, out);
  core.on(VipsSeen{{{"a.m.l4lb.thisdcos.directory", "11.0.0.1"}}}, {}, out);
  EXPECT_EQ(count<CommitSoon>(out), 1u);
  EXPECT_EQ(count<Publish>(out), 0u);
  core.on(CommitDue{}, {}, out);
  ASSERT_EQ(count<Publish>(out), 1u);
  EXPECT_TRUE(core.zone()->cluster_loaded);
  EXPECT_TRUE(core.zone()->find("leader.mesos"));
  EXPECT_TRUE(core.zone()->find("a.m.l4lb.thisdcos.directory"));
  out.clear();
  core.on(CommitDue{}, {}, out);
  EXPECT_TRUE(out.empty()) << "nothing changed";
}

TEST(Core, looks_machines_up_and_sweeps_while_something_is_kept) {
  Core core({});
  Effects out;
  auto state = std::make_shared<mesos::v1::master::Event>();
  state->set_type(mesos::v1::master::Event::SUBSCRIBED);
  auto* agent = state->mutable_subscribed()->mutable_get_state()->mutable_get_agents()->add_agents();
  agent->mutable_agent_info()->mutable_id()->set_value("S1");
  agent->mutable_agent_info()->set_hostname("agent.example");
  agent->set_active(true);
  agent->set_version("1");
  core.on(ClusterSeen{"master.example:5050", state}, {}, out);
  EXPECT_EQ(count<Resolve>(out), 2u);
  core.on(HostResolved{"agent.example", {*parse_address("10.0.0.7")}}, {}, out);
  core.on(CommitDue{}, {}, out);
  EXPECT_TRUE(core.zone()->find("slave.mesos"));
  EXPECT_EQ(count<SetTimer>(out), 0u);
  out.clear();
  auto empty = std::make_shared<mesos::v1::master::Event>();
  empty->set_type(mesos::v1::master::Event::SUBSCRIBED);
  core.on(ClusterSeen{"master.example:5050", empty}, {}, out);
  EXPECT_EQ(count<SetTimer>(out), 1u);
  core.on(TimerFired{}, {}, out);
  EXPECT_EQ(count<SetTimer>(out), 2u);
  base::Now later;
  later.instant = base::Instant{base::minutes(16)};
  core.on(TimerFired{}, later, out);
  EXPECT_EQ(count<SetTimer>(out), 2u) << "nothing is kept any more";
  core.on(CommitDue{}, later, out);
  EXPECT_FALSE(core.zone()->find("slave.mesos"));
}

}  // namespace
}  // namespace dns
