#include "marathon/authorization.hpp"

#include <gtest/gtest.h>

#include "base/strings.hpp"

namespace marathon {
namespace {

constexpr const char* kTable = R"({"users":{
  "root":{"password":"r","rules":[{"path":"/","actions":["read","write","delete"]}]},
  "team":{"password":"t","rules":[{"path":"/v2/apps/team","actions":["read","write","delete"]},
    {"path":"/v2/groups/Team/","actions":["read","write"]},{"path":"/v2/events","actions":["read"]}]},
  "nobody":{"password":"n"}}})";

TEST(Authorization, grants_by_path_and_action_and_refuses_the_rest) {
  const auto table = Authorization::parse(kTable);
  ASSERT_TRUE(table) << table.error().message;
  using enum Authorization::Answer;
  struct Case {
    const char* user;
    const char* method;
    const char* path;
    const char* body;
    Authorization::Answer answer;
  };
  const Case cases[] = {
      {"root:r", "DELETE", "/v2/leader", "", Allowed},
      {"root:x", "GET", "/ping", "", Unknown},
      {"", "GET", "/ping", "", Unknown},
      {"team:t", "GET", "/v2/apps/team/x", "", Allowed},
      {"team:t", "PUT", "/v2/apps//TEAM/x", "{}", Allowed},
      {"team:t", "PUT", "/v2/apps/%2Fteam%2Fx", "{}", Allowed},
      {"team:t", "DELETE", "/v2/apps/team/x/tasks", "", Allowed},
      {"team:t", "GET", "/v2/events", "", Allowed},
      {"team:t", "GET", "/v2/apps", "", Refused},
      {"team:t", "POST", "/v2/apps", R"({"id":"/other"})", Refused},
      {"team:t", "PUT", "/v2/apps", "[]", Refused},
      {"team:t", "GET", "/v2/apps/teamwork", "", Refused},
      {"team:t", "PUT", "/v2/apps/team/../other", "{}", Refused},
      {"team:t", "PUT", "/v2/apps/team/%2e%2e/other", "{}", Refused},
      {"team:t", "PUT", "/v2/apps/team/..%2Fother", "{}", Refused},
      {"team:t", "PUT", "/v2/groups/team", R"({"apps":[]})", Allowed},
      {"team:t", "PUT", "/v2/groups/team", R"({"id":"sub"})", Allowed},
      {"team:t", "PUT", "/v2/groups/team", R"({"id":"/other"})", Refused},
      {"team:t", "POST", "/v2/groups/team", R"({"id":"../other"})", Refused},
      {"team:t", "DELETE", "/v2/groups/team", "", Refused},
      {"team:t", "POST", "/v2/tasks/delete", "{}", Refused},
      {"team:t", "GET", "/v2/backup", "", Refused},
      {"nobody:n", "GET", "/ping", "", Refused},
  };
  for (const Case& c : cases) {
    base::http::Request request;
    request.method = c.method;
    request.path = c.path;
    request.body = c.body;
    if (*c.user) request.headers.set("Authorization", "Basic " + base::base64_encode(c.user));
    EXPECT_EQ(table->check(request), c.answer) << c.user << " " << c.method << " " << c.path << " " << c.body;
  }
}

TEST(Authorization, bad_tables_are_refused_with_the_place) {
  struct Case {
    const char* text;
    const char* error;
  };
  const Case cases[] = {
      {"", ""},
      {"[]", "users"},
      {R"({"users":{"a":{}}})", "/users/a/password"},
      {R"({"users":{"a:b":{"password":"x"}}})", "/users/a:b"},
      {R"({"users":{"a":{"password":"x","rules":[{"path":"v2","actions":["read"]}]}}})", "path"},
      {R"({"users":{"a":{"password":"x","rules":[{"path":"/v2/../x","actions":["read"]}]}}})", "path"},
      {R"({"users":{"a":{"password":"x","rules":[{"path":"/v2","actions":["own"]}]}}})", "read, write, delete"},
      {R"({"users":{"a":{"password":"x","rules":[{"path":"/v2"}]}}})", "actions"},
  };
  for (const Case& c : cases) {
    const auto table = Authorization::parse(c.text);
    ASSERT_FALSE(table) << c.text;
    EXPECT_NE(table.error().message.find(c.error), std::string::npos) << table.error().message;
  }
}

}  // namespace
}  // namespace marathon
