#include "kernel/agent/api/access.hpp"

#include <gtest/gtest.h>

#include "base/strings.hpp"

namespace agent {
namespace {

constexpr char kCredentials[] = R"({"credentials":[{"principal":"ops","secret":"s"},{"principal":"guest","secret":"g"}]})";

Access access(bool readonly, bool readwrite, const char* acls = nullptr) {
  Flags flags;
  flags.http_credentials = kCredentials;
  flags.authenticate_http_readonly = readonly;
  flags.authenticate_http_readwrite = readwrite;
  if (acls != nullptr) flags.acls = acls;
  return Access::from(flags).value();
}

/// The status that a request gets, 0 when it may go on.
int status(const Access& access, const std::string& path, const std::string& login = {}) {
  base::http::Request request;
  request.path = path;
  request.principal = "forged";
  if (!login.empty()) request.headers.set("Authorization", "Basic " + base::base64_encode(login));
  const auto refusal = access.check(request);
  EXPECT_NE(request.principal, "forged");
  if (refusal && refusal->status == 401) {
    EXPECT_TRUE(refusal->headers.get_or("WWW-Authenticate", "").starts_with("Basic realm=\"mesos-agent-read"));
  }
  return refusal ? refusal->status : 0;
}

TEST(AgentAccess, asks_by_realm) {
  const Access both = access(true, true), reading = access(true, false), none = access(false, false);
  for (const char* path : {"/state", "/slave(1)/state", "/state.json", "/flags", "/containers", "/monitor/statistics", "/files/read",
                           "/metrics/snapshot", "/tasks/stream"}) {
    EXPECT_EQ(realm_of(path), Realm::ReadOnly) << path;
    EXPECT_EQ(status(both, path), 401) << path;
    EXPECT_EQ(status(both, path, "ops:wrong"), 401) << path;
    EXPECT_EQ(status(both, path, "ops:s"), 0) << path;
    EXPECT_EQ(status(none, path), 0) << path;
  }
  for (const char* path : {"/api/v1", "/slave(1)/api/v1", "/logging/toggle", "/anything"}) {
    EXPECT_EQ(realm_of(path), Realm::ReadWrite) << path;
    EXPECT_EQ(status(both, path), 401) << path;
    EXPECT_EQ(status(reading, path), 0) << path;
  }
  for (const char* path : {"/health", "/version", "/help", "/help/state"}) {
    EXPECT_EQ(realm_of(path), Realm::Open) << path;
    EXPECT_EQ(status(both, path), 0) << path;
  }
}

TEST(AgentAccess, knows_executors_by_their_tokens) {
  Flags flags;
  flags.http_credentials = kCredentials;
  flags.authenticate_http_readonly = flags.authenticate_http_readwrite = flags.authenticate_http_executors = true;
  flags.jwt_secret_key = "key";
  const Access asked = Access::from(flags).value();
  const auto token = [](const char* key) { return auth::make_executor_token(key, {"f", "e", "c"}); };
  const auto answer = [](const Access& access, const char* path, const std::string& with) {
    base::http::Request request;
    request.path = path;
    if (!with.empty()) request.headers.set("Authorization", "Bearer " + with);
    const auto refusal = access.check(request);
    EXPECT_EQ(request.principal, "");
    return refusal ? std::to_string(refusal->status) + " " + std::string(refusal->headers.get_or("WWW-Authenticate", "")) : "";
  };
  const std::string refused = "401 Bearer realm=\"mesos-agent-executor\"";
  for (const char* path : {"/api/v1/executor", "/slave(1)/api/v1/executor"}) {
    EXPECT_EQ(realm_of(path), Realm::Executor);
    EXPECT_EQ(answer(asked, path, token("key")), "");
    EXPECT_EQ(answer(asked, path, token("other")), refused);
    EXPECT_EQ(answer(asked, path, ""), refused);
    EXPECT_EQ(answer(access(true, true), path, ""), "") << "executors are not asked";
  }
  EXPECT_EQ(answer(asked, "/api/v1", token("key")), "");
  EXPECT_EQ(answer(asked, "/api/v1", token("other")), refused);
  EXPECT_EQ(answer(asked, "/state", token("key")), "401 Basic realm=\"mesos-agent-readonly\"") << "executors read no state";
  EXPECT_EQ(answer(access(true, true), "/api/v1", token("key")), "401 Basic realm=\"mesos-agent-readwrite\"") << "there is no key";
}

TEST(AgentAccess, sessions_need_the_right_to_the_account_and_to_that_around) {
  const Access some = access(true, true, R"({
      "launch_nested_container_sessions_as_user":[{"principals":{"values":["ops"]},"users":{"values":["web","nobody"]}},
                                                  {"principals":{"type":"ANY"},"users":{"type":"NONE"}}],
      "launch_nested_container_sessions_under_parent_with_user":[{"principals":{"values":["ops"]},"users":{"values":["web"]}},
                                                                 {"principals":{"type":"ANY"},"users":{"type":"NONE"}}]})");
  EXPECT_TRUE(may_launch_session(some, "ops", "web", ""));
  EXPECT_TRUE(may_launch_session(some, "ops", "web", "nobody"));
  EXPECT_FALSE(may_launch_session(some, "ops", "web", "root"));
  EXPECT_FALSE(may_launch_session(some, "ops", "nobody", "web")) << "the parent is another's";
  EXPECT_FALSE(may_launch_session(some, "guest", "web", ""));
  EXPECT_FALSE(may_launch_session(some, "", "web", ""));
  EXPECT_TRUE(may_launch_session(access(true, true), "", "web", "root")) << "without lists";

  State state;
  state.frameworks["f"].info.set_user("web");
  state.frameworks["f"].executors["e"];
  state.containers["c"] = {"f", "e"};
  state.api_containers["alone"].user = "batch";
  EXPECT_EQ(user_around(state, "c.guest.inner"), "web");
  EXPECT_EQ(user_around(state, "c"), "web");
  EXPECT_EQ(user_around(state, "alone.guest"), "batch");
  EXPECT_EQ(user_around(state, "nobody.guest"), std::nullopt);
  state.frameworks["f"].executors["e"].info.mutable_command()->set_user("shop");
  EXPECT_EQ(user_around(state, "c.guest"), "shop");
}

TEST(AgentAccess, asks_however_the_path_is_written) {
  const Access reading = access(true, false);
  for (const char* path : {"/%73tate", "//state", "/slave(1)//state.json/", "/files/%62rowse"}) {
    EXPECT_EQ(realm_of(path), Realm::ReadOnly) << path;
    EXPECT_EQ(status(reading, path), 401) << path;
  }
}

TEST(AgentAccess, keeps_others_from_guarded_endpoints) {
  const Access guarded = access(true, true, R"({"get_endpoints":[{"principals":{"values":["ops"]},"paths":{"type":"ANY"}},
                                                                 {"principals":{"type":"ANY"},"paths":{"type":"NONE"}}]})");
  for (const char* path : {"/containers", "/slave(1)/containers.json", "/monitor/statistics", "/monitor/statistics.json", "/files/debug",
                           "/metrics/snapshot", "/metrics", "/logging/toggle", "/system/stats.json"}) {
    EXPECT_EQ(status(guarded, path, "guest:g"), 403) << path;
  }
  EXPECT_EQ(status(guarded, "/containers", "ops:s"), 0);
  EXPECT_EQ(status(guarded, "/state", "guest:g"), 0);
}

TEST(AgentAccess, shows_what_the_lists_let_be_seen) {
  const Access lists = access(true, true, R"({"permissive":false,
    "view_frameworks":[{"principals":{"values":["ops"]},"users":{"values":["alice"]}}],
    "view_executors":[{"principals":{"values":["ops"]},"users":{"values":["bob"]}}],
    "view_tasks":[{"principals":{"values":["ops"]},"users":{"values":["alice"]}}]})");
  const Sight sight(lists, "ops"), guest(lists, "guest");
  Framework framework;
  framework.info.set_user("alice");
  Executor executor;
  Task task;
  EXPECT_TRUE(sight.shows(framework));
  EXPECT_FALSE(guest.shows(framework));
  EXPECT_FALSE(sight.shows(framework, executor));  // the framework's user
  executor.info.mutable_command()->set_user("bob");
  EXPECT_TRUE(sight.shows(framework, executor));
  EXPECT_TRUE(sight.shows(framework, task));
  task.info.mutable_command()->set_user("bob");
  EXPECT_FALSE(sight.shows(framework, task));
  EXPECT_FALSE(sight.shows_flags());
  const Access open = access(false, false);
  EXPECT_TRUE(Sight(open, "").shows(framework, executor));
}

TEST(AgentAccess, names_the_flag_that_is_wrong) {
  Flags flags;
  flags.http_credentials = "hunter2";
  EXPECT_NE(Access::from(flags).error().message.find("--http_credentials"), std::string::npos);
  EXPECT_EQ(Access::from(flags).error().message.find("hunter2"), std::string::npos);
  flags.http_credentials = kCredentials;
  flags.acls = R"({"view_task":[]})";
  EXPECT_NE(Access::from(flags).error().message.find("--acls"), std::string::npos);
}

}  // namespace
}  // namespace agent
