// Who leads, on the in-memory ZooKeeper in virtual time. Whole masters are in tests/sim ha and tests/system/ha.py.

#include "kernel/master/leadership.hpp"

#include <gtest/gtest.h>

#include "base/zk/testing.hpp"
#include "kernel/master/testing.hpp"

namespace {

using master::Leadership;

class LeadershipTest : public ::testing::Test {
 protected:
  struct Member {
    std::unique_ptr<Leadership> leadership;
    std::unique_ptr<base::Store> registry;
    std::string lost;
  };

  Member& start(const std::string& name, base::Duration fetch_timeout) {
    Member& member = members[name];
    Leadership::Options options;
    options.url = base::zk::parse_url("zk://somewhere:2181/mesos").value();
    options.fetch_timeout = fetch_timeout;
    Leadership::Callbacks callbacks;
    callbacks.on_leading = [&member](std::unique_ptr<base::Store> registry) { member.registry = std::move(registry); };
    callbacks.on_lost = [&member](const std::string& why) { member.lost = why; };
    member.leadership = std::make_unique<Leadership>(server.host(name, time.place()), options,
                                                     master::testing::master_info(name), callbacks);
    member.leadership->start();
    time.run_for(base::seconds(1));
    return member;
  }

  base::zk::testing::FakeTime time;
  base::zk::FakeZooKeeper server{time.place(), [] { return base::microseconds(500); }};
  std::map<std::string, Member> members;
};

TEST_F(LeadershipTest, one_that_cannot_read_the_registry_in_time_lets_another_lead) {
  Member& slow = start("slow", base::microseconds(10));
  Member& other = start("other", base::minutes(1));
  EXPECT_EQ(slow.lost, "the registry could not be read within --registry_fetch_timeout");
  EXPECT_EQ(slow.registry, nullptr);
  EXPECT_EQ(other.registry, nullptr);
  server.crash("slow");  // the process ends
  slow.leadership.reset();
  time.run_for(base::seconds(12));
  EXPECT_NE(other.registry, nullptr);
  EXPECT_EQ(other.lost, "");
  EXPECT_TRUE(other.leadership->may_act());
}

}  // namespace
