#include "base/ha/candidacy.hpp"

#include <gtest/gtest.h>

#include <array>

#include "base/zk/testing.hpp"

namespace base::ha {
namespace {

/// Processes of one daemon on the in-memory ZooKeeper, in virtual time.
class CandidacyTest : public ::testing::Test {
 protected:
  struct Member {
    std::unique_ptr<Candidacy> candidacy;
    std::unique_ptr<Store> store;
    int led = 0, lost = 0;
  };

  Member& start(const std::string& name) {
    Member& member = members[name];
    Candidacy::Options options;
    options.url = zk::parse_url("zk://somewhere:2181/marathon").value();
    options.address = "http://" + name + ":8080";
    options.writer = name + std::to_string(++writers);
    Candidacy::Callbacks callbacks;
    callbacks.on_leading = [this, &member](std::unique_ptr<Store> store) {
      for (auto& [other, each] : members) {
        const bool acts = &each != &member && each.candidacy && each.candidacy->may_act();
        EXPECT_FALSE(acts) << other;
      }
      member.store = std::move(store);
      ++member.led;
    };
    callbacks.on_lost = [&member](const std::string&) { ++member.lost; };
    member.candidacy = std::make_unique<Candidacy>(server.host(name, time.place()), options, callbacks);
    member.candidacy->start();
    time.run_for(seconds(1));
    return member;
  }

  void kill(const std::string& name) {
    server.crash(name);
    members[name].store.reset();
    members[name].candidacy.reset();
  }

  zk::testing::FakeTime time;
  zk::FakeZooKeeper server{time.place(), [] { return microseconds(500); }};
  std::map<std::string, Member> members;
  int writers = 0;
};

TEST_F(CandidacyTest, one_acts_and_the_others_know_where_it_is) {
  Member& a = start("a");
  Member& b = start("b");
  EXPECT_TRUE(a.candidacy->may_act());
  EXPECT_FALSE(a.candidacy->leader_elsewhere());
  EXPECT_FALSE(b.candidacy->may_act());
  EXPECT_EQ(b.candidacy->leader_elsewhere(), "http://a:8080");
}

TEST_F(CandidacyTest, whoever_takes_over_has_what_was_committed) {
  Member& a = start("a");
  Member& b = start("b");
  StoreBatch batch;
  batch.put("app:/a", "1");
  Status stored = unavailable("never told");
  a.store->commit(std::move(batch), [&](Status status) { stored = std::move(status); });
  time.run_for(seconds(1));
  ASSERT_TRUE(stored);
  kill("a");
  time.run_for(seconds(12));
  ASSERT_TRUE(b.candidacy->may_act());
  EXPECT_EQ(b.store->get("app:/a").value(), "1");
}

TEST_F(CandidacyTest, one_that_stood_still_may_not_act_before_it_has_heard_anything) {
  Member& a = start("a");
  Member& b = start("b");
  server.cut("a");
  time.run_for(seconds(8));  // its lease: three quarters of the session
  EXPECT_FALSE(a.candidacy->may_act());
  time.run_for(seconds(6));
  EXPECT_TRUE(b.candidacy->may_act());
  EXPECT_EQ(a.lost, 1);
  Status stored = {};
  StoreBatch late;
  late.put("app:/a", "late");
  a.store->commit(std::move(late), [&](Status status) { stored = std::move(status); });
  server.mend("a");
  time.run_for(seconds(12));
  EXPECT_FALSE(b.store->get("app:/a").value());
  EXPECT_TRUE(b.candidacy->may_act());
}

TEST_F(CandidacyTest, connections_that_break_change_nothing) {
  Member& a = start("a");
  Member& b = start("b");
  for (int i = 0; i < 5; ++i) {
    server.drop("a");
    server.drop("b");
    time.run_for(seconds(3));
  }
  EXPECT_TRUE(a.candidacy->may_act());
  EXPECT_EQ(a.led, 1);
  EXPECT_EQ(a.lost + b.lost + b.led, 0);
}

TEST_F(CandidacyTest, whoever_resigns_is_followed_at_once) {
  start("a");
  Member& b = start("b");
  members["a"].store.reset();
  members["a"].candidacy.reset();
  time.run_for(seconds(1));
  EXPECT_TRUE(b.candidacy->may_act());
}

}  // namespace
}  // namespace base::ha
