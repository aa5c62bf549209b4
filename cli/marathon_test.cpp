// dcos marathon.

#include "cli/testing.hpp"

namespace cli {
namespace {

const std::string kM = "/service/marathon";

TEST_F(Dcos, adds_an_app_from_file_and_input) {
  cluster_.answer("POST " + kM + "/v2/apps", R"({"id":"/web","deployments":[{"id":"d1"}]})", 201);
  Outcome added = ask({"marathon", "app", "add"}, R"({"id":"web","cmd":"sleep 1"})");
  EXPECT_EQ(added.out, "Created deployment d1\n") << added.err;
  EXPECT_EQ(cluster_.requests().back(), "POST " + kM + R"(/v2/apps {"id":"web","cmd":"sleep 1"})");
  ASSERT_TRUE(base::write_file(home_ + "/app.json", R"({"id":"/web"})"));
  EXPECT_EQ(ask({"marathon", "app", "add", home_ + "/app.json"}).code, 0);
  cluster_.answer("GET " + kM + "/v2/apps/web", R"({"app":{"id":"/web","instances":0}})");
  EXPECT_EQ(ask({"marathon", "app", "add", home_ + "/app.json"}).err,
            "Error: Application '/web' already exists\n");
  EXPECT_EQ(ask({"marathon", "app", "add", home_ + "/none.json"}).code, 1);
  EXPECT_NE(ask({"marathon", "app", "add"}, "{\"id\":")
                .err.find("Error: standard input is not valid JSON"),
            std::string::npos);
  cluster_.answer(
      "POST " + kM + "/v2/apps",
      R"({"message":"Object is not valid","details":[{"path":"/cpus","errors":["must be positive"]}]})",
      422);
  EXPECT_EQ(ask({"marathon", "app", "add"}, R"({"id":"new"})").err,
            "Error: Object is not valid\n  /cpus: must be positive\n");
}

TEST_F(Dcos, lists_apps) {
  cluster_.answer("GET " + kM + "/v2/apps", R"({"apps":[
    {"id":"/web","mem":128,"cpus":0.5,"instances":3,"tasksRunning":2,"tasksHealthy":1,"healthChecks":[{}],
     "cmd":"while true; do echo a very long command; done","container":{"type":"DOCKER"}},
    {"id":"/db","mem":32,"cpus":1,"instances":1,"tasksRunning":1,"cmd":"sleep 1","role":"prod"}]})");
  cluster_.answer(
      "GET " + kM + "/v2/deployments",
      R"([{"id":"d1","affectedApps":["/web"],"currentActions":[{"action":"ScaleApplication","app":"/web"}]}])");
  cluster_.answer("GET " + kM + "/v2/queue",
                  R"({"queue":[{"app":{"id":"/web"},"delay":{"overdue":true}}]})");
  EXPECT_EQ(ask({"marathon", "app", "list"}).out,
            "   ID   MEM  CPUS  TASKS  HEALTH  DEPLOYMENT  WAITING  CONTAINER               CMD    "
            "            ROLE  \n"
            "  /web  128  0.5   2/3    1/2     scale       true     DOCKER     while true; do echo "
            "a very ...  *     \n"
            "  /db   32   1     1/1    ---     ---         false    MESOS      sleep 1             "
            "            prod  \n");
  EXPECT_EQ(ask({"marathon", "app", "list", "-q"}).out, "/web\n/db\n");
}

TEST_F(Dcos, changes_apps) {
  cluster_.answer("GET " + kM + "/v2/apps/web", R"({"app":{"id":"/web","instances":2}})");
  cluster_.answer("PUT " + kM + "/v2/apps/web", R"({"version":"v","deploymentId":"d2"})");
  EXPECT_EQ(
      ask({"marathon", "app", "update", "web", "instances=3", "cmd=5", "env={\"A\":\"b\"}"}).out,
      "Created deployment d2\n");
  EXPECT_EQ(cluster_.requests().back(),
            "PUT " + kM + R"(/v2/apps/web {"instances":3,"cmd":"5","env":{"A":"b"}})");
  EXPECT_EQ(ask({"marathon", "app", "update", "web", "instances"}).code, 1);
  EXPECT_EQ(ask({"marathon", "app", "update", "none", "instances=1"}).code, 1);
  EXPECT_EQ(ask({"marathon", "app", "start", "web"}).err,
            "Error: Application '/web' already started: 2 instances.\n");
  EXPECT_EQ(ask({"marathon", "app", "stop", "web"}).out, "Created deployment d2\n");
  EXPECT_EQ(cluster_.requests().back(), "PUT " + kM + R"(/v2/apps/web {"instances":0})");
  cluster_.answer("POST " + kM + "/v2/apps/web/restart?force=true", R"({"deploymentId":"d3"})");
  EXPECT_EQ(ask({"marathon", "app", "restart", "--force", "web"}).out, "Created deployment d3\n");
  cluster_.answer("DELETE " + kM + "/v2/apps/web",
                  R"({"message":"App is locked by one or more deployments."})", 409);
  EXPECT_EQ(ask({"marathon", "app", "remove", "web"}).err,
            "Error: App is locked by one or more deployments.\n");
  cluster_.answer("GET " + kM + "/v2/apps/web/versions", R"({"versions":["2","1","0"]})");
  EXPECT_EQ(ask({"marathon", "app", "version", "list", "web", "--max-count=2"}).out,
            "[\n  \"2\",\n  \"1\"\n]\n");
  cluster_.answer("GET " + kM + "/v2/apps/web/versions/1", R"({"id":"/web","version":"1"})");
  EXPECT_EQ(ask({"marathon", "app", "show", "web", "--app-version=-1"}).out,
            "{\n    \"id\": \"/web\",\n    \"version\": \"1\"\n}\n");
  cluster_.answer("DELETE " + kM + "/v2/apps/web/tasks?scale=false",
                  R"({"tasks":[{"id":"web.1"}]})");
  EXPECT_EQ(ask({"marathon", "app", "kill", "web"}).out, "Killed tasks: ['web.1']\n");
}

TEST_F(Dcos, follows_deployments) {
  cluster_.answer("GET " + kM + "/v2/deployments", "[]");
  EXPECT_EQ(ask({"marathon", "deployment", "list"}).err, "Error: There are no deployments\n");
  EXPECT_EQ(ask({"marathon", "deployment", "watch", "d1"}).code, 0);
  cluster_.answer("GET " + kM + "/v2/deployments",
                  R"([{"id":"d1","affectedApps":["/a","/b"],"currentStep":1,"totalSteps":2,
    "currentActions":[{"action":"ScaleApplication"},{"action":"StartApplication"}]}])");
  EXPECT_EQ(ask({"marathon", "deployment", "list"}).out,
            "APP  POD  ACTION  PROGRESS  ID  \n"
            "/a   -    scale   1/2       d1  \n"
            "/b        start                 \n");
  EXPECT_EQ(ask({"marathon", "deployment", "watch", "d1", "--max-count=2", "--interval=0"}).code,
            1);
  cluster_.answer("DELETE " + kM + "/v2/deployments/d1?force=true", "", 202);
  EXPECT_EQ(ask({"marathon", "deployment", "stop", "d1"}).code, 0);
  cluster_.answer("DELETE " + kM + "/v2/deployments/d1", R"({"deploymentId":"d2"})");
  EXPECT_EQ(ask({"marathon", "deployment", "rollback", "d1"}).out,
            "{\n    \"deploymentId\": \"d2\"\n}\n");
}

TEST_F(Dcos, handles_marathon_tasks) {
  cluster_.answer("GET " + kM + "/v2/tasks",
                  R"({"tasks":[{"id":"web.1","appId":"/web","host":"h","startedAt":"s",
    "healthCheckResults":[{"alive":false}]}]})");
  EXPECT_EQ(ask({"marathon", "task", "list"}).out,
            "APP   HEALTHY  STARTED  HOST  ID     ROLE  \n"
            "/web  False    s        h     web.1  *     \n");
  cluster_.answer("DELETE " + kM + "/v2/apps/web/tasks/web.1", R"({"task":{"id":"web.1"}})");
  EXPECT_EQ(ask({"marathon", "task", "stop", "web"}).out, "{\n    \"id\": \"web.1\"\n}\n");
  cluster_.answer("POST " + kM + "/v2/tasks/delete?scale=true&wipe=false",
                  R"({"deploymentId":"d1"})");
  EXPECT_EQ(ask({"marathon", "task", "kill", "--scale", "web.1"}).out, "Started deployment: d1\n");
  EXPECT_EQ(cluster_.requests().back(),
            "POST " + kM + R"(/v2/tasks/delete?scale=true&wipe=false {"ids":["web.1"]})");
  EXPECT_EQ(ask({"marathon", "task", "show", "x"}).err, "Error: Task 'x' does not exist\n");
  cluster_.answer("GET " + kM + "/ping", "pong");
  EXPECT_EQ(ask({"marathon", "ping"}).out, "Marathon ping response[1x]: \"pong\"\n");
}

}  // namespace
}  // namespace cli
