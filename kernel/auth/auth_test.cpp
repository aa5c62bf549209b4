#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "base/strings.hpp"
#include "kernel/auth/acls.hpp"
#include "kernel/auth/credentials.hpp"
#include "kernel/auth/executor_token.hpp"
#include "kernel/auth/firewall.hpp"
#include "kernel/auth/http.hpp"

int fuzz_auth(const uint8_t* data, size_t size);

namespace auth {
namespace {

constexpr char kAcls[] = R"({
  "permissive": false,
  "register_frameworks": [
    {"principals": {"values": ["marathon"]}, "roles": {"values": ["slave_public", "eng/%"]}},
    {"principals": {"values": ["ops"]}, "roles": {"type": "ANY"}},
    {"principals": {"type": "ANY"}, "roles": {"values": ["*"]}}
  ],
  "run_tasks": [
    {"principals": {"type": "NONE"}, "users": {"values": ["root"]}},
    {"principals": {"type": "ANY"}, "users": {"type": "ANY"}}
  ],
  "teardown_frameworks": [
    {"principals": {"values": ["ops"]}, "framework_principals": {"type": "ANY"}},
    {"principals": {"type": "ANY"}, "framework_principals": {"type": "NONE"}}
  ]
})";

TEST(Acls, decide_by_the_first_entry_that_matches) {
  const auto acls = Acls::parse(kAcls);
  ASSERT_TRUE(acls) << acls.error().message;
  using enum Action;
  struct Case {
    Action action;
    std::optional<std::string> principal, object;
    bool allowed;
  };
  const Case cases[] = {
      {RegisterFrameworks, "marathon", "slave_public", true},
      {RegisterFrameworks, "marathon", "eng/web", true},
      {RegisterFrameworks, "marathon", "eng/web/a", true},
      {RegisterFrameworks, "marathon", "eng", false},
      {RegisterFrameworks, "marathon", "engine", false},
      {RegisterFrameworks, "marathon", "*", true},
      {RegisterFrameworks, "ops", "anything", true},
      {RegisterFrameworks, std::nullopt, "*", true},
      {RegisterFrameworks, std::nullopt, "eng/web", false},
      {RunTasks, "marathon", "root", false},
      {RunTasks, "marathon", "nobody", true},
      {RunTasks, std::nullopt, "nobody", true},
      {TeardownFrameworks, "ops", "marathon", true},
      {TeardownFrameworks, "dev", "marathon", false},
      {TeardownFrameworks, std::nullopt, "marathon", false},
      {ViewFlags, "ops", std::nullopt, false},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(acls->allows(c.action, c.principal, c.object), c.allowed)
        << action_name(c.action) << " " << c.principal.value_or("-") << " " << c.object.value_or("-");
  }
}

TEST(Acls, tell_when_no_object_can_be_refused) {
  const auto acls = Acls::parse(kAcls).value();
  EXPECT_TRUE(acls.allows_all(Action::RegisterFrameworks, "ops"));
  EXPECT_FALSE(acls.allows_all(Action::RegisterFrameworks, "marathon"));
  EXPECT_FALSE(acls.allows_all(Action::RunTasks, "marathon"));
  EXPECT_TRUE(Acls().allows_all(Action::ViewTasks, std::nullopt));
}

TEST(Acls, are_permissive_unless_told_otherwise) {
  EXPECT_TRUE(Acls::parse("{}").value().allows(Action::ViewTasks, "p", "root"));
  EXPECT_FALSE(Acls::parse(R"({"permissive":false})").value().allows(Action::ViewTasks, "p", "root"));
}

TEST(Acls, name_what_is_wrong_with_a_file) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "must be an object"},
      {R"({"permissive":"yes"})", "/permissive"},
      {R"({"run_taks":[]})", "/run_taks"},
      {R"({"run_tasks":{}})", "/run_tasks"},
      {R"({"run_tasks":[{"principals":{"type":"ANY"}}]})", "'users' is missing"},
      {R"({"run_tasks":[{"principals":{"type":"ALL"},"users":{"type":"ANY"}}]})", "/run_tasks/0/principals/type"},
      {R"({"run_tasks":[{"principals":{"values":[1]},"users":{"type":"ANY"}}]})", "/run_tasks/0/principals/values"},
      {R"({"run_tasks":[{"principals":{},"users":{"type":"ANY"}}]})", "names nobody"},
      {R"({"run_tasks":[{"principals":{"type":"ANY"},"roles":{"type":"ANY"}}]})", "unknown field 'roles'"},
      {R"({"get_endpoints":[{"principals":{"type":"ANY"},"paths":{"values":["/state"]}}]})", "/state"},
  };
  for (const auto& [text, words] : cases) {
    const auto acls = Acls::parse(text);
    ASSERT_FALSE(acls) << text;
    EXPECT_NE(acls.error().message.find(words), std::string::npos) << acls.error().message;
  }
}

TEST(Credentials, accept_the_right_secret_only) {
  const auto credentials = Credentials::parse(R"({"credentials":[{"principal":"p","secret":"s:1"},{"principal":"q","secret":""}]})");
  ASSERT_TRUE(credentials);
  EXPECT_TRUE(credentials->accept("p", "s:1"));
  EXPECT_TRUE(credentials->accept("q", ""));
  for (const char* wrong : {"", "s", "s:1 ", "S:1"}) EXPECT_FALSE(credentials->accept("p", wrong)) << wrong;
  EXPECT_FALSE(credentials->accept("nobody", "?"));
}

TEST(Credentials, never_repeat_a_secret_in_an_error) {
  for (const char* text : {"p hunter2", R"({"credentials":[{"principal":"","secret":"hunter2"}]})",
                           R"({"credentials":[{"principal":"a","secret":"hunter2"},{"principal":"a","secret":"hunter2"}]})",
                           R"({"credentials":[{"principal":"a:b","secret":"hunter2"}]})", R"({"credentials":{"secret":"hunter2"}})"}) {
    const auto credentials = Credentials::parse(text);
    ASSERT_FALSE(credentials) << text;
    EXPECT_EQ(credentials.error().message.find("hunter2"), std::string::npos) << credentials.error().message;
  }
}

TEST(Basic, is_read_from_the_header) {
  const auto read = parse_basic("basic " + base::base64_encode("me:a:b"));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->principal, "me");
  EXPECT_EQ(read->secret, "a:b");
  for (const char* text : {"", "Basic", "Bearer abc", "Basic !!!"}) EXPECT_FALSE(parse_basic(text)) << text;
  EXPECT_FALSE(parse_basic("Basic " + base::base64_encode("nocolon")));
}

TEST(EndpointName, is_the_same_however_the_path_is_written) {
  for (const char* path : {"/state", "/state.json", "/master/state", "/slave(1)/state.json", "//state/", "/master//%73tate",
                           "/%6daster/state%2Ejson"}) {
    EXPECT_EQ(endpoint_name(path), "/state") << path;
  }
  EXPECT_EQ(endpoint_name("/"), "/");
  EXPECT_EQ(endpoint_name("/master"), "/master");
  EXPECT_EQ(endpoint_name("/files//browse"), "/files/browse");
}

TEST(Firewall, closes_endpoints_under_all_their_names) {
  const auto firewall = Firewall::parse(R"({"disabled_endpoints":{"paths":["/tasks","/master/flags","/files/browse.json"]}})");
  ASSERT_TRUE(firewall) << firewall.error().message;
  const auto status = [&](const char* path) {
    base::http::Request request;
    request.path = path;
    const auto answer = firewall->check(request);
    return answer ? answer->status : 0;
  };
  for (const char* path : {"/tasks", "/master/tasks", "/tasks.json", "/%74asks", "//tasks/", "/flags", "/master/flags",
                           "/files/browse", "/slave(1)/files/browse"}) {
    EXPECT_EQ(status(path), 403) << path;
  }
  for (const char* path : {"/", "/state", "/tasks/x", "/files/read", "/taskss"}) EXPECT_EQ(status(path), 0) << path;
}

TEST(Firewall, refuses_rules_that_it_does_not_understand) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "must be an object"},
      {"{}", "has no 'disabled_endpoints'"},
      {R"({"disabled_endpoint":{"paths":[]}})", "has 'disabled_endpoint', which is not known"},
      {R"({"disabled_endpoints":{"path":[]}})", "/disabled_endpoints has 'path', which is not known"},
      {R"({"disabled_endpoints":{"paths":"/tasks"}})", "/disabled_endpoints/paths must be a list of paths"},
      {R"({"disabled_endpoints":{"paths":["tasks"]}})", "a path begins with '/'"},
      {R"({"disabled_endpoints":{"paths":[1]}})", "a path begins with '/'"},
  };
  for (const auto& [text, words] : cases) {
    const auto firewall = Firewall::parse(text);
    ASSERT_FALSE(firewall) << text;
    EXPECT_NE(firewall.error().message.find(words), std::string::npos) << firewall.error().message;
  }
}

TEST(ExecutorTokens, say_whose_they_are_to_who_has_the_key) {
  const ExecutorClaims claims{"f", "e \"1\"", "c"};
  const std::string token = make_executor_token("key", claims);
  EXPECT_EQ(token, make_executor_token("key", claims));
  EXPECT_EQ(read_executor_token("key", token, base::Time{}), claims);
  EXPECT_EQ(read_executor_token("other", token, base::Time{}), std::nullopt);
  EXPECT_EQ(read_executor_token("", make_executor_token("", claims), base::Time{}), std::nullopt);
  for (size_t i = 0; i < token.size(); ++i) {
    std::string changed = token;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_EQ(read_executor_token("key", changed, base::Time{}), std::nullopt) << i;
  }
  for (const char* text : {"", ".", "..", "a.b", "a.b.c", "a.b.c.d"})
    EXPECT_EQ(read_executor_token("key", text, base::Time{}), std::nullopt) << text;
}

TEST(ExecutorTokens, of_other_makers_are_read_too_but_for_other_algorithms_and_times) {
  const auto sign = [](const std::string& header, const std::string& payload) {
    const std::string text = base::base64url_encode(header) + "." + base::base64url_encode(payload);
    return text + "." + base::base64url_encode(base::hmac_sha256("key", text));
  };
  const std::string good = R"({"typ":"JWT","alg":"HS256"})", claims = R"("fid":"f","eid":"e","cid":"c")";
  const base::Time now{base::seconds(1000)};
  EXPECT_EQ(read_executor_token("key", sign(good, "{" + claims + "}"), now), (ExecutorClaims{"f", "e", "c"}));
  EXPECT_NE(read_executor_token("key", sign(good, "{" + claims + R"(,"exp":1001})"), now), std::nullopt);
  EXPECT_EQ(read_executor_token("key", sign(good, "{" + claims + R"(,"exp":999})"), now), std::nullopt);
  EXPECT_EQ(read_executor_token("key", sign(R"({"alg":"none"})", "{" + claims + "}"), now), std::nullopt);
  EXPECT_EQ(read_executor_token("key", sign(good, R"({"fid":"f","eid":"e"})"), now), std::nullopt);
  EXPECT_EQ(read_executor_token("key", sign(good, "[]"), now), std::nullopt);
}

}  // namespace
}  // namespace auth
