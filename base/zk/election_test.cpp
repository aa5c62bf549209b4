#include "base/zk/election.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "base/zk/elector.hpp"
#include "base/zk/fake.hpp"
#include "base/zk/testing.hpp"

namespace base::zk {
namespace {

using testing::FakeTime;

constexpr Duration kTimeout = seconds(10);

/// Programs that contend, and what holds at every moment: one acts at a time.
class Contest {
 public:
  explicit Contest(uint64_t seed, Duration latency = milliseconds(2))
      : random(seed), zookeeper(time.place(), [this, latency] { return random.jitter(latency); }) {}

  ~Contest() {
    for (auto& [name, program] : programs) stop(name, true);
  }

  struct Program {
    std::unique_ptr<Elector> elector;
    std::shared_ptr<bool> alive;
    bool elected = false;
    bool deposed = false;
    std::optional<Leader> sees;
    std::vector<std::string> notes;
    int changes = 0;
  };

  void start(const std::string& name, bool contend = true) {
    Program& program = programs[name];
    program = Program();
    program.alive = std::make_shared<bool>(true);
    FakeZooKeeper::Place place = time.place();
    place.after = [this, alive = program.alive](Duration delay, std::function<void()> call) {
      return time.after(delay, [alive, call] {
        if (*alive) call();
      });
    };
    Elector::Options options;
    options.path = "/top/mesos";
    options.data = name;
    options.election = {.contend = contend, .labels = {}, .session_timeout = kTimeout};
    Elector::Callbacks callbacks;
    callbacks.on_elected = [&program] { program.elected = true; };
    callbacks.on_deposed = [&program](const std::string&) { program.deposed = true; };
    callbacks.on_leader = [&program](const std::optional<Leader>& leader) {
      program.sees = leader;
      ++program.changes;
    };
    callbacks.on_note = [&program](bool, const std::string& text) { program.notes.push_back(text); };
    program.elector = std::make_unique<Elector>(zookeeper.host(name, place), options, callbacks);
    program.elector->start();
  }

  void stop(const std::string& name, bool crash) {
    Program& program = programs.at(name);
    if (!program.elector) return;
    if (crash) {
      zookeeper.crash(name);
      *program.alive = false;
    }
    program.elector.reset();
  }

  bool acts(const std::string& name) {
    const auto& program = programs.at(name);
    return program.elector && program.elected && !program.deposed && program.elector->may_act();
  }

  std::vector<std::string> acting() {
    std::vector<std::string> out;
    for (const auto& [name, program] : programs) {
      if (acts(name)) out.push_back(name);
    }
    return out;
  }

  void run_for(Duration duration) {
    const Instant end = time.now() + duration;
    while (time.now() < end) {
      time.run_for(milliseconds(5));
      ASSERT_LE(acting().size(), 1U) << "two act at once";
    }
  }

  FakeTime time;
  Random random;
  FakeZooKeeper zookeeper;
  std::map<std::string, Program> programs;
};

TEST(Election, one_contender_is_elected_and_keeps_it) {
  Contest contest(1);
  contest.start("a");
  contest.run_for(seconds(1));
  EXPECT_TRUE(contest.acts("a"));
  EXPECT_EQ(contest.zookeeper.nodes().count("/top/mesos/json.info_0000000000"), 1U);
  contest.run_for(minutes(10));
  EXPECT_TRUE(contest.acts("a")) << "the lease was not renewed";
  EXPECT_EQ(contest.programs["a"].sees->data, "a");
  EXPECT_TRUE(contest.programs["a"].sees->mine);
}

TEST(Election, everybody_sees_the_one_that_leads_and_the_next_follows) {
  Contest contest(2);
  contest.start("a");
  contest.run_for(seconds(1));
  contest.start("b");
  contest.start("c");
  contest.start("watcher", false);
  contest.run_for(seconds(1));
  EXPECT_EQ(contest.acting(), std::vector<std::string>{"a"});
  for (const char* name : {"b", "c", "watcher"}) EXPECT_EQ(contest.programs[name].sees->data, "a") << name;
  contest.stop("a", false);  // says goodbye: no waiting
  contest.run_for(milliseconds(100));
  EXPECT_EQ(contest.acting().size(), 1U);
  const std::string second = contest.acting().front();
  EXPECT_EQ(contest.programs["watcher"].sees->data, second);
  contest.stop(second, true);  // without a word: after the session timeout
  contest.run_for(kTimeout - seconds(1));
  EXPECT_TRUE(contest.acting().empty());
  contest.run_for(seconds(2));
  EXPECT_EQ(contest.acting().size(), 1U);
}

TEST(Election, a_leader_that_is_cut_off_stops_before_another_begins) {
  Contest contest(3);
  contest.start("a");
  contest.run_for(seconds(1));
  contest.start("b");
  contest.run_for(seconds(1));
  contest.zookeeper.cut("a");
  const Instant cut = contest.time.now();
  while (contest.acts("a")) contest.run_for(milliseconds(5));
  EXPECT_LE(contest.time.now() - cut, kTimeout * 3 / 4 + milliseconds(10));
  EXPECT_TRUE(contest.acting().empty());
  contest.run_for(seconds(3));
  EXPECT_TRUE(contest.programs["a"].deposed);
  EXPECT_EQ(contest.acting(), std::vector<std::string>{"b"});
}

TEST(Election, a_short_cut_or_a_broken_connection_changes_nothing) {
  Contest contest(4);
  contest.start("a");
  contest.run_for(seconds(1));
  contest.start("b");
  for (int i = 0; i < 20; ++i) {
    contest.zookeeper.drop(i % 2 == 0 ? "a" : "b");
    contest.run_for(milliseconds(1 + 700 * (i % 3)));
  }
  contest.run_for(seconds(1));
  EXPECT_EQ(contest.acting(), std::vector<std::string>{"a"});
  EXPECT_EQ(contest.zookeeper.sessions(), 2U);
}

TEST(Election, a_process_that_stood_still_does_not_act_on_what_it_believed) {
  Contest contest(5);
  contest.start("a");
  contest.run_for(seconds(1));
  ASSERT_TRUE(contest.acts("a"));
  // SIGSTOP: nothing of the program runs, time goes on. may_act() is what its first event asks.
  auto stood_still = std::move(contest.programs["a"].elector);
  contest.zookeeper.cut("a");
  contest.start("b");
  Contest::Program& b = contest.programs["b"];
  FakeTime& time = contest.time;
  const Instant end = time.now() + kTimeout + seconds(2);
  while (time.now() < end) {
    time.run_for(milliseconds(5));
    EXPECT_FALSE(b.elector->may_act() && stood_still->may_act());
  }
  EXPECT_TRUE(b.elector->may_act());
  EXPECT_FALSE(stood_still->may_act());
  contest.programs["a"].elector = std::move(stood_still);
}

TEST(Election, a_session_that_expires_at_any_moment_ends_well) {
  for (int step = 0; step < 60; ++step) {
    Contest contest(100 + static_cast<uint64_t>(step), milliseconds(4));
    contest.start("a");
    contest.time.run_for(milliseconds(step));
    contest.zookeeper.expire("a");
    contest.run_for(seconds(15));
    const auto& program = contest.programs["a"];
    EXPECT_TRUE(contest.acts("a") || program.deposed) << step;
    if (program.deposed) {
      EXPECT_TRUE(program.elected) << step;
    }
    size_t members = 0;
    for (const auto& [path, data] : contest.zookeeper.nodes()) members += path.find("json.info_") != std::string::npos;
    EXPECT_LE(members, 1U) << step;
  }
}

TEST(Election, a_connection_that_breaks_at_any_moment_ends_well) {
  for (int step = 0; step < 60; ++step) {
    Contest contest(200 + static_cast<uint64_t>(step), milliseconds(4));
    contest.start("a");
    contest.start("b");
    contest.time.run_for(milliseconds(step));
    contest.zookeeper.drop("a");
    contest.run_for(seconds(2));
    EXPECT_EQ(contest.acting().size(), 1U) << step;
  }
}

TEST(Election, a_node_that_somebody_removes_deposes_its_leader_and_brings_a_follower_back) {
  Contest contest(6);
  contest.start("a");
  contest.run_for(seconds(1));
  contest.start("b");
  contest.run_for(seconds(1));
  ASSERT_TRUE(contest.zookeeper.force({Op::Kind::Remove, "/top/mesos/json.info_0000000001"}));
  contest.run_for(seconds(1));
  EXPECT_EQ(contest.zookeeper.nodes().count("/top/mesos/json.info_0000000002"), 1U) << "b did not join again";
  EXPECT_TRUE(contest.acts("a"));
  ASSERT_TRUE(contest.zookeeper.force({Op::Kind::Remove, "/top/mesos/json.info_0000000000"}));
  contest.run_for(seconds(1));
  EXPECT_TRUE(contest.programs["a"].deposed);
  EXPECT_EQ(contest.acting(), std::vector<std::string>{"b"});
}

TEST(Election, a_watcher_waits_for_the_group_to_be_made_and_keeps_the_leader_over_short_cuts) {
  Contest contest(7);
  contest.start("watcher", false);
  contest.run_for(seconds(3));
  EXPECT_FALSE(contest.programs["watcher"].sees);
  contest.start("a");
  contest.run_for(seconds(2));
  ASSERT_TRUE(contest.programs["watcher"].sees);
  const int changes = contest.programs["watcher"].changes;
  contest.zookeeper.cut("watcher");
  contest.run_for(seconds(8));
  contest.zookeeper.mend("watcher");
  contest.run_for(seconds(5));
  EXPECT_EQ(contest.programs["watcher"].changes, changes) << "the leader was forgotten for a moment";
  contest.zookeeper.cut("watcher");
  contest.run_for(seconds(20));
  EXPECT_FALSE(contest.programs["watcher"].sees) << "after the session timeout nobody is known to lead";
  contest.zookeeper.mend("watcher");
  contest.run_for(seconds(5));
  EXPECT_EQ(contest.programs["watcher"].sees->data, "a");
}

TEST(Election, under_every_fault_at_random_one_acts_at_a_time_and_somebody_does_in_the_end) {
  uint64_t elections = 0;
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    Contest contest(seed, milliseconds(1 + seed % 40));
    const std::vector<std::string> names = {"a", "b", "c"};
    for (const auto& name : names) contest.start(name);
    for (int i = 0; i < 60; ++i) {
      const std::string& name = contest.random.choose(names);
      switch (contest.random.below(8)) {
        case 0: contest.zookeeper.cut(name); break;
        case 1:
        case 2: contest.zookeeper.mend(name); break;
        case 3: contest.zookeeper.drop(name); break;
        case 4:
          // A session that ends before its time (by an operator's hand) is beyond what a lease can know.
          if (!contest.acts(name)) contest.zookeeper.expire(name);
          break;
        case 5:
          contest.stop(name, contest.random.chance(0.5));
          contest.start(name);
          break;
        default: break;
      }
      contest.run_for(contest.random.jitter(seconds(4)));
      for (const auto& other : names) {
        Contest::Program& program = contest.programs[other];
        if (program.deposed) {  // the supervisor starts it again
          ++elections;
          contest.stop(other, false);
          contest.start(other);
        }
      }
      if (::testing::Test::HasFatalFailure()) FAIL() << "seed " << seed;
    }
    for (const auto& name : names) contest.zookeeper.mend(name);
    contest.run_for(seconds(25));
    for (const auto& name : names) {
      if (!contest.programs[name].deposed) continue;
      contest.stop(name, false);
      contest.start(name);
    }
    contest.run_for(seconds(25));
    ASSERT_EQ(contest.acting().size(), 1U) << "seed " << seed;
    for (const auto& name : names) {
      ASSERT_TRUE(contest.programs[name].sees) << "seed " << seed;
      EXPECT_EQ(contest.programs[name].sees->data, contest.acting().front()) << "seed " << seed;
    }
  }
  EXPECT_GT(elections, 50U) << "the faults deposed hardly anybody";
}

}  // namespace
}  // namespace base::zk
