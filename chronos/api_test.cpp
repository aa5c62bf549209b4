// The API: every endpoint, its answers and its refusals.

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "chronos/testing.hpp"

namespace chronos {
namespace {

using testing::World;

std::string quoted(const std::string& text) { return base::replace_all(text, "'", "\""); }

std::string message(const base::http::Response& response) {
  const auto body = base::json::parse(response.body);
  return body ? base::json::get_string(*body, "/message").value_or("") : "no JSON: " + response.body;
}

base::http::Response post(World& world, const std::string& where, const std::string& body) {
  return world.request("POST", "/v1/scheduler/" + where, quoted(body));
}

TEST(ChronosApi, errors_have_the_shape_that_clients_read) {
  World world;
  const auto response = world.get("/scheduler/job/nobody");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.headers.get_or("Content-Type", ""), "application/json");
  EXPECT_EQ(response.body, R"({"status":"Bad Request","message":"Job 'nobody' not found"})");
  EXPECT_EQ(world.get("/scheduler/nothing").status, 404);
  EXPECT_EQ(world.get("/jobs").status, 404) << "only below the prefixes";
  EXPECT_EQ(world.get("/scheduler/ping").status, 404);
  const auto wrong = world.request("DELETE", "/scheduler/jobs");
  EXPECT_EQ(wrong.status, 405);
  EXPECT_EQ(wrong.headers.get_or("Allow", ""), "GET");
  EXPECT_EQ(world.request("POST", "/scheduler/iso8601", "{}", "text/plain").status, 415);
  EXPECT_EQ(world.request("POST", "/scheduler/iso8601", "{}", "application/json; charset=utf-8").status, 400);
}

TEST(ChronosApi, unknown_jobs_are_400_everywhere) {
  World world;
  const std::pair<const char*, const char*> kRequests[] = {
      {"GET", "job/x"}, {"PUT", "job/x"}, {"DELETE", "job/x"}, {"GET", "job/stat/x"}, {"DELETE", "task/kill/x"},
      {"POST", "job/x/task/ct%3A1%3A0%3Ax%3A/progress"}, {"PUT", "task/ct%3A1%3A0%3Ax%3A"}};
  for (const auto& [method, path] : kRequests) {
    for (const char* prefix : {"/scheduler/", "/v1/scheduler/"}) {
      EXPECT_EQ(world.request(method, std::string(prefix) + path, "{\"statusCode\":0}").status, 400) << method << path;
    }
  }
}

TEST(ChronosApi, jobs_are_stored_shown_and_removed) {
  World world;
  EXPECT_EQ(world.get("/scheduler/jobs").body, "[]");
  const auto created = post(world, "iso8601", "{'name':'a','command':'x','schedule':'R/2030-01-01T00:00:00Z/P1D','uris':['u']}");
  EXPECT_EQ(created.status, 204);
  EXPECT_EQ(created.body, "");
  EXPECT_EQ(post(world, "dependency", "{'name':'b','command':'y','parents':['a']}").status, 204);
  EXPECT_EQ(world.get("/v1/scheduler/jobs/summary").body,
            quoted("{'jobs':[{'name':'a','status':'fresh','state':'idle','schedule':'R/2030-01-01T00:00:00.000Z/P1D',"
                   "'parents':[],'disabled':false},{'name':'b','status':'fresh','state':'idle','schedule':'',"
                   "'parents':['a'],'disabled':false}]}"));
  const std::string one = world.get("/scheduler/job/a").body;
  EXPECT_NE(one.find(quoted("'uris':['u'],'fetch':[]")), std::string::npos) << one;
  EXPECT_NE(world.get("/scheduler/jobs").body.find(quoted("'uris':['u'],'fetch':[{'uri':'u'")), std::string::npos)
      << "the list shows both forms";
  const std::string child = world.get("/scheduler/job/b").body;
  EXPECT_NE(child.find("\"parents\":[\"a\"]}"), std::string::npos);
  EXPECT_EQ(child.find("schedule"), std::string::npos);
  EXPECT_EQ(world.get("/scheduler/graph/dot").body, "digraph G {\n  1 [ label=\"a\" ];\n  2 [ label=\"b\" ];\n  1 -> 2;\n}\n");
  EXPECT_EQ(world.get("/scheduler/graph/csv").body, "node,a,fresh,idle\nnode,b,fresh,idle\nlink,a,b\n");
  EXPECT_EQ(world.get("/scheduler/graph/csv").headers.get_or("Content-Type", ""), "text/plain");
  EXPECT_EQ(world.request("DELETE", "/scheduler/job/b").status, 204);
  EXPECT_EQ(world.request("DELETE", "/scheduler/job/b").status, 400);
  world.restart();
  EXPECT_EQ(world.core->state().jobs.size(), 1u);
}

TEST(ChronosApi, without_a_schedule_a_job_runs_once_now) {
  World world;
  world.subscribe();
  EXPECT_EQ(post(world, "iso8601", "{'name':'a','command':'x'}").status, 204);
  EXPECT_EQ(world.launches.size(), 1u);
  EXPECT_NE(world.get("/scheduler/job/a").body.find("\"schedule\":\"R0/2024-01-11T12:00:00.000Z/PT24H\""), std::string::npos);
}

TEST(ChronosApi, what_cannot_be_is_refused_and_nothing_is_stored) {
  World world;
  world.schedule("{'name':'a','command':'x','schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  world.depend("{'name':'b','command':'x','parents':['a']}");
  world.depend("{'name':'c','command':'x','parents':['b']}");
  const auto before = world.store;
  const struct { const char* where; const char* body; const char* why; } kTable[] = {
      {"iso8601", "{'name':'n','schedule':'whenever'}", "Cannot parse schedule 'whenever'"},
      {"iso8601", "{'name':'a','schedule':'whenever'}", "Cannot parse schedule 'whenever'"},
      {"iso8601", "{'name':'n n','schedule':'R1//PT1M'}", "name is invalid"},
      {"iso8601", "{'name':'n','schedule':'R/1969-01-01T00:00:00Z/P1D'}", "starts before 1970"},
      {"iso8601", "{'name':'n','schedule':'R//PT1M','scheduleTimeZone':'EDT'}", "'EDT' is not a known time zone"},
      {"iso8601", "{'name':'n','schedule':'R//PT1M','parents':['a']}", "parents cannot be given"},
      {"iso8601", "not json", "line 1"},
      {"dependency", "{'name':'n'}", "parents must name at least one job"},
      {"dependency", "{'name':'n','parents':[]}", "parents must name at least one job"},
      {"dependency", "{'name':'n','parents':['nobody']}", "depends on 'nobody', which does not exist"},
      {"dependency", "{'name':'a','parents':['c']}", "circular dependency: a -> b -> c -> a"},
      {"dependency", "{'name':'n','parents':['n']}", "its own parent"},
      {"dependency", "{'name':'n','parents':'a'}", "parents must be an array"},
  };
  for (const auto& row : kTable) {
    const auto response = post(world, row.where, row.body);
    EXPECT_EQ(response.status, 400) << row.body;
    EXPECT_NE(message(response).find(row.why), std::string::npos) << row.body << ": " << response.body;
  }
  EXPECT_EQ(world.store, before);
}

TEST(ChronosApi, a_job_may_turn_from_one_kind_into_the_other) {
  World world;
  world.subscribe();
  world.schedule("{'name':'p','command':'x','schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  world.schedule("{'name':'a','command':'x','schedule':'R/2024-01-10T12:01:00Z/PT1M'}");
  EXPECT_EQ(world.depend("{'name':'a','command':'x','parents':['p']}"), 204);
  world.advance(base::minutes(5));
  EXPECT_TRUE(world.launches.empty()) << "the old schedule has ended";
  EXPECT_EQ(world.schedule("{'name':'a','command':'x','schedule':'R/2030-01-01T00:00:00Z/P1D'}"), 204);
  world.request("PUT", "/scheduler/job/p");
  world.advance(base::minutes(5));
  EXPECT_EQ(world.launches.size(), 1u) << "the old edge has ended";
}

TEST(ChronosApi, deleting_a_parent_hands_children_on) {
  World world;
  world.schedule("{'name':'s','command':'x','schedule':'R/2030-01-01T00:00:00Z/P1D','scheduleTimeZone':'Europe/Berlin'}");
  world.schedule("{'name':'t','command':'x','schedule':'R/2031-01-01T00:00:00Z/P1D'}");
  world.depend("{'name':'m','command':'x','parents':['s']}");
  world.depend("{'name':'both','command':'x','parents':['s','t']}");
  world.depend("{'name':'end','command':'keep','parents':['m'],'environmentVariables':[{'name':'A','value':'b'}]}");
  EXPECT_EQ(world.request("DELETE", "/scheduler/job/m").status, 204);
  EXPECT_EQ(world.job("end").job.parents, std::set<JobName>{"s"});
  EXPECT_EQ(world.request("DELETE", "/scheduler/job/s").status, 204);
  EXPECT_EQ(world.job("both").job.parents, std::set<JobName>{"t"}) << "it has another parent";
  world.restart();
  const std::string end = world.get("/scheduler/job/end").body;
  EXPECT_NE(end.find("\"schedule\":\"R/2030-01-01T00:00:00.000+01:00/P1D\""), std::string::npos) << end;
  EXPECT_NE(end.find(quoted("{'name':'A','value':'b'}")), std::string::npos) << "every field survives";
}

TEST(ChronosApi, deleting_kills_and_a_pending_retry_dies_with_the_job) {
  World world;
  world.runs_for = base::hours(1);
  world.subscribe();
  world.schedule("{'name':'a','command':'x','owner':'me','schedule':'R/2024-01-10T12:00:00Z/P1D'}");
  world.schedule("{'name':'f','command':'x','schedule':'R/2024-01-10T12:00:00Z/P1D'}");
  world.update(world.tasks_of("f").at(0), "TASK_FAILED");
  EXPECT_EQ(world.request("DELETE", "/scheduler/job/a").status, 204);
  EXPECT_EQ(world.request("DELETE", "/scheduler/job/f").status, 204);
  EXPECT_EQ(world.tasks_of("a", "TASK_KILLED").size(), 1u);
  ASSERT_EQ(world.notices.size(), 2u);
  EXPECT_EQ(world.notices[0].subject, "[Chronos] Your job 'a' was deleted!");
  world.advance(base::hours(2));
  EXPECT_EQ(world.launches.size(), 2u);
  EXPECT_TRUE(world.core->state().runs.empty());
  for (const auto& [key, value] : world.store) EXPECT_FALSE(key.starts_with("run:") || key.starts_with("job:")) << key;
}

TEST(ChronosApi, counters_are_restored_when_given_and_kept_when_not) {
  World world;
  world.schedule("{'name':'a','command':'x','successCount':7,'lastSuccess':'2024-01-01T00:00:00Z',"
                 "'schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  world.schedule("{'name':'a','command':'y','schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  EXPECT_EQ(world.job("a").counters.successes, 7);
  world.schedule("{'name':'a','command':'y','successCount':1,'schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  EXPECT_EQ(world.job("a").counters.successes, 1);
}

TEST(ChronosApi, posting_back_what_get_shows_keeps_the_anchor) {
  World world({}, {{"A1", "h"}}, "2023-01-31T09:00:00Z");
  world.subscribe();
  world.schedule("{'name':'a','command':'x','schedule':'R/2023-01-31T10:00:00Z/P1M'}");
  world.advance(base::hours(2));
  const std::string shown = world.get("/scheduler/job/a").body;
  EXPECT_NE(shown.find("R/2023-02-28T10:00:00.000Z/P1M"), std::string::npos);
  EXPECT_EQ(world.request("POST", "/scheduler/iso8601", shown).status, 204);
  world.advance(base::hours(24 * 30));
  EXPECT_NE(world.get("/scheduler/job/a").body.find("R/2023-03-31T10:00:00.000Z/P1M"), std::string::npos);
}

TEST(ChronosApi, search_takes_name_command_and_any) {
  World world;
  world.schedule("{'name':'backup-db','command':'pg_dump','schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  world.schedule("{'name':'backup-fs','command':'TAR','schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  world.schedule("{'name':'report','command':'tar backup','schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  const auto found = [&](const std::string& query) {
    const auto body = base::json::parse(world.get("/scheduler/jobs/search?" + query).body);
    std::string names;
    for (const auto& job : body->as_array()) names += std::string(job.at("name").as_string()) + " ";
    return names;
  };
  EXPECT_EQ(found(""), "backup-db backup-fs report ");
  EXPECT_EQ(found("name=BACKUP"), "backup-db backup-fs ");
  EXPECT_EQ(found("name=backup&command=tar"), "backup-fs ");
  EXPECT_EQ(found("any=backup"), "backup-db backup-fs report ");
  EXPECT_EQ(found("any=tar"), "backup-fs report ");
  EXPECT_EQ(found("name=db&any=report"), "backup-db report ");
  EXPECT_EQ(found("limit=1&offset=1"), "backup-fs ");
  EXPECT_EQ(world.get("/scheduler/jobs/search?limit=x").status, 400);
}

TEST(ChronosApi, statistics_of_runs) {
  World world;
  world.runs_for = base::seconds(63);
  world.subscribe();
  world.schedule("{'name':'a','command':'x','dataProcessingJobType':true,'schedule':'R2/2024-01-10T12:00:00Z/PT10M'}");
  world.schedule("{'name':'never','command':'x','schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  const std::string progress = "/scheduler/job/a/task/ct%3A1704888000000%3A0%3Aa%3A/progress";
  EXPECT_EQ(world.request("POST", progress, "{\"numAdditionalElementsProcessed\":40}").status, 204);
  EXPECT_EQ(world.request("POST", progress, "{\"numAdditionalElementsProcessed\":2}").status, 204);
  EXPECT_EQ(world.request("POST", progress, "{\"numAdditionalElementsProcessed\":-1}").status, 400);
  EXPECT_EQ(world.request("POST", "/scheduler/job/a/task/x/progress", "{}").status, 400);
  EXPECT_EQ(world.request("POST", "/scheduler/job/never/task/ct%3A1%3A0%3Anever%3A/progress", "{}").status, 400);
  EXPECT_NE(world.get("/scheduler/job/stat/a").body.find("\"status\":\"Running\""), std::string::npos);
  world.advance(base::minutes(20));
  EXPECT_EQ(world.get("/scheduler/job/stat/a").body,
            quoted("{'histogram':{'75thPercentile':63.0,'95thPercentile':63.0,'98thPercentile':63.0,'99thPercentile':63.0,"
                   "'median':63.0,'mean':63.0,'count':2},'taskStatHistory':[{'taskId':'ct:1704888600000:0:a:','jobName':'a',"
                   "'slaveId':'A1','startTime':'01/10/24 12:10:00','endTime':'01/10/24 12:11:03','duration':'1m3s',"
                   "'status':'Success','numElementsProcessed':0},{'taskId':'ct:1704888000000:0:a:','jobName':'a','slaveId':'A1',"
                   "'startTime':'01/10/24 12:00:00','endTime':'01/10/24 12:01:03','duration':'1m3s','status':'Success',"
                   "'numElementsProcessed':42}],'skipped':{'count':0,'lastSlot':'N/A'}}"));
  EXPECT_EQ(world.get("/scheduler/stats/median").body,
            quoted("[{'jobNameLabel':'a','time':63.0},{'jobNameLabel':'never','time':0.0}]"));
  EXPECT_EQ(world.get("/scheduler/stats/17thPercentile").body, "[]");
}

TEST(ChronosApi, small_endpoints) {
  World world;
  EXPECT_EQ(world.get("/ping").body, "pong");
  EXPECT_EQ(world.get("/leader").body, R"({"leader":"host:4400"})");
  EXPECT_EQ(world.get("/v1/scheduler/leader").body, R"({"leader":"host:4400"})");
  EXPECT_NE(world.get("/health").body.find("\"kernel\":\"disconnected\""), std::string::npos);
  world.subscribe();
  EXPECT_NE(world.get("/health").body.find("\"kernel\":\"subscribed\""), std::string::npos);
  EXPECT_NE(world.get("/metrics").body.find("TaskManager.queueSize\":{\"value\":0}"), std::string::npos);
  EXPECT_EQ(world.get("/").status, 200);
  for (const char* path : {"/", "/ping", "/leader", "/health", "/metrics", "/scheduler/jobs", "/scheduler/graph/dot"}) {
    EXPECT_TRUE(world.get(path).headers.has("Content-Type")) << path;
  }
}

TEST(ChronosApi, purging_drops_runs_that_wait) {
  World world;
  world.schedule("{'name':'a','command':'x','schedule':'R/2030-01-01T00:00:00Z/P1D'}");
  world.request("PUT", "/scheduler/job/a");
  EXPECT_NE(world.get("/scheduler/graph/csv").body.find("queued"), std::string::npos);
  EXPECT_EQ(world.request("DELETE", "/scheduler/task/all").status, 204);
  EXPECT_EQ(world.get("/scheduler/graph/csv").body, "node,a,fresh,idle\n");
  world.subscribe();
  EXPECT_TRUE(world.launches.empty());
}

TEST(ChronosApi, a_disabled_job_takes_a_run_by_hand_and_drops_it) {
  World world;
  world.subscribe();
  world.schedule("{'name':'a','command':'x','disabled':true,'schedule':'R/2024-01-10T12:00:00Z/P1D'}");
  EXPECT_EQ(world.request("PUT", "/scheduler/job/a").status, 204);
  world.advance(base::hours(1));
  EXPECT_TRUE(world.launches.empty());
}

}  // namespace
}  // namespace chronos
