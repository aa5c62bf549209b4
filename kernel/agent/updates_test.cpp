#include "kernel/agent/updates.hpp"

#include <gtest/gtest.h>

#include "kernel/agent/compatibility.hpp"
#include "kernel/agent/garbage.hpp"
#include "kernel/agent/journal.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

const TaskKey kTask{"f", "t"};

Updates::Record make_update(const std::string& uuid, mesos::v1::TaskState state) {
  Updates::Record record;
  record.mutable_status()->mutable_task_id()->set_value("t");
  record.mutable_status()->set_state(state);
  record.mutable_status()->set_uuid(uuid);
  return record;
}

base::Instant at(int seconds) { return {base::seconds(seconds)}; }

void add(Updates& updates, const std::string& uuid, mesos::v1::TaskState state = mesos::v1::TASK_RUNNING) {
  auto record = make_update(uuid, state);
  ASSERT_TRUE(updates.add(kTask, record));
}

TEST(StatusUpdates, go_out_one_at_a_time_in_order) {
  Updates updates;
  add(updates, "a");
  add(updates, "b");
  EXPECT_EQ(updates.take(kTask, at(0))->status().uuid(), "a");
  EXPECT_EQ(updates.take(kTask, at(0)), nullptr);
  EXPECT_TRUE(updates.acknowledge(kTask, "a"));
  EXPECT_EQ(updates.take(kTask, at(0))->status().uuid(), "b");
}

TEST(StatusUpdates, are_sent_again_after_ten_seconds_doubling_to_ten_minutes) {
  Updates updates;
  add(updates, "a");
  updates.take(kTask, at(0));
  EXPECT_EQ(updates.retry_at(kTask), at(10));
  EXPECT_EQ(updates.again(kTask, at(9)), nullptr);
  int now = 10;
  for (const int wait : {20, 40, 80, 160, 320, 600, 600}) {
    ASSERT_NE(updates.again(kTask, at(now)), nullptr);
    EXPECT_EQ(updates.retry_at(kTask), at(now + wait));
    now += wait;
  }
}

TEST(StatusUpdates, are_taken_once) {
  Updates updates;
  add(updates, "a");
  auto again = make_update("a", mesos::v1::TASK_RUNNING);
  EXPECT_FALSE(updates.add(kTask, again));
}

TEST(StatusUpdates, ignore_acknowledgements_of_what_is_not_outstanding) {
  Updates updates;
  add(updates, "a");
  add(updates, "b");
  updates.take(kTask, at(0));
  EXPECT_FALSE(updates.acknowledge(kTask, "b"));
  EXPECT_FALSE(updates.acknowledge({"f", "other"}, "a"));
  EXPECT_TRUE(updates.acknowledge(kTask, "a"));
  EXPECT_FALSE(updates.acknowledge(kTask, "a"));
}

TEST(StatusUpdates, tell_that_the_stream_ends_with_a_terminal_one) {
  Updates updates;
  add(updates, "a", mesos::v1::TASK_FINISHED);
  updates.take(kTask, at(0));
  EXPECT_TRUE(updates.acknowledge(kTask, "a")->terminal);
}

TEST(StatusUpdates, are_restored_in_order_and_numbered_on) {
  Updates updates;
  auto first = make_update("a", mesos::v1::TASK_STARTING);
  first.set_number(7);
  updates.restore(kTask, first);
  auto next = make_update("b", mesos::v1::TASK_RUNNING);
  ASSERT_TRUE(updates.add(kTask, next));
  EXPECT_EQ(next.number(), 8U);
  EXPECT_EQ(updates.start_over(), std::vector<TaskKey>{kTask});
  EXPECT_EQ(updates.take(kTask, at(0))->status().uuid(), "a");
}

TEST(Garbage, waits_its_time_and_less_when_the_disk_fills) {
  Garbage garbage(base::hours(10), 0.1);
  garbage.schedule("/a", base::Time{});
  EXPECT_TRUE(garbage.due(base::Time{base::hours(1)}, 0).empty());
  EXPECT_EQ(garbage.max_age(0.5), base::hours(4));
  EXPECT_EQ(garbage.due(base::Time{base::hours(4)}, 0.5), std::vector<std::string>{"/a"});
  garbage.schedule("/b", base::Time{});
  EXPECT_EQ(garbage.due(base::Time{}, 0.95), std::vector<std::string>{"/b"});
  garbage.schedule("/c", base::Time{});
  EXPECT_TRUE(garbage.unschedule("/c"));
  EXPECT_TRUE(garbage.due(base::Time{base::hours(20)}, 0).empty());
}

TEST(Journal, holds_effects_back_until_what_was_written_before_them_is_durable) {
  Journal journal;
  Effects out;
  journal.put("k", "1");
  journal.then(ForgetContainer{"c"});
  journal.flush(out);
  ASSERT_EQ(out.list.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<Persist>(out.list[0]));

  Effects meanwhile;
  journal.put("k", "2");
  journal.then(DestroyContainer{"c"});
  journal.flush(meanwhile);
  EXPECT_TRUE(meanwhile.list.empty());

  Effects after;
  journal.persisted({}, {}, after);
  journal.flush(after);
  ASSERT_EQ(after.list.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<ForgetContainer>(after.list[0]));
  EXPECT_TRUE(std::holds_alternative<Persist>(after.list[1]));
}

TEST(Journal, tries_a_failed_commit_again_before_anything_later) {
  Journal journal;
  Effects out;
  journal.put("k", "1");
  journal.then(ForgetContainer{"c"});
  journal.flush(out);
  Effects failed;
  journal.persisted(base::Error{base::Code::NoSpace, "full"}, {}, failed);
  journal.put("k", "2");
  journal.flush(failed);
  EXPECT_TRUE(journal.failing());
  for (const auto& effect : failed.list) EXPECT_FALSE(std::holds_alternative<Persist>(effect));
  Effects again;
  journal.retry(again);
  ASSERT_EQ(again.list.size(), 1U);
  EXPECT_EQ(std::get<Persist>(again.list[0]).batch.writes[0].value, "1");
  Effects done;
  journal.persisted({}, {}, done);
  EXPECT_FALSE(journal.failing());
}

mesos::v1::AgentInfo make_info(const std::string& resources, const std::string& attributes = "") {
  mesos::v1::AgentInfo info;
  info.set_hostname("h");
  resources::to_proto(resources::must_parse(resources), resources::Format::Post, info.mutable_resources());
  if (!attributes.empty()) {
    auto* attribute = info.add_attributes();
    attribute->set_name("rack");
    attribute->set_type(mesos::v1::Value::TEXT);
    attribute->mutable_text()->set_value(attributes);
  }
  return info;
}

TEST(Reconfiguration, lets_resources_and_attributes_grow_only) {
  const auto allowed = [](const mesos::v1::AgentInfo& before, const mesos::v1::AgentInfo& after) {
    return check_additive(before, after).has_value();
  };
  EXPECT_TRUE(allowed(make_info("cpus:2;mem:100"), make_info("cpus:4;mem:100;disk:5")));
  EXPECT_FALSE(allowed(make_info("cpus:2;mem:100"), make_info("cpus:1;mem:100")));
  EXPECT_FALSE(allowed(make_info("cpus:2;mem:100"), make_info("cpus:2")));
  EXPECT_TRUE(allowed(make_info("ports:[10-20]"), make_info("ports:[5-25]")));
  EXPECT_FALSE(allowed(make_info("ports:[10-20]"), make_info("ports:[15-25]")));
  EXPECT_TRUE(allowed(make_info("cpus:1"), make_info("cpus:1", "a")));
  EXPECT_FALSE(allowed(make_info("cpus:1", "a"), make_info("cpus:1", "b")));
  EXPECT_FALSE(check_equal(make_info("cpus:1"), make_info("cpus:2")));
  EXPECT_TRUE(check_equal(make_info("cpus:1"), make_info("cpus:1")));
}

}  // namespace
}  // namespace agent
