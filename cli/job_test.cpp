// dcos job, over the API of either job scheduler, and what becomes of cron lines.

#include "cli/cron.hpp"
#include "cli/testing.hpp"

namespace cli {
namespace {

using Job = Dcos;

constexpr const char* kJobs = "/service/chronos/v1/scheduler";

TEST(Cron, becomes_an_interval_where_that_says_the_same) {
  const base::Time now = base::parse_iso8601("2024-01-10T12:00:30Z").value();
  const struct { const char* cron; const char* zone; const char* want; } kTable[] = {
      {"* * * * *", "UTC", "R/2024-01-10T12:01:00/PT1M"},
      {"*/15 * * * *", "UTC", "R/2024-01-10T12:15:00/PT15M"},
      {"5-59/20 * * * *", "UTC", "R/2024-01-10T12:05:00/PT20M"},
      {"0 * * * *", "Europe/Berlin", "R/2024-01-10T14:00:00/PT1H"},
      {"0 20 * * *", "UTC", "R/2024-01-10T20:00:00/P1D"},
      {"0 12 * * *", "UTC", "R/2024-01-11T12:00:00/P1D"},
      {"30 2 * * *", "America/Los_Angeles", "R/2024-01-11T02:30:00/P1D"},
      {"0 9 * * 1", "UTC", "R/2024-01-15T09:00:00/P1W"},
      {"0 9 * * sun", "UTC", "R/2024-01-14T09:00:00/P1W"},
      {"0 9 * * 7", "UTC", "R/2024-01-14T09:00:00/P1W"},
      {"0 9 1 * *", "UTC", "R/2024-02-01T09:00:00/P1M"},
      {"0 9 4 jul *", "UTC", "R/2024-07-04T09:00:00/P1Y"},
      {"0 */6 * * *", "UTC", "R/2024-01-10T18:00:00/PT6H"},
  };
  for (const auto& row : kTable) EXPECT_EQ(interval_of_cron(row.cron, row.zone, now).value_or("-"), row.want) << row.cron;
  const struct { const char* cron; const char* zone; const char* why; } kNot[] = {
      {"0 9 * * 1-5", "UTC", "days are not evenly apart"}, {"0 9 31 * *", "UTC", "leaves out months"},
      {"0 9 29 2 *", "UTC", "February 29"},                {"0 9 31 4 *", "UTC", "no such day"},
      {"0 9,17 * * *", "UTC", "not evenly apart"},         {"*/7 * * * *", "UTC", "not evenly apart"},
      {"0 */6 * * *", "Europe/Berlin", "use the timezone UTC"}, {"0 9 * *", "UTC", "five fields"},
      {"@daily", "UTC", "five fields"},                    {"61 * * * *", "UTC", "no minute"},
      {"0 9 1-7 * 1", "UTC", "days are not evenly apart"}, {"0 9 * * *", "Mars/Olympus", "not an id"}};
  for (const auto& row : kNot) {
    const auto interval = interval_of_cron(row.cron, row.zone, now);
    ASSERT_FALSE(interval) << row.cron << " " << *interval;
    EXPECT_NE(interval.error().message.find(row.why), std::string::npos) << interval.error().message;
  }
}

TEST_F(Job, add_translates_and_asks_whether_it_exists) {
  cluster_.answer(std::string("GET ") + kJobs + "/job/a.b", R"({"status":"Bad Request","message":"Job 'a.b' not found"})", 400);
  cluster_.answer(std::string("POST ") + kJobs + "/iso8601", "", 204);
  Outcome added = ask({"job", "add"}, R"({"id":"a.b","description":"d","run":{"cpus":0.1,"mem":32,"disk":0,"cmd":"date",
    "env":{"A":"b"},"user":"nobody","artifacts":[{"uri":"http://h/f","executable":true}],
    "placement":{"constraints":[{"attribute":"@hostname","operator":"IS","value":"h"}]},"restart":{"policy":"NEVER"}}})");
  EXPECT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(added.out, "");
  ASSERT_EQ(cluster_.requests().size(), 2u);
  EXPECT_EQ(cluster_.requests()[1],
            std::string("POST ") + kJobs + R"(/iso8601 {"name":"a.b","description":"d","cpus":0.1,"mem":32,"disk":0,)"
            R"("runAsUser":"nobody","fetch":[{"uri":"http://h/f","executable":true,"cache":false,"extract":true}],)"
            R"("environmentVariables":[{"name":"A","value":"b"}],"constraints":[["hostname","EQUALS","h"]],"command":"date",)"
            R"("retries":0,"schedule":"R0/2000-01-01T00:00:00Z/PT24H"})");
  cluster_.answer(std::string("GET ") + kJobs + "/job/a.b", R"({"name":"a.b"})");
  Outcome again = ask({"job", "add"}, R"({"id":"a.b","run":{"cmd":"date"}})");
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.err, "Error: Job 'a.b' already exists\n");
}

TEST_F(Job, add_takes_the_schedulers_own_form_and_dependencies) {
  for (const char* name : {"n", "m"}) {
    cluster_.answer(std::string("GET ") + kJobs + "/job/" + name, R"({"message":"not found"})", 400);
  }
  cluster_.answer(std::string("POST ") + kJobs + "/iso8601", "", 204);
  cluster_.answer(std::string("POST ") + kJobs + "/dependency", "", 204);
  EXPECT_EQ(ask({"job", "add"}, R"({"name":"n","command":"x","schedule":"R/2030-01-01T00:00:00Z/P1D"})").code, 0);
  EXPECT_EQ(cluster_.requests().back(),
            std::string("POST ") + kJobs + R"(/iso8601 {"name":"n","command":"x","schedule":"R/2030-01-01T00:00:00Z/P1D"})");
  EXPECT_EQ(ask({"job", "add"}, R"({"id":"m","run":{"cmd":"x"},"dependencies":[{"id":"n"}]})").code, 0);
  EXPECT_NE(cluster_.requests().back().find(R"(/dependency {"name":"m","command":"x","retries":0,"parents":["n"]})"),
            std::string::npos) << cluster_.requests().back();
}

TEST_F(Job, add_names_what_cannot_be_translated) {
  const struct { const char* body; const char* why; } kTable[] = {
      {R"({"run":{"cmd":"x"}})", "id: is required"},
      {R"({"id":"a"})", "run: is required"},
      {R"({"id":"a","run":{}})", "cmd, docker or ucr must be given"},
      {R"({"id":"a","labels":{"x":"y"},"run":{"cmd":"x"}})", "labels: not supported by this scheduler"},
      {R"({"id":"a","run":{"cmd":"x","gpus":1}})", "run.gpus: not supported"},
      {R"({"id":"a","run":{"cmd":"x","secrets":{"s":{"source":"x"}}}})", "run.secrets: not supported"},
      {R"({"id":"a","run":{"cmd":"x","env":{"S":{"secret":"s"}}}})", "run.env.S: must be a string"},
      {R"({"id":"a","run":{"cmd":"x","restart":{"policy":"ON_FAILURE","activeDeadlineSeconds":5}}})",
       "run.restart.activeDeadlineSeconds: not supported"},
      {R"({"id":"a","run":{"cmd":"x","placement":{"constraints":[{"attribute":"a","operator":"MAX_PER"}]}}})",
       "run.placement.constraints[0].operator: use IS"},
      {R"({"id":"a","run":{"cmd":"x"},"schedules":[{"id":"s","cron":"0 9 * * 1-5"}]})", "schedules[0].cron: cron '0 9 * * 1-5'"},
      {R"({"id":"a","run":{"cmd":"x"},"schedules":[{"id":"s","cron":"* * * * *","concurrencyPolicy":"REPLACE"}]})",
       "schedules[0].concurrencyPolicy: use ALLOW or FORBID"},
      {R"({"id":"a","run":{"cmd":"x"},"schedules":[{},{}]})", "only one schedule"},
      {"[]", "a job is a JSON object"}};
  for (const auto& row : kTable) {
    Outcome refused = ask({"job", "add"}, row.body);
    EXPECT_EQ(refused.code, 1) << row.body;
    EXPECT_NE(refused.err.find(row.why), std::string::npos) << row.body << ": " << refused.err;
  }
  EXPECT_TRUE(cluster_.requests().empty());
}

TEST_F(Job, prints_tables_as_the_original) {
  cluster_.answer(std::string("GET ") + kJobs + "/jobs/summary",
                  R"({"jobs":[{"name":"a","status":"success","state":"idle",
                  "schedule":"R/2030-01-01T00:00:00.000Z/P1D","parents":[],"disabled":false},
                  {"name":"bb","status":"failure","state":"2 running","schedule":"","parents":["a"],"disabled":false},
                  {"name":"c","status":"fresh","state":"queued",
                  "schedule":"R0/2000-01-01T00:00:00.000Z/PT24H","parents":[],"disabled":false}]})");
  EXPECT_EQ(ask({"job", "list"}).out,
            "  ID    STATUS     LAST RUN  \n"
            "  a   Scheduled    Success   \n"
            "  bb  Running      Failure   \n"
            "  c   Unscheduled  N/A       \n");
  EXPECT_EQ(ask({"job", "list", "--quiet"}).out, "a\nbb\nc\n");
  EXPECT_EQ(ask({"job", "queue"}).out, "  JOB ID  RUN ID  \n  c       -       \n");
  cluster_.answer(std::string("GET ") + kJobs + "/job/stat/a",
                  R"({"taskStatHistory":[{"taskId":"ct:3:0:a:","jobName":"a",
                  "startTime":"01/10/24 12:10:00","endTime":"N/A","status":"Running"},
                  {"taskId":"ct:2:0:a:","jobName":"a","startTime":"01/10/24 12:00:00","endTime":"01/10/24 12:01:03","status":"Fail"},
                  {"taskId":"ct:1:0:a:","jobName":"a",
                  "startTime":"01/10/24 11:00:00","endTime":"01/10/24 11:01:03","status":"Success"}]})");
  EXPECT_EQ(ask({"job", "history", "a"}).out,
            "   RUN ID          STARTED               FINISHED        \n"
            "  ct:1:0:a:  2024-01-10T11:00:00Z  2024-01-10T11:01:03Z  \n");
  EXPECT_EQ(ask({"job", "history", "a", "--failures", "--quiet"}).out, "ct:2:0:a:\n");
  EXPECT_EQ(ask({"job", "show", "runs", "a"}).out,
            "   TASK ID   JOB ID       STARTED AT       \n"
            "  ct:3:0:a:  a       2024-01-10T12:10:00Z  \n");
  cluster_.answer(std::string("GET ") + kJobs + "/job/a",
                  R"({"name":"a","command":"x","concurrent":false,"disabled":false,)"
                  R"("schedule":"R/2030-01-01T00:00:00.000Z/P1D","scheduleTimeZone":""})");
  EXPECT_EQ(ask({"job", "schedule", "show", "a"}).out,
            "    ID                  CRON               ENABLED          NEXT RUN          CONCURRENCY POLICY  \n"
            "  default  R/2030-01-01T00:00:00.000Z/P1D  true     2030-01-01T00:00:00.000Z  FORBID              \n");
}

TEST_F(Job, remove_minds_runs_and_says_what_the_scheduler_says) {
  cluster_.answer(std::string("GET ") + kJobs + "/job/stat/a", R"({"taskStatHistory":[{"taskId":"ct:3:0:a:","status":"Running"}]})");
  cluster_.answer(std::string("DELETE ") + kJobs + "/job/a", "", 204);
  EXPECT_EQ(ask({"job", "remove", "a"}).err, "Error: job \"a\" is running\n");
  EXPECT_EQ(ask({"job", "remove", "a", "--stop-current-job-runs"}).code, 0);
  cluster_.answer(std::string("GET ") + kJobs + "/job/stat/x", R"({"status":"Bad Request","message":"Job 'x' not found"})", 400);
  EXPECT_EQ(ask({"job", "remove", "x"}).err, "Error: Job 'x' not found\n");
  EXPECT_NE(ask({"job", "kill", "a"}).err.find("--all"), std::string::npos);
}

TEST_F(Job, update_keeps_the_schedule_and_schedules_are_things_of_their_own) {
  cluster_.answer(std::string("GET ") + kJobs + "/job/a",
                  R"({"name":"a","command":"x","successCount":3,"concurrent":true,"disabled":false,"epsilon":"PT900S",)"
                  R"("schedule":"R/2030-01-01T00:00:00.000Z/P1D","scheduleTimeZone":"UTC"})");
  cluster_.answer(std::string("POST ") + kJobs + "/iso8601", "", 204);
  EXPECT_EQ(ask({"job", "update"}, R"({"id":"a","run":{"cmd":"y"}})").code, 0);
  EXPECT_EQ(cluster_.requests().back(),
            std::string("POST ") + kJobs + R"(/iso8601 {"name":"a","command":"y","retries":0,)"
            R"("schedule":"R/2030-01-01T00:00:00.000Z/P1D","scheduleTimeZone":"UTC",)"
                  R"("epsilon":"PT900S","concurrent":true,"disabled":false})");
  EXPECT_NE(ask({"job", "schedule", "add", "a"}, R"({"id":"s","cron":"0 9 * * *"})").err.find("only one is supported"), std::string::npos);
  EXPECT_EQ(ask({"job", "schedule", "update", "a"}, R"({"id":"s","cron":"0 9 * * *","timezone":"Europe/Berlin"})").code, 0);
  const std::string posted = cluster_.requests().back();
  EXPECT_NE(posted.find("T09:00:00/P1D\""), std::string::npos) << posted;
  EXPECT_NE(posted.find(R"("scheduleTimeZone":"Europe/Berlin")"), std::string::npos) << posted;
  EXPECT_EQ(posted.find("successCount"), std::string::npos) << "counters stay as they are";
  EXPECT_EQ(ask({"job", "schedule", "remove", "a", "default"}).code, 0);
  EXPECT_NE(cluster_.requests().back().find(R"("schedule":"R0/2030-01-01T00:00:00.000Z/P1D")"), std::string::npos);
}

class JobOfMetronome : public Dcos {
 protected:
  JobOfMetronome() { environment_["DCOS_JOB_URL"] = "/service/metronome/"; }
  /// What the cluster was asked last, without what is before /v1.
  std::string last() {
    const std::string text = cluster_.requests().back();
    const size_t service = text.find("/service/metronome");
    return service == std::string::npos ? text : text.substr(0, service) + text.substr(service + 18);
  }
};

TEST_F(JobOfMetronome, definitions_go_as_they_are_and_schedules_by_a_call_of_their_own) {
  cluster_.answer("POST /service/metronome/v1/jobs", "{}", 201);
  cluster_.answer("POST /service/metronome/v1/jobs/a.b/schedules", "{}", 201);
  const std::string run = R"("labels":{"x":"y"},"run":{"cmd":"date","cpus":1,"mem":32,"disk":0})";
  EXPECT_EQ(ask({"job", "add"}, R"({"id":"a.b",)" + run + R"(,"schedules":[{"id":"s1","cron":"* * * * *"}]})").code, 0);
  ASSERT_EQ(cluster_.requests().size(), 2u);
  EXPECT_EQ(cluster_.requests()[0], "POST /service/metronome/v1/jobs {\"id\":\"a.b\"," + run + "}");
  EXPECT_EQ(last(), R"(POST /v1/jobs/a.b/schedules {"id":"s1","cron":"* * * * *"})");
  cluster_.answer("PUT /service/metronome/v1/jobs/a.b", "{}");
  EXPECT_EQ(ask({"job", "update"}, R"({"id":"a.b",)" + run + R"(,"schedules":[]})").code, 0);
  EXPECT_EQ(last(), "PUT /v1/jobs/a.b {\"id\":\"a.b\"," + run + "}");
  EXPECT_EQ(ask({"job", "add"}, "{}").err, "Error: jobs JSON requires an ID\n");
  cluster_.answer("POST /service/metronome/v1/jobs",
                  R"({"message":"Object is not valid","details":[{"path":"/run/cpus","errors":["too small"]}]})", 422);
  EXPECT_EQ(ask({"job", "add"}, R"({"id":"c"})").err, "Error: Object is not valid\n  /run/cpus: too small\n");
}

TEST_F(JobOfMetronome, tables_and_ids) {
  cluster_.answer("GET /service/metronome/v1/jobs?embed=activeRuns&embed=schedules&embed=historySummary",
                  R"([{"id":"a","schedules":[],"activeRuns":[{"id":"r"}],"historySummary":{"lastSuccessAt":"2024-01-02T00:00:00.000+0000",)"
                  R"("lastFailureAt":"2024-01-01T00:00:00.000+0000"}},)"
                  R"({"id":"b","schedules":[{"id":"s"}],"historySummary":{"lastSuccessAt":null,"lastFailureAt":null}}])");
  EXPECT_EQ(ask({"job", "list", "-q"}).out, "a\nb\n");
  const std::string table = ask({"job", "list"}).out;
  EXPECT_NE(table.find("Running"), std::string::npos) << table;
  EXPECT_NE(table.find("Success"), std::string::npos) << table;
  EXPECT_NE(table.find("Scheduled"), std::string::npos) << table;
  cluster_.answer("POST /service/metronome/v1/jobs/a/runs", R"({"id":"r1","jobId":"a"})", 201);
  EXPECT_EQ(ask({"job", "run", "a"}).out, "Run ID: r1\n");
  cluster_.answer("GET /service/metronome/v1/jobs/a/runs", R"([{"id":"r1"},{"id":"r2"}])");
  for (const char* run : {"r1", "r2"}) {
    cluster_.answer(std::string("POST /service/metronome/v1/jobs/a/runs/") + run + "/actions/stop", "{}");
  }
  EXPECT_EQ(ask({"job", "kill", "a"}).err, "Error: run-id must be specified or --all option must be set\n");
  EXPECT_EQ(ask({"job", "kill", "a", "--all"}).code, 0);
  EXPECT_EQ(last(), "POST /v1/jobs/a/runs/r2/actions/stop");
}

TEST_F(JobOfMetronome, refusals_in_words) {
  cluster_.answer("DELETE /service/metronome/v1/jobs/a", "{}", 409);
  EXPECT_EQ(ask({"job", "remove", "a"}).err, "Error: job \"a\" is running\n");
  cluster_.answer("DELETE /service/metronome/v1/jobs/a?stopCurrentJobRuns=true", "{}");
  EXPECT_EQ(ask({"job", "remove", "a", "--stop-current-job-runs"}).code, 0);
  cluster_.answer("GET /service/metronome/v1/jobs/x", R"({"id":"x","message":"Job not found"})", 404);
  EXPECT_EQ(ask({"job", "show", "x"}).err, "Error: job \"x\" does not exist\n");
}

}  // namespace
}  // namespace cli
