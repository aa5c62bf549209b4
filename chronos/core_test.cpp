// Whole stories: jobs in a world of a master, agents and a store.

#include <gtest/gtest.h>

#include <algorithm>

#include "chronos/runs.hpp"
#include "chronos/testing.hpp"

namespace chronos {
namespace {

using testing::World;

std::string schedule_of(World& world, const std::string& job) {
  const std::string body = world.get("/v1/scheduler/job/" + job).body;
  const size_t at = body.find("\"schedule\":\"") + 12;
  return body.substr(at, body.find('"', at) - at);
}

std::string state_of(World& world, const std::string& job) {
  const std::string csv = world.get("/scheduler/graph/csv").body;
  const size_t at = csv.find("node," + job + ",");
  return csv.substr(at, csv.find('\n', at) - at);
}

TEST(Chronos, a_job_runs_when_its_time_has_come_and_counts) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.schedule("{'name':'a','command':'date','schedule':'R3/2024-01-10T12:01:00Z/PT1M'}"), 204);
  EXPECT_EQ(state_of(world, "a"), "node,a,fresh,idle");
  world.advance(base::seconds(60));
  ASSERT_EQ(world.launches.size(), 1u);
  EXPECT_EQ(world.launches[0], "ct:1704888060000:0:a:");
  EXPECT_EQ(schedule_of(world, "a"), "R2/2024-01-10T12:02:00.000Z/PT1M");
  EXPECT_EQ(state_of(world, "a"), "node,a,fresh,1 running");
  world.advance(base::seconds(200));
  EXPECT_EQ(world.launches.size(), 3u);
  EXPECT_EQ(world.job("a").counters.successes, 3);
  EXPECT_TRUE(world.job("a").job.disabled) << "it has run as often as it should";
  EXPECT_EQ(schedule_of(world, "a"), "R0/2024-01-10T12:04:00.000Z/PT1M");
  ASSERT_EQ(world.notices.size(), 1u);
  EXPECT_EQ(world.notices[0].subject, "[Chronos] job 'a' disabled");
  EXPECT_EQ(world.acknowledged.size(), 6u);
}

TEST(Chronos, a_missed_slot_is_made_good_once_without_an_epsilon) {
  World world;
  ASSERT_EQ(world.schedule("{'name':'a','command':'x','schedule':'R10/2024-01-10T12:00:10Z/PT10S'}"), 204);
  world.advance(base::seconds(65));
  EXPECT_TRUE(world.launches.empty()) << "no master";
  world.subscribe();
  EXPECT_EQ(world.launches.size(), 1u);
  EXPECT_EQ(schedule_of(world, "a"), "R9/2024-01-10T12:01:10.000Z/PT10S");
  EXPECT_EQ(world.job("a").history.skipped(), 0);
}

TEST(Chronos, with_an_epsilon_late_slots_are_skipped_and_counted) {
  World world;
  ASSERT_EQ(world.schedule("{'name':'a','command':'x','epsilon':'PT15S','schedule':'R10/2024-01-10T12:00:10Z/PT10S'}"), 204);
  world.advance(base::seconds(65));
  world.subscribe();
  // Slots of :10 to :40 are gone; :50 and :60 may still start.
  EXPECT_EQ(world.job("a").history.skipped(), 4);
  ASSERT_EQ(world.launches.size(), 1u);
  EXPECT_EQ(world.launches[0], "ct:1704888050000:0:a:");
  world.advance(base::seconds(2));
  ASSERT_EQ(world.launches.size(), 2u);
  EXPECT_EQ(world.launches[1], "ct:1704888060000:0:a:");
  EXPECT_EQ(schedule_of(world, "a"), "R4/2024-01-10T12:01:10.000Z/PT10S");
  EXPECT_NE(world.get("/scheduler/job/stat/a").body.find("\"skipped\":{\"count\":4"), std::string::npos);
}

TEST(Chronos, runs_do_not_overlap_unless_they_may) {
  World world;
  world.runs_for = base::seconds(25);
  world.subscribe();
  world.schedule("{'name':'a','command':'x','schedule':'R/2024-01-10T12:00:10Z/PT10S'}");
  world.schedule("{'name':'b','command':'x','concurrent':true,'schedule':'R/2024-01-10T12:00:10Z/PT10S'}");
  world.advance(base::seconds(32));
  EXPECT_EQ(world.tasks_of("a").size(), 1u);
  EXPECT_EQ(world.tasks_of("b", "TASK_RUNNING").size(), 3u);
  world.advance(base::seconds(4));
  EXPECT_EQ(world.tasks_of("a").size(), 2u) << "right after the run before it";
}

TEST(Chronos, a_failure_is_retried_after_a_pause_and_then_counts) {
  Policy policy;
  policy.disable_after_failures = 2;
  World world(policy);
  world.outcome = [](const std::string&, const std::string&) { return "TASK_FAILED"; };
  world.subscribe();
  world.schedule("{'name':'a','command':'x','retries':2,'owner':'a@b.c, d@e.f','schedule':'R/2024-01-10T12:00:10Z/P1D'}");
  world.advance(base::seconds(12));
  EXPECT_EQ(world.job("a").counters.errors, 0);
  world.restart();  // a retry that is pending outlives the process
  world.subscribe();
  world.advance(base::seconds(59));
  EXPECT_EQ(world.launches.size(), 2u);
  world.advance(base::seconds(70));
  ASSERT_EQ(world.launches.size(), 3u);
  EXPECT_EQ(world.launches[2], "ct:1704888010000:2:a:");
  EXPECT_EQ(world.job("a").counters.errors, 1);
  ASSERT_EQ(world.notices.size(), 1u);
  EXPECT_EQ(world.notices[0].owners, (std::vector<std::string>{"a@b.c", "d@e.f"}));
  EXPECT_EQ(world.notices[0].subject, "[Chronos] job 'a' failed!");
  EXPECT_EQ(state_of(world, "a"), "node,a,failure,idle");
  // The next slot has retries again: they are counted per run.
  world.advance(base::hours(25));
  EXPECT_EQ(world.launches.size(), 6u);
  EXPECT_TRUE(world.job("a").job.disabled);
}

TEST(Chronos, the_originals_rule_for_retries_is_a_choice) {
  Policy policy;
  policy.retry_only_after_success = true;
  World world(policy);
  world.outcome = [](const std::string&, const std::string&) { return "TASK_FAILED"; };
  world.subscribe();
  world.schedule("{'name':'a','command':'x','retries':1,'schedule':'R/2024-01-10T12:00:10Z/P1D'}");
  world.advance(base::hours(49));
  EXPECT_EQ(world.launches.size(), 4u) << "two of the first run, one each of the others";
}

TEST(Chronos, killed_tasks_count_neither_way) {
  World world;
  world.runs_for = base::hours(1);
  world.subscribe();
  world.schedule("{'name':'a','command':'x','schedule':'R/2024-01-10T12:00:00Z/P1D'}");
  world.depend("{'name':'b','command':'x','parents':['a']}");
  ASSERT_EQ(world.launches.size(), 1u);
  EXPECT_EQ(world.request("DELETE", "/scheduler/task/kill/a").status, 204);
  EXPECT_EQ(world.tasks_of("a", "TASK_KILLED").size(), 1u);
  EXPECT_EQ(world.job("a").counters, Counters{});
  world.advance(base::hours(2));
  EXPECT_TRUE(world.tasks_of("b").empty());
  EXPECT_EQ(world.launches.size(), 1u);
}

TEST(Chronos, children_follow_their_parents_by_generation) {
  World world;
  world.subscribe();
  world.schedule("{'name':'root','command':'x','schedule':'R/2024-01-10T12:01:00Z/PT1M'}");
  world.depend("{'name':'left','command':'x','parents':['root']}");
  world.depend("{'name':'right','command':'x','retries':0,'parents':['root']}");
  world.depend("{'name':'end','command':'x','parents':['left','right']}");
  // Right fails in the first generation: what left has done then must not count for the second.
  world.outcome = [n = 0](const std::string& job, const std::string&) mutable {
    return job == "right" && n++ == 0 ? "TASK_FAILED" : "";
  };
  world.runs_for_job["right"] = base::seconds(20);
  world.advance(base::seconds(110));
  EXPECT_EQ(world.tasks_of("left").size(), 1u);
  EXPECT_TRUE(world.tasks_of("end").empty());
  world.advance(base::seconds(15));
  EXPECT_EQ(world.tasks_of("left").size(), 2u);
  EXPECT_TRUE(world.tasks_of("end").empty()) << "right has not finished in this generation";
  world.restart();
  world.subscribe();
  world.advance(base::seconds(20));
  EXPECT_EQ(world.tasks_of("end").size(), 1u);
}

TEST(Chronos, with_several_roots_the_parent_with_the_lowest_count_decides) {
  World world;
  world.subscribe();
  world.schedule("{'name':'often','command':'x','schedule':'R/2024-01-10T12:00:10Z/PT10S'}");
  world.schedule("{'name':'seldom','command':'x','schedule':'R/2024-01-10T12:01:05Z/PT1M'}");
  world.depend("{'name':'both','command':'x','parents':['often','seldom']}");
  world.advance(base::seconds(64));
  EXPECT_TRUE(world.tasks_of("both").empty());
  world.advance(base::seconds(3));
  EXPECT_EQ(world.tasks_of("both").size(), 1u);
  world.advance(base::seconds(50));
  EXPECT_EQ(world.tasks_of("both").size(), 1u);
  world.advance(base::seconds(15));
  EXPECT_EQ(world.tasks_of("both").size(), 2u);
}

TEST(Chronos, a_soft_error_and_a_mark_let_children_run) {
  World world;
  world.outcome = [](const std::string& job, const std::string&) { return job == "b" ? "" : "TASK_FAILED"; };
  world.subscribe();
  world.schedule("{'name':'a','command':'x','retries':0,'softError':true,'schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  world.schedule("{'name':'h','command':'x','retries':0,'schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  world.depend("{'name':'b','command':'x','parents':['a']}");
  world.depend("{'name':'c','command':'x','parents':['h']}");
  world.advance(base::seconds(5));
  EXPECT_EQ(world.tasks_of("b").size(), 1u);
  EXPECT_TRUE(world.tasks_of("c").empty());
  EXPECT_EQ(world.request("PUT", "/v1/scheduler/job/success/h").body, "marked job h as successful: true");
  EXPECT_EQ(world.request("PUT", "/v1/scheduler/job/success/nobody").body, "marked job nobody as successful: false");
  EXPECT_EQ(world.tasks_of("c").size(), 1u);
}

TEST(Chronos, a_run_by_hand_takes_arguments_and_leaves_the_schedule_alone) {
  World world;
  world.subscribe();
  world.schedule("{'name':'a','command':'echo','schedule':'R5/2024-02-01T00:00:00Z/P1D'}");
  EXPECT_EQ(world.request("PUT", "/scheduler/job/a?arguments=x%3Brm%20-rf%20/tmp").status, 204);
  ASSERT_EQ(world.launches.size(), 1u);
  EXPECT_EQ(world.launches[0], "ct:1704888000000:0:a:xrm -rf _tmp");
  EXPECT_EQ(schedule_of(world, "a"), "R5/2024-02-01T00:00:00.000Z/P1D");
  // Asked for twice while it waits: once.
  world.request("PUT", "/scheduler/job/a");
  world.request("PUT", "/scheduler/job/a");
  world.advance(base::seconds(10));
  EXPECT_EQ(world.launches.size(), 2u);
  EXPECT_NE(world.launches[0], world.launches[1]);
}

TEST(Chronos, a_job_that_only_runs_by_hand_stays_enabled) {
  World world;
  world.subscribe();
  world.schedule("{'name':'a','command':'x','schedule':'R0/2024-01-01T00:00:00Z/PT24H'}");
  for (int i = 1; i <= 3; ++i) {
    world.request("PUT", "/scheduler/job/a");
    world.advance(base::seconds(5));
    EXPECT_EQ(world.job("a").counters.successes, i);
  }
  EXPECT_FALSE(world.job("a").job.disabled);
}

TEST(Chronos, an_asynchronous_job_ends_when_it_is_reported) {
  World world;
  world.subscribe();
  world.schedule("{'name':'a','command':'x','async':true,'schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  world.advance(base::seconds(30));
  EXPECT_EQ(state_of(world, "a"), "node,a,fresh,1 running");
  world.restart();
  world.subscribe();
  world.advance(base::seconds(30));
  EXPECT_EQ(state_of(world, "a"), "node,a,fresh,1 running");
  EXPECT_EQ(world.request("PUT", "/scheduler/task/ct%3A1704888000000%3A0%3Aa%3A", "{\"statusCode\":0}").status, 204);
  EXPECT_EQ(world.job("a").counters.successes, 1);
  EXPECT_EQ(world.request("PUT", "/scheduler/task/ct%3A1704888000000%3A0%3Aa%3A", "{\"statusCode\":0}").status, 400);
}

TEST(Chronos, a_launch_that_is_lost_is_made_again_with_a_number_of_its_own) {
  World world;
  world.subscribe();
  world.drop_launches = true;
  world.schedule("{'name':'a','command':'x','schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  EXPECT_TRUE(world.launches.empty());
  world.drop_launches = false;
  world.advance(base::seconds(6));
  ASSERT_EQ(world.launches.size(), 1u);
  EXPECT_EQ(world.launches[0], "ct:1704888000000:1:a:");
  world.advance(base::seconds(5));
  EXPECT_EQ(world.job("a").counters.successes, 1);
}

TEST(Chronos, a_launch_that_waits_for_its_record_is_not_asked_about) {
  World world;
  world.runs_for = base::seconds(30);
  world.subscribe();
  world.schedule("{'name':'a','command':'x','schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  world.schedule("{'name':'b','command':'x','schedule':'R1/2024-01-10T12:00:04Z/P1D'}");
  world.advance(base::seconds(3));
  world.store_answers = false;
  world.advance(base::seconds(20));
  world.store_answers = true;
  world.release_store();
  world.advance(base::seconds(60));
  EXPECT_EQ(world.tasks_of("b"), (std::vector<std::string>{"ct:1704888004000:0:b:"}));
}

TEST(Chronos, a_crash_around_a_launch_neither_loses_nor_doubles_a_run) {
  for (const bool arrived : {false, true}) {
    World world;
    world.subscribe();
    world.drop_launches = !arrived;
    world.runs_for = base::seconds(30);
    world.schedule("{'name':'a','command':'x','schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
    world.restart();
    world.drop_launches = false;
    world.subscribe();
    world.advance(base::seconds(60));
    EXPECT_EQ(world.launches.size(), 1u) << arrived;
    EXPECT_EQ(world.job("a").counters.successes, 1) << arrived;
  }
}

TEST(Chronos, nothing_is_launched_before_it_is_written_down) {
  World world;
  world.subscribe();
  world.schedule("{'name':'a','command':'x','schedule':'R1/2024-01-10T12:00:10Z/P1D'}");
  world.store_answers = false;
  world.advance(base::seconds(20));
  EXPECT_TRUE(world.launches.empty());
  world.restart();
  world.store_answers = true;
  world.subscribe();
  EXPECT_EQ(world.launches.size(), 1u);
}

TEST(Chronos, a_store_that_refuses_leaves_nothing_half_done) {
  World world;
  world.subscribe();
  world.schedule("{'name':'old','command':'x','schedule':'R/2024-02-01T00:00:00Z/P1D'}");
  world.store_works = false;
  EXPECT_EQ(world.schedule("{'name':'a','command':'x','schedule':'R/2024-02-01T00:00:00Z/P1D'}"), 500);
  EXPECT_EQ(world.get("/scheduler/job/a").status, 400);
  EXPECT_EQ(world.schedule("{'name':'old','command':'y','schedule':'R/2024-02-01T00:00:00Z/P1D'}"), 500);
  EXPECT_NE(world.get("/scheduler/job/old").body.find("\"command\":\"x\""), std::string::npos);
  EXPECT_EQ(world.request("DELETE", "/scheduler/job/old").status, 500);
  EXPECT_EQ(world.request("PUT", "/scheduler/job/old").status, 500);
  EXPECT_TRUE(world.launches.empty());
  world.store_works = true;
  world.advance(base::seconds(30));
  EXPECT_TRUE(world.launches.empty());
  world.restart();
  EXPECT_EQ(world.core->state().jobs.size(), 1u);
  EXPECT_NE(world.get("/scheduler/job/old").body.find("\"command\":\"x\""), std::string::npos);
}

TEST(Chronos, runs_go_on_when_the_store_is_back) {
  World world;
  world.subscribe();
  world.schedule("{'name':'a','command':'x','schedule':'R/2024-01-10T12:00:10Z/PT10S'}");
  world.advance(base::seconds(10));
  world.store_works = false;
  world.advance(base::seconds(30));
  EXPECT_EQ(world.launches.size(), 1u);
  world.store_works = true;
  world.advance(base::seconds(30));
  EXPECT_GE(world.launches.size(), 3u);
  EXPECT_EQ(world.job("a").counters.successes, static_cast<int64_t>(world.tasks_of("a", "TASK_FINISHED").size()));
  world.restart();
  EXPECT_EQ(world.job("a").counters.successes, static_cast<int64_t>(world.tasks_of("a", "TASK_FINISHED").size()));
}

TEST(Chronos, an_oversized_job_holds_up_no_other_and_high_priority_goes_first) {
  World world({}, {{"A1", "h", 1, 1000, 1000, {}}});
  world.auto_offer = false;
  world.subscribe();
  world.schedule("{'name':'big','command':'x','cpus':64,'schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  world.schedule("{'name':'low','command':'x','cpus':0.6,'schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  world.schedule("{'name':'high','command':'x','cpus':0.6,'highPriority':true,'schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  EXPECT_EQ(state_of(world, "big"), "node,big,fresh,queued");
  world.offer_all();
  ASSERT_EQ(world.launches.size(), 1u);
  EXPECT_EQ(world.tasks_of("high").size(), 1u);
  world.advance(base::seconds(2));
  world.offer_all();
  EXPECT_EQ(world.tasks_of("low").size(), 1u);
}

TEST(Chronos, constraints_choose_the_agent) {
  World world({}, {{"A1", "host1", 8, 8192, 10'000, {{"rack", "r1"}}}, {"A2", "host2", 8, 8192, 10'000, {{"rack", "r2"}}}});
  world.subscribe();
  const struct { const char* constraint; const char* agent; } kTable[] = {
      {"['rack','EQUALS','r2']", "A2"}, {"['rack','LIKE','r[1]']", "A1"},
      {"['rack','UNLIKE','r1']", "A2"}, {"['hostname','EQUALS','host1']", "A1"}};
  int n = 0;
  for (const auto& row : kTable) {
    const std::string name = "j" + std::to_string(n++);
    ASSERT_EQ(world.schedule("{'name':'" + name + "','command':'x','schedule':'R1/2024-01-10T12:00:00Z/P1D','constraints':[" +
                             row.constraint + "]}"), 204);
    ASSERT_EQ(world.tasks_of(name).size(), 1u) << row.constraint;
    EXPECT_EQ(world.tasks.at(world.tasks_of(name)[0]).agent, row.agent) << row.constraint;
  }
}

TEST(Chronos, a_clock_that_jumps_forward_runs_what_is_due_and_backward_nothing_twice) {
  World world;
  world.subscribe();
  world.schedule("{'name':'a','command':'x','schedule':'R/2024-01-10T12:01:00Z/PT1M'}");
  world.advance(base::seconds(61));
  EXPECT_EQ(world.launches.size(), 1u);
  world.jump(-base::minutes(10));
  world.advance(base::minutes(9));
  EXPECT_EQ(world.launches.size(), 1u) << "every slot up to now has run";
  world.advance(base::minutes(3));
  EXPECT_EQ(world.launches.size(), 3u);
  world.jump(base::hours(1));
  EXPECT_EQ(world.launches.size(), 4u) << "one run for what the jump has passed over";
  // Without the kernel's notice the jump is found within half a minute.
  world.jump(base::hours(1), false);
  world.advance(base::seconds(31));
  EXPECT_EQ(world.launches.size(), 5u);
}

TEST(Chronos, an_unreachable_agent_is_waited_for_and_a_gone_one_is_not) {
  World world;
  world.runs_for = base::hours(1);
  world.subscribe();
  world.schedule("{'name':'a','command':'x','retries':0,'schedule':'R1/2024-01-10T12:00:00Z/P1D'}");
  const std::string task = world.launches[0];
  world.update(task, "TASK_UNREACHABLE");
  EXPECT_EQ(state_of(world, "a"), "node,a,fresh,1 running");
  world.update(task, "TASK_RUNNING");
  world.update(task, "TASK_GONE");
  EXPECT_EQ(world.job("a").counters.errors, 1);
}

TEST(Chronos, what_is_not_written_down_is_killed) {
  World world;
  world.subscribe();
  world.update("ct:1:0:ghost:", "TASK_RUNNING");
  EXPECT_EQ(std::count(world.calls.begin(), world.calls.end(), "KILL"), 1);
}

TEST(Chronos, a_framework_that_was_removed_begins_anew) {
  World world;
  world.subscribe();
  EXPECT_EQ(world.store.at("framework-id"), "F1");
  EXPECT_EQ(world.store.at("schema"), "1");
  world.store["job:broken"] = "{";
  world.store["run:broken"] = R"({"task":1})";
  world.restart();
  EXPECT_EQ(world.core->state().counters.at("persistence.bad-records"), 2u);
  EXPECT_EQ(world.store.at("job:broken"), "{") << "left alone";
  EXPECT_EQ(world.store.at("epoch"), "2");
}

}  // namespace
}  // namespace chronos
