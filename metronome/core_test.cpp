// Stories: runs from their trigger to their end, in a world where anything may stop at any time.

#include "metronome/core.hpp"

#include <gtest/gtest.h>

#include "kernel/api/mesos/v1/tasks.pb.h"
#include "metronome/testing.hpp"

namespace metronome {
namespace {

using base::hours;
using base::minutes;
using base::seconds;
using testing::World;

const std::string kMinutely = ",'schedules':[{'id':'every','cron':'* * * * *'}]";
const std::string kForbid = ",'schedules':[{'id':'every','cron':'* * * * *','concurrencyPolicy':'FORBID'}]";
const std::string kRestart = ",'restart':{'policy':'ON_FAILURE'}";

std::string status_of(World& world, const std::string& job, const std::string& run) {
  const auto response = world.get("/v1/jobs/" + job + "/runs/" + run);
  if (response.status != 200) return std::to_string(response.status);
  const size_t at = response.body.find("\"status\":\"") + 10;
  return response.body.substr(at, response.body.find('"', at) - at);
}

TEST(Runs, a_run_by_hand) {
  World world;
  world.subscribe();
  world.auto_offer = false;
  ASSERT_EQ(world.add("prod.example"), 201);
  const auto response = world.request("POST", "/v1/jobs/prod.example/runs");
  EXPECT_EQ(response.status, 201);
  EXPECT_NE(response.body.find("\"status\":\"INITIAL\",\"createdAt\":\"2024-01-10T12:00:00.000+0000\",\"completedAt\":null,\"tasks\":[]"),
            std::string::npos) << response.body;
  const std::string run = response.body.substr(7, 19);
  EXPECT_TRUE(run.starts_with("20240110120000"));
  EXPECT_EQ(status_of(world, "prod.example", run), "STARTING");
  EXPECT_EQ(world.get("/v1/queue").body, "[{\"jobId\":\"prod.example\",\"runs\":[{\"runId\":\"" + run + "\"}]}]");
  world.offer();
  ASSERT_EQ(world.launches.size(), 1U);
  EXPECT_EQ(status_of(world, "prod.example", run), "ACTIVE");
  EXPECT_EQ(world.get("/v1/queue").body, "[]");
  const auto& info = *world.tasks.begin()->second.info;
  EXPECT_EQ(info.name(), run + ".example.prod");
  EXPECT_TRUE(info.task_id().value().starts_with("prod_example_" + run + ".instance-"));
  world.update(world.launches[0], "TASK_FINISHED");
  EXPECT_EQ(status_of(world, "prod.example", run), "404") << "what is over is in the history";
  EXPECT_EQ(world.job("prod.example").history.successes, 1);
  EXPECT_EQ(world.acknowledged.size(), 2U);
}

TEST(Runs, a_failure_is_final_without_a_policy) {
  World world;
  world.subscribe();
  world.add("a");
  world.start("a");
  world.update(world.launches.at(0), "TASK_FAILED");
  world.advance(hours(2));
  EXPECT_EQ(world.launches.size(), 1U);
  EXPECT_EQ(world.job("a").history.failures, 1);
}

TEST(Runs, on_failure_it_is_launched_again_until_the_deadline) {
  World world;
  world.subscribe();
  world.add("a", "", ",'restart':{'policy':'ON_FAILURE','activeDeadlineSeconds':60}");
  const std::string run = world.start("a");
  world.update(world.launches.at(0), "TASK_FAILED");
  ASSERT_EQ(world.launches.size(), 2U) << "at once";
  EXPECT_NE(world.launches[0], world.launches[1]);
  EXPECT_EQ(status_of(world, "a", run), "ACTIVE");
  world.advance(seconds(61));
  world.update(world.launches[1], "TASK_FAILED");
  world.advance(minutes(5));
  EXPECT_EQ(world.launches.size(), 2U);
  EXPECT_EQ(world.job("a").history.failures, 1) << "one run, two tasks";
  EXPECT_EQ(world.job("a").history.failed.at(0).tasks.size(), 2U);
}

TEST(Runs, what_fails_for_long_slows_down) {
  World world;
  world.subscribe();
  world.add("a", "", kRestart);
  world.start("a");
  for (int i = 0; i < 600; ++i) {
    for (const auto& task : world.tasks_of("a", "TASK_RUNNING")) world.update(task, "TASK_FAILED");
    world.advance(seconds(1));
  }
  EXPECT_GE(world.launches.size(), 10U);
  EXPECT_LE(world.launches.size(), 25U);
  EXPECT_EQ(world.job("a").active.size(), 1U);
}

TEST(Runs, a_stop_is_answered_when_the_task_is_gone) {
  World world;
  world.subscribe();
  world.auto_kill = false;
  world.add("a", "", ",'taskKillGracePeriodSeconds':3" + kRestart);
  const std::string run = world.start("a");
  EXPECT_EQ(world.tasks.begin()->second.info->kill_policy().grace_period().nanoseconds(), 3'000'000'000);
  EXPECT_EQ(world.request("POST", "/v1/jobs/a/runs/" + run + "/actions/stop").status, 0);
  EXPECT_EQ(world.calls.back(), "KILL");
  world.update(world.launches.at(0), "TASK_KILLED");
  const auto answer = world.late_answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_NE(answer.body.find("\"status\":\"FAILED\""), std::string::npos) << answer.body;
  EXPECT_NE(answer.body.find("TASK_KILLED"), std::string::npos);
  EXPECT_EQ(world.job("a").history.failures, 1);
  EXPECT_EQ(world.launches.size(), 1U) << "no restart";
  EXPECT_EQ(world.request("POST", "/v1/jobs/a/runs/" + run + "/actions/stop").status, 404);
}

TEST(Runs, a_stop_of_what_waits_needs_no_kill) {
  World world;
  world.add("a");
  const std::string run = world.start("a");
  EXPECT_EQ(world.request("POST", "/v1/jobs/a/runs/" + run + "/actions/stop").status, 200);
  world.subscribe();
  EXPECT_TRUE(world.launches.empty());
}

TEST(Runs, a_kill_is_repeated_until_it_is_heard) {
  World world;
  world.subscribe();
  world.auto_kill = false;
  world.add("a");
  const std::string run = world.start("a");
  world.request("POST", "/v1/jobs/a/runs/" + run + "/actions/stop");
  world.restart();
  world.subscribe();
  EXPECT_EQ(std::count(world.calls.begin(), world.calls.end(), "KILL"), 2);
  world.auto_kill = true;
  world.advance(minutes(1));
  EXPECT_EQ(world.tasks_of("a", "TASK_KILLED").size(), 1U);
  EXPECT_EQ(world.job("a").history.failures, 1);
}

TEST(Runs, what_is_not_launched_in_time_fails) {
  World world;
  world.cpus = 0;
  world.subscribe();
  world.add("a", "", ",'maxLaunchDelay':30");
  world.start("a");
  world.advance(seconds(29));
  EXPECT_EQ(world.job("a").active.size(), 1U);
  world.advance(seconds(2));
  EXPECT_TRUE(world.job("a").active.empty());
  EXPECT_EQ(world.job("a").history.failures, 1);
}

TEST(Runs, a_launch_that_never_arrives_is_made_again) {
  World world;
  world.subscribe();
  world.drop_launches = true;
  world.add("a");
  world.start("a");
  world.drop_launches = false;
  world.advance(minutes(1));
  EXPECT_EQ(world.launches.size(), 1U);
  world.update(world.launches.at(0), "TASK_FINISHED");
  EXPECT_EQ(world.job("a").history.successes, 1);
}

TEST(Runs, a_record_comes_before_the_launch) {
  World world;
  world.subscribe();
  world.add("a");
  world.store_answers = false;
  EXPECT_EQ(world.request("POST", "/v1/jobs/a/runs").status, 0);
  EXPECT_TRUE(world.launches.empty());
  world.restart();
  world.subscribe();
  world.advance(minutes(2));
  EXPECT_TRUE(world.launches.empty()) << "nobody was told of the run";
  world.store_answers = true;
  world.release_store();
  world.start("a");
  EXPECT_EQ(world.launches.size(), 1U);
}

TEST(Runs, killed_at_any_commit_no_run_is_lost_or_doubled) {
  for (int stop_at = 0; stop_at < 6; ++stop_at) {
    World world;
    world.subscribe();
    world.add("a");
    world.auto_offer = false;
    ASSERT_FALSE(world.start("a").empty());
    world.store_answers = false;
    world.offer();
    for (int i = 0; i < stop_at; ++i) {
      world.store_answers = i % 2 == 0;
      world.release_store();
    }
    world.restart();
    world.store_answers = world.auto_offer = true;
    world.release_store();
    world.subscribe();
    world.advance(minutes(5));
    EXPECT_EQ(world.tasks_of("a", "TASK_RUNNING").size(), 1U) << stop_at;
    for (const auto& task : world.tasks_of("a", "TASK_RUNNING")) world.update(task, "TASK_FINISHED");
    world.advance(minutes(5));
    EXPECT_EQ(world.job("a").history.successes, 1) << stop_at;
    EXPECT_TRUE(world.tasks_of("a", "TASK_RUNNING").empty()) << stop_at;
  }
}

TEST(Runs, a_restart_keeps_what_is_under_way_and_what_was) {
  World world;
  world.subscribe();
  world.add("a");
  world.start("a");
  world.update(world.launches.at(0), "TASK_FINISHED");
  world.start("a");
  world.update(world.launches.at(1), "TASK_FAILED");
  const std::string run = world.start("a");
  const std::string before = world.get("/v1/jobs/a?embed=history,activeRuns").body;
  world.restart();
  EXPECT_EQ(world.get("/v1/jobs/a?embed=history,activeRuns").body, before);
  world.subscribe();
  EXPECT_EQ(world.launches.size(), 3U);
  world.update(world.launches[2], "TASK_FINISHED");
  EXPECT_EQ(world.job("a").history.successes, 2);
  EXPECT_EQ(world.job("a").history.successful.front().id, run);
}

TEST(Runs, tasks_that_no_record_knows_are_killed) {
  World world;
  world.subscribe();
  world.tasks["ghost"] = {"TASK_STAGING", "ghost", nullptr};
  world.update("ghost", "TASK_RUNNING");
  EXPECT_EQ(world.tasks["ghost"].state, "TASK_KILLED");
}

TEST(Runs, a_lost_agent_restarts_or_fails) {
  World world;
  world.subscribe();
  world.add("a", "", kRestart);
  world.add("b");
  world.start("a");
  world.start("b");
  for (const auto& task : {world.tasks_of("a").at(0), world.tasks_of("b").at(0)}) {
    world.update(task, "TASK_UNREACHABLE");
    world.update(task, "TASK_GONE");
  }
  EXPECT_EQ(world.tasks_of("a").size(), 2U);
  EXPECT_EQ(world.job("b").history.failures, 1);
}

TEST(Runs, history_is_bounded_in_memory_and_in_the_store) {
  Policy policy;
  policy.history_limit = 3;
  World world(policy);
  world.subscribe();
  world.add("a");
  for (int i = 0; i < 5; ++i) {
    world.start("a");
    world.update(world.launches.back(), "TASK_FINISHED");
    world.advance(seconds(1));
  }
  EXPECT_EQ(world.job("a").history.successful.size(), 3U);
  EXPECT_EQ(world.job("a").history.successes, 5);
  const auto ended = std::count_if(world.store.begin(), world.store.end(),
                                   [](const auto& record) { return record.first.starts_with("ended:a:ok:"); });
  EXPECT_EQ(ended, 3);
  world.request("DELETE", "/v1/jobs/a");
  EXPECT_TRUE(std::none_of(world.store.begin(), world.store.end(),
                           [](const auto& record) { return record.first.starts_with("ended:"); }));
}

TEST(Slots, fire_at_their_second) {
  World world({}, "2024-01-10T12:00:30Z");
  world.subscribe();
  ASSERT_EQ(world.add("a", kMinutely), 201);
  world.advance(seconds(29));
  EXPECT_TRUE(world.launches.empty());
  world.advance(seconds(1));
  EXPECT_EQ(world.launches.size(), 1U);
  world.advance(minutes(10));
  EXPECT_EQ(world.launches.size(), 11U) << "ALLOW: however many are under way";
}

TEST(Slots, forbid_leaves_out_while_a_run_is_under_way) {
  World world;
  world.subscribe();
  world.add("a", kForbid);
  world.advance(minutes(5));
  EXPECT_EQ(world.launches.size(), 1U);
  EXPECT_FALSE(world.start("a").empty()) << "by hand all the same";
  for (const auto& task : world.tasks_of("a")) world.update(task, "TASK_FINISHED");
  world.advance(minutes(1));
  EXPECT_EQ(world.launches.size(), 3U);
}

TEST(Slots, a_disabled_schedule_is_quiet_and_shows_its_next_run) {
  World world;
  world.subscribe();
  world.add("a", ",'schedules':[{'id':'every','cron':'* * * * *','enabled':false}]");
  world.advance(minutes(5));
  EXPECT_TRUE(world.launches.empty());
  EXPECT_NE(world.get("/v1/jobs/a/schedules/every").body.find("\"nextRunAt\":\"2024-01-10T12:06:00.000+0000\""), std::string::npos);
  world.request("PUT", "/v1/jobs/a/schedules/every", "{'id':'every','cron':'* * * * *'}");
  world.advance(minutes(1));
  EXPECT_EQ(world.launches.size(), 1U);
}

TEST(Slots, of_missed_ones_the_newest_runs_if_it_still_may) {
  World world;
  world.subscribe();
  world.add("often", kMinutely);
  world.add("rare", ",'schedules':[{'id':'every','cron':'10 12 * * *','startingDeadlineSeconds':60}]");
  world.restart();
  world.now.time = world.now.time + hours(24 * 30) + minutes(30);
  world.now.instant = world.now.instant + minutes(30);
  world.restart();
  world.subscribe();
  world.advance(seconds(0));
  EXPECT_EQ(world.tasks_of("often").size(), 1U);
  EXPECT_TRUE(world.tasks_of("rare").empty());
  world.advance(minutes(1));
  EXPECT_EQ(world.tasks_of("often").size(), 2U);
}

TEST(Slots, a_clock_that_is_set_back_repeats_none) {
  World world;
  world.subscribe();
  world.add("a", kMinutely);
  world.advance(minutes(2));
  EXPECT_EQ(world.launches.size(), 2U);
  world.jump(-minutes(2));
  world.advance(minutes(2));
  EXPECT_EQ(world.launches.size(), 2U);
  world.advance(minutes(1));
  EXPECT_EQ(world.launches.size(), 3U);
  world.jump(minutes(10));
  EXPECT_EQ(world.launches.size(), 4U) << "the newest of ten";
}

TEST(Slots, a_run_that_cannot_start_by_its_deadline_fails) {
  World world;
  world.cpus = 0;
  world.subscribe();
  world.add("a", ",'schedules':[{'id':'every','cron':'0 13 * * *','startingDeadlineSeconds':120}]");
  world.advance(minutes(61));
  EXPECT_EQ(world.job("a").active.size(), 1U);
  world.advance(seconds(61));
  EXPECT_EQ(world.job("a").history.failures, 1);
}

TEST(Slots, a_slot_is_used_up_with_the_record_of_its_run) {
  World world;
  world.subscribe();
  world.add("a", kMinutely);
  world.store_works = false;
  world.advance(minutes(1));
  EXPECT_TRUE(world.launches.empty());
  world.store_works = true;
  world.advance(seconds(20));
  EXPECT_EQ(world.launches.size(), 1U) << "when the store takes it";
  world.restart();
  world.subscribe();
  world.advance(seconds(30));
  EXPECT_EQ(world.launches.size(), 1U);
}

TEST(Children, start_when_all_parents_have_succeeded_since_their_own_start) {
  World world;
  world.subscribe();
  world.add("a");
  world.add("b");
  world.add("c", ",'dependencies':[{'id':'a'},{'id':'b'}]");
  const auto run = [&](const std::string& job, const std::string& state) {
    world.start(job);
    world.update(world.launches.back(), state);
  };
  run("a", "TASK_FINISHED");
  EXPECT_TRUE(world.tasks_of("c").empty());
  run("b", "TASK_FAILED");
  EXPECT_TRUE(world.tasks_of("c").empty());
  run("b", "TASK_FINISHED");
  ASSERT_EQ(world.tasks_of("c").size(), 1U);
  run("b", "TASK_FINISHED");
  EXPECT_EQ(world.tasks_of("c").size(), 1U) << "a has not run since";
  world.update(world.tasks_of("c").at(0), "TASK_FAILED");
  run("a", "TASK_FINISHED");
  EXPECT_EQ(world.tasks_of("c").size(), 2U) << "a failed child waits for no success of its own";
}

TEST(Children, remember_across_restarts) {
  World world;
  world.subscribe();
  world.add("a");
  world.add("b");
  world.add("c", ",'dependencies':[{'id':'a'},{'id':'b'}]");
  world.start("a");
  world.update(world.launches.back(), "TASK_FINISHED");
  world.restart();
  world.subscribe();
  world.start("b");
  world.update(world.launches.back().starts_with("b") ? world.launches.back() : "", "TASK_FINISHED");
  EXPECT_EQ(world.tasks_of("c").size(), 1U);
}

TEST(Children, do_not_follow_what_ended_before_they_were) {
  World world;
  world.subscribe();
  world.add("a");
  world.add("b");
  world.start("a");
  world.update(world.launches.back(), "TASK_FINISHED");
  world.add("c", ",'dependencies':[{'id':'a'},{'id':'b'}]");
  world.start("b");
  world.update(world.launches.back(), "TASK_FINISHED");
  EXPECT_TRUE(world.tasks_of("c").empty());
}

TEST(Deleting, stops_runs_and_forgets_them) {
  World world;
  world.subscribe();
  world.auto_kill = false;
  world.add("a");
  const std::string run = world.start("a");
  EXPECT_EQ(world.request("DELETE", "/v1/jobs/a").status, 409);
  EXPECT_EQ(world.request("DELETE", "/v1/jobs/a?stopCurrentJobRuns=true").status, 200);
  EXPECT_EQ(world.get("/v1/jobs/a").status, 404);
  ASSERT_EQ(world.add("a"), 201);
  EXPECT_EQ(world.get("/v1/jobs/a/runs").body, "[]") << "runs of the job before are not of this one";
  world.restart();
  EXPECT_EQ(world.get("/v1/jobs/a/runs").body, "[]");
  world.auto_kill = true;
  world.subscribe();
  EXPECT_EQ(world.tasks_of("a", "TASK_KILLED").size(), 1U);
  EXPECT_EQ(world.job("a").history.failures, 0);
  EXPECT_EQ(world.get("/v1/jobs/a/runs/" + run).status, 404);
}

TEST(Store, a_refusal_leaves_everything_as_it_was) {
  World world;
  world.subscribe();
  world.add("a");
  const std::string before = world.get("/v1/jobs?embed=history").body;
  world.store_works = false;
  EXPECT_EQ(world.add("b"), 500);
  EXPECT_EQ(world.request("PUT", "/v1/jobs/a", "{'id':'a','run':{'cmd':'y','cpus':1,'mem':32,'disk':0}}").status, 500);
  EXPECT_EQ(world.request("POST", "/v1/jobs/a/schedules", "{'id':'s1','cron':'* * * * *'}").status, 500);
  EXPECT_EQ(world.request("POST", "/v1/jobs/a/runs").status, 500);
  EXPECT_EQ(world.request("DELETE", "/v1/jobs/a").status, 500);
  EXPECT_EQ(world.get("/v1/jobs?embed=history").body, before);
  world.store_works = true;
  world.advance(minutes(10));
  EXPECT_TRUE(world.launches.empty());
  world.restart();
  EXPECT_EQ(world.get("/v1/jobs?embed=history").body, before);
}

TEST(Store, bad_records_are_left_aside) {
  World world;
  world.subscribe();
  world.add("a");
  world.store["job:b"] = "{";
  world.store["run:a:x"] = "[]";
  world.store["ended:a:ok:y"] = "1";
  world.restart();
  EXPECT_EQ(world.core->state().jobs.size(), 1U);
  EXPECT_EQ(world.core->state().counters.at("persistence.bad-records"), 3U);
  EXPECT_TRUE(world.store.contains("job:b"));
}

}  // namespace
}  // namespace metronome
