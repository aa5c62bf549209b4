// Routes, statuses and bodies; and what a task is made of.

#include <gtest/gtest.h>

#include "base/strings.hpp"
#include "kernel/api/mesos/v1/tasks.pb.h"
#include "metronome/testing.hpp"

namespace metronome {
namespace {

using testing::World;

const std::string kRun = "'run':{'cmd':'x','cpus':0.1,'mem':32,'disk':0}";

std::string quoted(std::string text) { return base::replace_all(text, "\"", "'"); }

TEST(Api, statuses) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.add("a"), 201);
  ASSERT_EQ(world.add("child", ",'dependencies':[{'id':'a'}]"), 201);
  const std::string schedule = "{'id':'s1','cron':'0 0 * * *'}";
  const struct { const char* method; const char* target; std::string body; int status; const char* answer; } kTable[] = {
      {"GET", "/ping", "", 200, "pong"},
      {"GET", "/leader", "", 200, "{'leader':'host:9000'}"},
      {"GET", "/info", "", 200, "{'version':'"},
      {"GET", "/v1/metrics", "", 200, "'metronome.jobs.active.gauge':{'value':0}"},
      {"GET", "/v1/queue", "", 200, "[]"},
      {"GET", "/nothing?a=b", "", 404, "{'message':'Unknown route.','requestPath':'/nothing'}"},
      {"GET", "/<b>", "", 404, "'requestPath':'/&lt;b&gt;'"},
      {"PATCH", "/v1/jobs", "", 404, "Unknown route."},
      {"GET", "/v1/jobs/none", "", 404, "{'id':'none','message':'Job not found'}"},
      {"GET", "/v1/jobs/No", "", 400, "Not a valid id: No"},
      {"GET", "/v1/jobs?embed=everything", "", 400, "Unknown embed options."},
      {"POST", "/v1/jobs", "{'id':'a'," + kRun + "}", 409, "{'message':'Job with this id already exists'}"},
      {"POST", "/v1/jobs", "{'id':'b'}", 422,
       "{'message':'Object is not valid','details':[{'path':'/','errors':['Property run missing.']}]}"},
      {"POST", "/v1/jobs", "{", 400, "Invalid Json: "},
      {"POST", "/v1/jobs", "", 415, "Expecting text/json or application/json body"},
      {"POST", "/v1/jobs", "{'id':'b','dependencies':[{'id':'x'}]," + kRun + "}", 422,
       "{'message':'Dependencies contain unknown jobs. unknown=[x]'}"},
      {"PUT", "/v1/jobs/a", "{'id':'a','dependencies':[{'id':'child'}]," + kRun + "}", 422, "{'message':'Dependencies have a cycle.'}"},
      {"PUT", "/v1/jobs/a", "{'id':'a','dependencies':[{'id':'a'}]," + kRun + "}", 422, "{'message':'Dependencies have a cycle.'}"},
      {"PUT", "/v1/jobs/none", "{'id':'none'," + kRun + "}", 404, "Job not found"},
      {"PUT", "/v1/jobs/a", "{'id':'other','description':'d'," + kRun + "}", 200, "{'id':'a','description':'d'"},
      {"DELETE", "/v1/jobs/a", "", 409, "There are jobs with a dependency on a. children=[child]"},
      {"DELETE", "/v1/jobs/child?stopCurrentJobRuns=perhaps", "", 400, "Cannot parse parameter stopCurrentJobRuns as Boolean"},
      {"GET", "/v1/jobs/a/schedules", "", 200, "[]"},
      {"GET", "/v1/jobs/a/schedules/s1", "", 404, "{'id':'s1','message':'Schedule not found'}"},
      {"POST", "/v1/jobs/none/schedules", schedule, 404, "Job not found"},
      {"POST", "/v1/jobs/a/schedules", "{'id':'s1','cron':'x'}", 422, "'path':'/cron'"},
      {"POST", "/v1/jobs/a/schedules", schedule, 201,
       "{'id':'s1','cron':'0 0 * * *','timezone':'UTC','startingDeadlineSeconds':900,'concurrencyPolicy':'ALLOW','enabled':true,"
       "'nextRunAt':'2024-01-11T00:00:00.000+0000'}"},
      {"POST", "/v1/jobs/a/schedules", schedule, 409, "A schedule with id s1 already exists"},
      {"POST", "/v1/jobs/a/schedules", "{'id':'s2','cron':'0 0 * * *'}", 409, "Only one schedule supported at the moment"},
      {"POST", "/v1/jobs/child/schedules", schedule, 422, "Jobs may not have both dependencies and schedules specified"},
      {"PUT", "/v1/jobs/a/schedules/s2", schedule, 404, "Schedule not found"},
      {"PUT", "/v1/jobs/a/schedules/s1", "{'id':'zz','cron':'1 0 * * *'}", 200, "{'id':'s1','cron':'1 0 * * *'"},
      {"PUT", "/v1/jobs/a", "{'id':'a','schedules':[]," + kRun + "}", 200, "'schedules':[{'id':'s1'"},
      {"GET", "/v1/jobs/a", "", 200, "'schedules':[{'id':'s1'"},
      {"PUT", "/v0/scheduled-jobs/a", "{'id':'a','schedules':[{'id':'s9','cron':'2 0 * * *'}]," + kRun + "}", 200,
       "'schedules':[{'id':'s9'"},
      {"POST", "/v0/scheduled-jobs", "{'id':'v0','schedules':[{'id':'s9','cron':'2 0 * * *'}]," + kRun + "}", 201,
       "'schedules':[{'id':'s9'"},
      {"DELETE", "/v1/jobs/a/schedules/s9", "", 200, ""},
      {"DELETE", "/v1/jobs/a/schedules/s9", "", 404, "Schedule not found"},
      {"POST", "/v1/jobs/none/runs", "", 404, "Job not found"},
      {"GET", "/v1/jobs/a/runs", "", 200, "[]"},
      {"GET", "/v1/jobs/a/runs/x", "", 404, "{'jobSpec':'a','id':'x','message':'Job Run not found'}"},
      {"POST", "/v1/jobs/a/runs/x/actions/stop", "", 404, "Job Run not found"},
      {"DELETE", "/v1/jobs/child", "", 200, "{'id':'child','dependencies':[{'id':'a'}]"},
      {"DELETE", "/v1/jobs/child", "", 404, "Job not found"},
      {"DELETE", "/v1/jobs/a", "", 200, "{'id':'a'"},
  };
  for (const auto& row : kTable) {
    const auto response = world.request(row.method, row.target, row.body);
    EXPECT_EQ(response.status, row.status) << row.method << ' ' << row.target << ' ' << row.body << '\n' << response.body;
    EXPECT_NE(quoted(response.body).find(row.answer), std::string::npos)
        << row.method << ' ' << row.target << ' ' << row.body << '\n' << quoted(response.body);
  }
}

TEST(Api, embeds) {
  World world;
  world.subscribe();
  world.add("busy");
  world.add("idle");
  const std::string run = world.start("busy");
  const auto list = quoted(world.get("/v1/jobs?embed=activeRuns&embed=historySummary,schedules").body);
  EXPECT_NE(list.find("'activeRuns':[{'id':'" + run + "','jobId':'busy','status':'ACTIVE'"), std::string::npos) << list;
  EXPECT_EQ(list.find("'activeRuns':[]"), std::string::npos) << "an idle job in a list has none";
  EXPECT_NE(list.find("'historySummary':{'successCount':0,'failureCount':0,'lastSuccessAt':null,"
      "'lastFailureAt':null}"), std::string::npos);
  EXPECT_NE(world.get("/v1/jobs/idle?embed=activeRuns").body.find("\"activeRuns\":[]"), std::string::npos);
  EXPECT_EQ(world.get("/v1/jobs/idle").body.find("activeRuns"), std::string::npos);
  const std::string task = world.launches.at(0);
  world.update(task, "TASK_FINISHED");
  const auto history = quoted(world.get("/v1/jobs/busy?embed=history").body);
  EXPECT_NE(history.find("'history':{'successCount':1,'failureCount':0,'lastSuccessAt':'2024-01-10T12:00:00.000+0000',"
      "'lastFailureAt':null,"
                         "'successfulFinishedRuns':[{'id':'" + run + "','createdAt':'2024-01-10T12:00:00.000+0000','finishedAt':"
                         "'2024-01-10T12:00:00.000+0000','tasks':['" + task + "']}],"
                         "'failedFinishedRuns':[]}"), std::string::npos) << history;
}

TEST(Api, limits) {
  Policy policy;
  policy.max_jobs = 1;
  policy.max_active_runs = 2;
  World world(policy);
  world.subscribe();
  EXPECT_EQ(world.add("a"), 201);
  EXPECT_EQ(world.add("b"), 409);
  EXPECT_FALSE(world.start("a").empty());
  EXPECT_FALSE(world.start("a").empty());
  EXPECT_EQ(world.request("POST", "/v1/jobs/a/runs").status, 409);
}

TEST(Tasks, of_a_command) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.request("POST", "/v1/jobs",
                          "{'id':'shop.nightly','labels':{'Team':'red','cost-center':'7'},'run':{'cmd':'echo $A','cpus':0.5,"
                          "'mem':64,'disk':10,"
                          "'user':'nobody','env':{'A':'1','PASSWORD':{'secret':'pw'}},'secrets':{'pw':{'source':'db/password'}},"
                          "'artifacts':[{'uri':'http://a/b.tgz','cache':true}]}}").status, 201);
  const std::string run = world.start("shop.nightly");
  const auto& info = *world.tasks.begin()->second.info;
  EXPECT_TRUE(info.command().shell());
  EXPECT_EQ(info.command().value(), "echo $A");
  EXPECT_EQ(info.command().user(), "nobody");
  EXPECT_TRUE(info.command().uris(0).extract());
  EXPECT_TRUE(info.command().uris(0).cache());
  EXPECT_FALSE(info.has_container());
  std::map<std::string, std::string> env;
  for (const auto& variable : info.command().environment().variables()) {
    env[variable.name()] = variable.has_secret() ? "secret " + variable.secret().reference().name() : variable.value();
  }
  EXPECT_EQ(env["A"], "1");
  EXPECT_EQ(env["PASSWORD"], "secret db/password");
  EXPECT_EQ(env["MESOS_TASK_ID"], info.task_id().value());
  EXPECT_EQ(env["MARATHON_APP_ID"], "/shop/nightly/" + run);
  EXPECT_EQ(env["MARATHON_APP_RESOURCE_CPUS"], "0.5");
  EXPECT_EQ(env["MARATHON_APP_LABEL_TEAM"], "red");
  EXPECT_EQ(env["MARATHON_APP_LABEL_COST_CENTER"], "7");
  EXPECT_EQ(env["MARATHON_APP_LABELS"], "TEAM COST_CENTER");
  EXPECT_EQ(env["HOST"], "host1");
  EXPECT_EQ(info.labels().labels(0).key(), "Team");
  EXPECT_EQ(info.resources_size(), 3);
  EXPECT_EQ(info.resources(0).scalar().value(), 0.5);
}

TEST(Tasks, of_containers) {
  World world;
  world.subscribe();
  ASSERT_EQ(world.request("POST", "/v1/jobs",
                          "{'id':'d','run':{'args':['a','b'],'cpus':0.1,'mem':32,'disk':0,'docker':{'image':'busybox','privileged':true,"
                          "'forcePullImage':true,'parameters':[{'key':'hostname','value':'h'}]},"
                          "'networks':[{'mode':'container','name':'dcos'}],"
                          "'volumes':[{'containerPath':'/c','hostPath':'/h','mode':'RW'}]}}").status, 201);
  ASSERT_EQ(world.request("POST", "/v1/jobs",
                          "{'id':'u','run':{'cmd':'x','cpus':0.1,'mem':32,'disk':0,'gpus':1,'ucr':{'image':{'id':'alpine:3',"
                          "'forcePull':true}},"
                          "'volumes':[{'containerPath':'secret.txt','secret':'s'}],'secrets':{'s':{'source':'p/s'}},"
                          "'networks':[{'mode':'container/bridge','labels':{'k':'v'}}]}}").status, 201);
  world.start("d");
  world.start("u");
  const auto& docker = *world.tasks.at(world.tasks_of("d").at(0)).info;
  EXPECT_FALSE(docker.command().shell());
  EXPECT_EQ(docker.command().arguments_size(), 2);
  EXPECT_FALSE(docker.command().has_value());
  EXPECT_EQ(docker.container().type(), mesos::v1::ContainerInfo::DOCKER);
  EXPECT_EQ(docker.container().docker().image(), "busybox");
  EXPECT_EQ(docker.container().docker().network(), mesos::v1::ContainerInfo::DockerInfo::USER);
  EXPECT_EQ(docker.container().docker().parameters(0).value(), "h");
  EXPECT_EQ(docker.container().network_infos(0).name(), "dcos");
  EXPECT_EQ(docker.container().volumes(0).mode(), mesos::v1::Volume::RW);
  const auto& ucr = *world.tasks.at(world.tasks_of("u").at(0)).info;
  EXPECT_EQ(ucr.container().type(), mesos::v1::ContainerInfo::MESOS);
  EXPECT_EQ(ucr.container().mesos().image().docker().name(), "alpine:3");
  EXPECT_FALSE(ucr.container().mesos().image().cached());
  EXPECT_EQ(ucr.container().volumes(0).source().secret().reference().name(), "p/s");
  EXPECT_EQ(ucr.container().network_infos(0).name(), "mesos-bridge");
  EXPECT_EQ(ucr.resources(3 - 1).name(), "gpus") << "no disk is asked for";
}

TEST(Tasks, go_where_constraints_let_them) {
  World world;
  world.subscribe();
  const auto placed = [&](const std::string& id, const std::string& constraint) {
    world.add(id, "", ",'placement':{'constraints':[" + constraint + "]}");
    world.start(id);
    return world.tasks_of(id).size();
  };
  EXPECT_EQ(placed("is", "{'attribute':'hostname','operator':'IS','value':'host1'}"), 1U);
  EXPECT_EQ(placed("is-not", "{'attribute':'hostname','operator':'EQ','value':'host2'}"), 0U);
  EXPECT_EQ(placed("at", "{'attribute':'@hostname','operator':'IS','value':'host1'}"), 1U);
  EXPECT_EQ(placed("like", "{'attribute':'hostname','operator':'LIKE','value':'host.'}"), 1U);
  EXPECT_EQ(placed("unlike", "{'attribute':'hostname','operator':'UNLIKE','value':'host.'}"), 0U);
  EXPECT_EQ(placed("valueless", "{'attribute':'rack','operator':'LIKE'}"), 1U);
}

}  // namespace
}  // namespace metronome
