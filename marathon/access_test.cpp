// Who may come in, by which credentials, and what the table grants.

#include "marathon/access.hpp"

#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "base/file.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "marathon/flags.hpp"

namespace marathon {
namespace {

constexpr const char* kTable = R"({"users":{
  "root":{"password":"r","rules":[{"path":"/","actions":["read","write","delete"]}]},
  "team":{"password":"t","rules":[{"path":"/v2/apps/team","actions":["read","write","delete"]},
    {"path":"/v2/groups/Team/","actions":["read","write"]},{"path":"/v2/events","actions":["read"]}]},
  "jobs":{"rules":[{"path":"/v2/apps/jobs","actions":["read"]}]},
  "nobody":{"password":"n"}}})";
constexpr base::Time kNow{base::seconds(1'700'000'000)};
constexpr int kAllowed = 0, kUnknown = 401, kRefused = 403;
const std::string kSecret = "0123456789abcdef0123456789abcdef";

/// The files that the flags name.
struct Files {
  Files() {
    flags.http_authorization = write("table", kTable);
    flags.http_token_secret_file = write("secret", kSecret + "\n");
  }
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = directory / name;
    EXPECT_TRUE(base::write_file_atomic(path, content, 0600));
    return path;
  }
  base::testing::TemporaryDirectory directory;
  Flags flags;
};

std::string basic(const std::string& credentials) { return "Basic " + base::base64_encode(credentials); }

std::string token(const std::string& user, std::optional<int64_t> exp = 1'700'000'060, const std::string& secret = kSecret) {
  const std::string text = auth::render_unsigned("", {user, exp, ""}, auth::JwtAlgorithm::Hs256);
  return text + "." + base::base64url_encode(base::hmac_sha256(secret, text));
}

Access::Answer decide(const Access& access, const std::string& header, const std::string& method = "GET",
                      const std::string& path = "/ping", const std::string& body = "") {
  base::http::Request request;
  request.method = method;
  request.path = path;
  request.body = body;
  if (!header.empty()) request.headers.set("Authorization", header);
  return access.decide(request, kNow);
}

TEST(Authorization, grants_by_path_and_action_and_refuses_the_rest) {
  const Files files;
  const auto access = Access::from(files.flags);
  ASSERT_TRUE(access) << access.error().message;
  struct Case {
    const char* user;
    const char* method;
    const char* path;
    const char* body;
    int status;
  };
  const Case cases[] = {
      {"root:r", "DELETE", "/v2/leader", "", kAllowed},
      {"root:x", "GET", "/ping", "", kUnknown},
      {"", "GET", "/ping", "", kUnknown},
      {"team:t", "GET", "/v2/apps/team/x", "", kAllowed},
      {"team:t", "PUT", "/v2/apps//TEAM/x", "{}", kAllowed},
      {"team:t", "PUT", "/v2/apps/%2Fteam%2Fx", "{}", kAllowed},
      {"team:t", "DELETE", "/v2/apps/team/x/tasks", "", kAllowed},
      {"team:t", "GET", "/v2/events", "", kAllowed},
      {"team:t", "GET", "/v2/apps", "", kAllowed},
      {"team:t", "GET", "/v2/apps/*", "", kAllowed},
      {"team:t", "GET", "/v2/groups/other", "", kAllowed},
      {"team:t", "GET", "/v2/groups/versions", "", kRefused},
      {"team:t", "GET", "/v2/groups/versions/2020-01-01T00:00:00.000Z", "", kRefused},
      {"team:t", "HEAD", "/v2/pods", "", kAllowed},
      {"team:t", "GET", "/v2/pods/::status", "", kAllowed},
      {"team:t", "GET", "/v2/pods/other::status", "", kRefused},
      {"team:t", "GET", "/v2/tasks", "", kAllowed},
      {"team:t", "GET", "/v2/queue", "", kAllowed},
      {"team:t", "GET", "/v2/deployments", "", kAllowed},
      {"team:t", "GET", "/v2/deployments/d1", "", kRefused},
      {"team:t", "GET", "/v2/info", "", kRefused},
      {"nobody:n", "GET", "/v2/apps", "", kRefused},
      {"nobody:n", "GET", "/v2/groups", "", kRefused},
      {"jobs:", "GET", "/v2/apps/jobs", "", kUnknown},
      {"team:t", "POST", "/v2/apps", R"({"id":"/other"})", kRefused},
      {"team:t", "PUT", "/v2/apps", "[]", kRefused},
      {"team:t", "GET", "/v2/apps/teamwork", "", kRefused},
      {"team:t", "PUT", "/v2/apps/team/../other", "{}", kRefused},
      {"team:t", "PUT", "/v2/apps/team/%2e%2e/other", "{}", kRefused},
      {"team:t", "PUT", "/v2/apps/team/..%2Fother", "{}", kRefused},
      {"team:t", "PUT", "/v2/groups/team", R"({"apps":[]})", kAllowed},
      {"team:t", "PUT", "/v2/groups/team", R"({"id":"sub"})", kAllowed},
      {"team:t", "PUT", "/v2/groups/team", R"({"id":"/other"})", kRefused},
      {"team:t", "POST", "/v2/groups/team", R"({"id":"../other"})", kRefused},
      {"team:t", "DELETE", "/v2/groups/team", "", kRefused},
      {"team:t", "POST", "/v2/tasks/delete", "{}", kRefused},
      {"team:t", "GET", "/v2/backup", "", kRefused},
      {"nobody:n", "GET", "/ping", "", kRefused},
  };
  for (const Case& c : cases) {
    EXPECT_EQ(decide(*access, *c.user ? basic(c.user) : "", c.method, c.path, c.body).status, c.status)
        << c.user << " " << c.method << " " << c.path << " " << c.body;
  }
}

TEST(Access, tokens_name_users_of_the_table) {
  const Files files;
  const auto access = Access::from(files.flags);
  ASSERT_TRUE(access) << access.error().message;
  for (const std::string& header : {"token=" + token("jobs"), "Bearer " + token("jobs"), "bearer " + token("jobs")}) {
    EXPECT_EQ(decide(*access, header, "GET", "/v2/apps/jobs/x").status, kAllowed) << header;
    EXPECT_EQ(decide(*access, header, "PUT", "/v2/apps/jobs/x").status, kRefused) << header;
    EXPECT_EQ(decide(*access, header, "GET", "/v2/apps/other").status, kRefused) << header;
  }
  EXPECT_EQ(decide(*access, "token=" + token("stranger"), "GET", "/v2/apps").status, kRefused) << "a good token, and no rules";
  for (const std::string& bad : {token("root", 1'700'000'000), token("root", std::nullopt), token("root", 1'700'000'060, kSecret + "x"),
                                 std::string("x"), std::string()}) {
    EXPECT_EQ(decide(*access, "token=" + bad, "GET", "/ping").status, kUnknown) << bad;
  }
}

TEST(Access, without_a_table_a_good_token_may_do_everything) {
  Files files;
  files.flags.http_authorization.reset();
  const auto key = base::PrivateKey::make().value();
  files.flags.http_token_keys = files.write("key.pem", key.public_key().pem());
  const auto access = Access::from(files.flags);
  ASSERT_TRUE(access) << access.error().message;
  const std::string text = auth::render_unsigned("", {"bob", 1'700'000'060, ""});
  const std::string by_key = "token=" + text + "." + base::base64url_encode(key.sign(text).value());
  for (const std::string& header : {by_key, "Bearer " + token("bob")}) {
    const auto answer = decide(*access, header, "DELETE", "/v2/leader");
    EXPECT_EQ(answer.status, kAllowed) << header;
    EXPECT_EQ(answer.viewer, nullptr);
  }
  EXPECT_EQ(decide(*access, "", "GET", "/ping").status, kUnknown);
  EXPECT_EQ(decide(*access, basic("root:r"), "GET", "/ping").status, kUnknown);
  base::http::Headers headers;
  access->ask(headers);
  EXPECT_EQ(headers.get_or("WWW-Authenticate", ""), "Bearer realm=\"Mesosphere\"");
}

TEST(Access, whoever_has_the_credentials_sees_everything) {
  Files files;
  files.flags.http_credentials = "admin:with:colons";
  const auto access = Access::from(files.flags);
  ASSERT_TRUE(access);
  EXPECT_EQ(decide(*access, basic("admin:with:colons"), "DELETE", "/v2/leader").status, kAllowed);
  EXPECT_EQ(decide(*access, basic("admin:with"), "GET", "/ping").status, kUnknown);
  EXPECT_EQ(decide(*access, basic("admin:with:colons"), "GET", "/v2/apps").viewer, nullptr);
  EXPECT_EQ(decide(*access, basic("root:r"), "GET", "/v2/apps").viewer, nullptr) << "a rule for everything";
  const auto team = decide(*access, basic("team:t"), "GET", "/v2/apps").viewer;
  ASSERT_TRUE(team);
  EXPECT_TRUE(team->sees({Subject::Kind::App, "/team/x"}));
  EXPECT_TRUE(team->sees({Subject::Kind::Pod, "/team/x"})) << "by its group";
  EXPECT_FALSE(team->sees({Subject::Kind::App, "/teamwork"}));
}

TEST(Access, files_that_cannot_be_are_refused_without_their_content) {
  Files files;
  files.flags.http_token_secret_file = files.write("weak", "hunter2");
  auto access = Access::from(files.flags);
  ASSERT_FALSE(access);
  EXPECT_EQ(access.error().message.find("hunter2"), std::string::npos);
  const std::string open = files.directory / "open";
  ASSERT_TRUE(base::write_file_atomic(open, kSecret, 0644));
  files.flags.http_token_secret_file = open;
  access = Access::from(files.flags);
  ASSERT_FALSE(access);
  EXPECT_NE(access.error().message.find("others can read"), std::string::npos) << access.error().message;
  files.flags.http_token_secret_file.reset();
  EXPECT_FALSE(Access::from(files.flags)) << "a user without a password, and no tokens";
  files.flags.http_authorization.reset();
  files.flags.http_token_keys = files.write("keys", "{}");
  access = Access::from(files.flags);
  ASSERT_FALSE(access);
  EXPECT_NE(access.error().message.find("--http_token_keys"), std::string::npos);
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
    const auto table = Authorization::parse(c.text, false);
    ASSERT_FALSE(table) << c.text;
    EXPECT_NE(table.error().message.find(c.error), std::string::npos) << table.error().message;
  }
}

}  // namespace
}  // namespace marathon
