// The core and its API without sockets: requests in, answers and questions to Marathon out.

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "universe/core.hpp"
#include "universe/media_types.hpp"
#include "universe/render.hpp"
#include "universe/sources.hpp"

namespace universe {
namespace {

namespace json = boost::json;

std::string package(const std::string& name, const std::string& version, int release, const std::string& more = "") {
  const std::string text = base::base64_encode(R"({"id":"{{name}}","cmd":"run"})");
  return fmt::format(
      R"({{"packagingVersion":"4.0","name":"{0}","version":"{1}","releaseVersion":{2},"description":"the {0}","tags":[],)"
      R"("marathon":{{"v2AppMustacheTemplate":"{3}"}},"config":{{"type":"object","additionalProperties":false,)"
      R"("properties":{{"name":{{"type":"string","default":"{0}"}},"n":{{"type":"integer"}}}}}}{4}}})",
      name, version, release, text, more);
}

std::shared_ptr<const RepositoryIndex> index_of(const std::vector<std::string>& packages) {
  std::string text = R"({"packages":[)";
  for (const std::string& item : packages) text += (text.ends_with('[') ? "" : ",") + item;
  return std::make_shared<const RepositoryIndex>(parse_index(text + "]}").value());
}

FetchOutcome fresh(const std::vector<std::string>& packages, const std::string& etag = "") {
  FetchOutcome outcome;
  outcome.kind = FetchOutcome::Kind::Fresh;
  outcome.index = index_of(packages);
  outcome.etag = etag;
  return outcome;
}

FetchOutcome failure(FetchOutcome::Kind kind, const std::string& cause, int status = 0) {
  FetchOutcome outcome;
  outcome.kind = kind;
  outcome.cause = cause;
  outcome.status = status;
  return outcome;
}

class ApiTest : public ::testing::Test {
 protected:
  ApiTest() : core(policy(), base::Random(1)) {
    on(Recovered{});
    // The copy on disk, then the source.
    fetched(fresh({package("redis", "1", 1), package("redis", "2", 2, R"(,"upgradesFrom":["1"],"downgradesTo":["1"])"),
                   package("tool", "1", 0, R"(,"marathon":null,"config":null,"resource":{"cli":{"binaries":{"linux":
                       {"x86-64":{"kind":"zip","url":"http://x/cli.zip"}}}}})")},
                  "e1"));
  }

  static Policy policy() {
    Policy policy;
    policy.first_repositories = {{"Universe", "http://first"}};
    return policy;
  }

  void on(Event event) {
    Effects out;
    core.on(event, now, out);
    for (Effect& effect : out.list) {
      if (auto* reply = std::get_if<Reply>(&effect)) answer = std::move(reply->response);
      if (auto* ask = std::get_if<Ask>(&effect)) asked.push_back(*ask);
      if (auto* fetch = std::get_if<Fetch>(&effect)) fetches.push_back(*fetch);
      if (auto* persist = std::get_if<Persist>(&effect)) persists.push_back(*persist);
      if (auto* timer = std::get_if<SetTimer>(&effect)) timers[timer->timer] = timer->at;
      if (auto* forget = std::get_if<Forget>(&effect)) forgotten.push_back(forget->uri);
      if (auto* relay = std::get_if<Relay>(&effect)) relayed = relay->url;
    }
  }

  /// The oldest fetch under way ends so.
  void fetched(FetchOutcome outcome) {
    const Ticket ticket = fetches.front().ticket;
    fetches.erase(fetches.begin());
    on(Fetched{ticket, std::move(outcome)});
  }

  void committed(base::Status status = {}) {
    ASSERT_FALSE(persists.empty());
    const Ticket ticket = persists.front().ticket;
    persists.erase(persists.begin());
    on(Persisted{ticket, std::move(status)});
  }

  /// The oldest question is answered so; "GET /path body" of it.
  std::string answered(int status, const std::string& body) {
    const Ask ask = asked.front();
    asked.erase(asked.begin());
    base::http::Response response;
    response.status = status;
    response.body = body;
    on(Answered{ask.ticket, response});
    return ask.method + " " + ask.path + (ask.body.empty() ? "" : " " + ask.body);
  }

  base::http::Response post(const std::string& path, const std::string& body,
                            const std::string& accept = "application/json",
                            const std::string& content = "application/json") {
    answer = {};
    answer.status = 0;
    base::http::Request request;
    request.method = "POST";
    request.path = request.target = path;
    request.body = body;
    if (!accept.empty()) request.headers.set("Accept", accept);
    if (!content.empty()) request.headers.set("Content-Type", content);
    request.headers.set("Host", "cluster");
    request.headers.set("Authorization", "token=abc");
    on(HttpRequested{next_call++, std::move(request)});
    return answer;
  }

  base::http::Response get(const std::string& path, const std::string& query = "") {
    answer = {};
    base::http::Request request;
    request.method = "GET";
    request.path = path;
    request.query_text = query;
    request.headers.set("Accept", "*/*");
    on(HttpRequested{next_call++, std::move(request)});
    return answer;
  }

  std::string type() const { return field("/type"); }
  std::string field(const std::string& pointer) const {
    const auto value = base::json::parse(answer.body);
    const json::value* found = value ? base::json::find(*value, pointer) : nullptr;
    if (found == nullptr) return "";
    return found->is_string() ? std::string(found->get_string()) : base::json::render(*found);
  }

  /// An app as Marathon lists it, with the labels of an installed package.
  std::string app(const std::string& id, const std::string& version = "1", const std::string& options = "{}",
                  const std::string& label = "") {
    const auto* entry = &core.state().catalog->versions("redis")->front();
    for (const auto& item : *core.state().catalog->versions("redis")) {
      if (item.package->version == version) entry = &item;
    }
    auto rendered = render_app(*entry->package, "http://first", base::json::parse(options).value().get_object(), id);
    if (!label.empty()) (*rendered)["labels"].get_object()[label] = "x";
    return base::json::render(*rendered);
  }

  Core core;
  base::Now now{{base::seconds(100)}, {base::seconds(1'700'000'000)}};
  base::http::Response answer;
  std::vector<Ask> asked;
  std::vector<Fetch> fetches;
  std::vector<Persist> persists;
  std::map<TimerName, base::Instant> timers;
  std::vector<std::string> forgotten;
  std::string relayed;
  CallId next_call = 1;
};

TEST_F(ApiTest, tells_everything_that_is_wrong_with_a_request_at_once) {
  struct Case {
    const char *accept, *content, *body, *type, *errors;
  };
  constexpr Case kCases[] = {
      {"", "application/json", "{}", "not_present", ""},
      {"text/html", "application/json", "{}", "not_valid", ""},
      {"???", "application/json", "{}", "not_parsed", ""},
      {"*/*", "", "{}", "not_present", ""},
      {"*/*", "text/plain", "{}", "not_valid", ""},
      {"*/*", "application/json", "", "not_present", ""},
      {"*/*", "application/json", "{", "not_parsed", ""},
      {"*/*", "application/json", "[]", "not_parsed", ""},
      {"*/*", "application/json", R"({"query":1})", "not_parsed", ""},
      {"", "text/plain", "{", "multiple_errors", "not_present not_valid not_parsed "},
  };
  for (const Case& c : kCases) {
    EXPECT_EQ(post("/package/search", c.body, c.accept, c.content).status, 400);
    EXPECT_EQ(type(), c.type) << answer.body;
    EXPECT_EQ(answer.headers.get_or("Content-Type", ""), kErrorType);
    std::string errors;
    const auto body = base::json::parse(answer.body).value();
    if (const auto* list = base::json::find(body, "/data/errors")) {
      for (const auto& error : list->get_array()) errors += std::string(error.at("type").as_string()) + " ";
    }
    EXPECT_EQ(errors, c.errors);
  }
  EXPECT_EQ(post("/package/search", "{}", "").body,
            R"({"type":"not_present","message":"Item header 'Accept' not present but required"})");
  EXPECT_EQ(get("/package/search").status, 405);
  EXPECT_EQ(get("/package/nothing").status, 404);
}

TEST_F(ApiTest, describes_in_the_version_that_is_wanted) {
  post("/package/describe", R"({"packageName":"redis"})",
       media_type("package", "describe-response", 3) + "," + std::string(kErrorType),
       media_type("package", "describe-request", 1));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.headers.get_or("Content-Type", ""), media_type("package", "describe-response", 3));
  EXPECT_EQ(field("/package/version"), "2");
  post("/package/describe", R"({"packageName":"redis","packageVersion":"1"})", media_type("package", "describe-response", 2));
  EXPECT_EQ(field("/version"), "1");
  EXPECT_EQ(field("/releaseVersion"), "");
  post("/package/describe", R"({"packageName":"redis"})", media_type("package", "describe-response", 2));
  EXPECT_EQ(type(), "ConversionFromPackageToV2DescribeResponse");
  post("/package/describe", R"({"packageName":"tool"})");
  EXPECT_EQ(field("/package/resource/cli/binaries/linux/x86-64/url"),
            "http://cluster/package/resource?url=http%3A%2F%2Fx%2Fcli.zip");
  post("/package/describe", R"({"packageName":"nothing"})");
  EXPECT_EQ(answer.body,
            R"({"type":"PackageNotFound","message":"Package [nothing] not found","data":{"packageName":"nothing"}})");
  post("/package/describe", R"({"packageVersion":""})");
  EXPECT_EQ(field("/message"), "Item 'body' unable to be parsed: /packageName is required");
}

TEST_F(ApiTest, searches_and_lists_versions) {
  post("/package/search", R"({"query":"RED"})");
  EXPECT_EQ(answer.body, R"({"packages":[{"name":"redis","currentVersion":"2","versions":{"2":2,"1":1},)"
                         R"("description":"the redis","framework":false,"tags":[],"selected":false}]})");
  post("/package/list-versions", R"({"packageName":"redis","includePackageVersions":true})");
  EXPECT_EQ(answer.body, R"({"results":{"2":"2","1":"1"}})");
  post("/package/list-versions", R"({"packageName":"x","includePackageVersions":true})");
  EXPECT_EQ(type(), "PackageNotFound");
  EXPECT_EQ(get("/capabilities").body, R"({"capabilities":[{"name":"PACKAGE_MANAGEMENT"}]})");
}

TEST_F(ApiTest, renders_without_installing) {
  post("/package/render", R"({"packageName":"redis","options":{"name":"mine"},"appId":"other"})");
  EXPECT_EQ(field("/marathonJson/id"), "/other");
  EXPECT_TRUE(asked.empty());
  post("/package/render", R"({"packageName":"redis","options":{"name":5,"n":"x","bogus":1}})");
  EXPECT_EQ(type(), "JsonSchemaMismatch");
  EXPECT_EQ(field("/data/errors/0/instance/pointer"), "/name");
  EXPECT_EQ(field("/data/errors/1/instance/pointer"), "/n");
  EXPECT_EQ(field("/data/errors/2/keyword"), "additionalProperties");
  EXPECT_EQ(field("/data/errors/2/unwanted"), R"(["bogus"])");
  post("/package/render", R"({"packageName":"tool"})");
  EXPECT_EQ(type(), "ServiceMarathonTemplateNotFound");
}

TEST_F(ApiTest, installs_with_the_callers_credentials) {
  post("/package/install", R"({"packageName":"redis","packageVersion":"1"})");
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].authorization, "token=abc");
  EXPECT_EQ(answered(201, R"({"id":"/redis"})").substr(0, 31), R"(POST /v2/apps {"id":"redis","cm)");
  EXPECT_EQ(answer.body, R"({"packageName":"redis","packageVersion":"1","appId":"/redis"})");

  struct Case {
    int status;
    const char *body, *type;
    int answer;
  };
  constexpr Case kCases[] = {
      {409, R"({"message":"exists"})", "PackageAlreadyInstalled", 409},
      {422, R"({"message":"Object is not valid","details":[{"path":"/id","errors":["bad"]}]})", "MarathonBadResponse", 400},
      {401, "", "Unauthorized", 401},
      {403, "", "Forbidden", 403},
      {503, "busy", "MarathonBadGateway", 502},
      {400, "<html>", "MarathonGenericError", 500},
  };
  for (const Case& c : kCases) {
    post("/package/install", R"({"packageName":"redis"})");
    answered(c.status, c.body);
    EXPECT_EQ(type(), c.type);
    EXPECT_EQ(answer.status, c.answer);
  }
  post("/package/install", R"({"packageName":"redis"})");
  on(Answered{asked.front().ticket, base::unavailable("cannot connect")});
  EXPECT_EQ(answer.body, R"({"type":"ServiceUnavailable","message":"Unable to complete request due to service [marathon] )"
                         R"(unavailability","data":{"serviceName":"marathon","status":503}})");
}

TEST_F(ApiTest, installs_nothing_for_packages_of_the_command_line_alone) {
  post("/package/install", R"({"packageName":"tool"})", media_type("package", "install-response", 2));
  EXPECT_TRUE(asked.empty());
  EXPECT_EQ(field("/appId"), "");
  EXPECT_EQ(field("/cli/binaries/linux/x86-64/kind"), "zip");
  post("/package/install", R"({"packageName":"tool"})", media_type("package", "install-response", 1));
  EXPECT_EQ(type(), "ServiceMarathonTemplateNotFound");
  post("/package/install", R"({"packageName":"redis","managerId":"m"})");
  EXPECT_EQ(type(), "CustomPackageManagerNotFound");
}

TEST_F(ApiTest, lists_what_the_labels_tell) {
  post("/package/list", "{}");
  EXPECT_EQ(answered(200, R"({"apps":[)" + app("/b") + "," + app("/a", "2") + R"(,{"id":"/other","labels":{}},
      {"id":"/half","labels":{"DCOS_PACKAGE_NAME":"x"}},{"id":"/bad","labels":{"DCOS_PACKAGE_NAME":"x","DCOS_PACKAGE_DEFINITION":"!"}}]})"),
            "GET /v2/apps?label=DCOS_PACKAGE_NAME");
  EXPECT_EQ(field("/packages/0/appId"), "/a");
  EXPECT_EQ(field("/packages/0/packageInformation/packageDefinition/version"), "2");
  EXPECT_EQ(field("/packages/1/appId"), "/b");
  EXPECT_EQ(field("/packages/2"), "");
  post("/package/list", R"({"packageName":"redis","appId":"b"})");
  EXPECT_EQ(answered(200, R"({"apps":[)" + app("/b") + "," + app("/a") + "]}"),
            "GET /v2/apps?label=DCOS_PACKAGE_NAME%3D%3Dredis");
  EXPECT_EQ(field("/packages/0/appId"), "/b");
  EXPECT_EQ(field("/packages/1"), "");
  post("/package/list", "{}");
  answered(200, "<html>");
  EXPECT_EQ(answer.status, 502);
}

TEST_F(ApiTest, uninstalls_one_all_or_says_which_there_are) {
  const std::string both = R"({"apps":[)" + app("/b") + "," + app("/a") + "]}";
  post("/package/uninstall", R"({"packageName":"redis"})");
  answered(200, both);
  EXPECT_EQ(answer.body, R"({"type":"AmbiguousAppId","message":"Multiple apps named [redis] are installed: [/a, /b]",)"
                         R"("data":{"packageName":"redis","appIds":["/a","/b"]}})");
  post("/package/uninstall", R"({"packageName":"redis","appId":"b"})");
  answered(200, both);
  EXPECT_EQ(answered(200, "{}"), "DELETE /v2/apps/b?force=true");
  EXPECT_EQ(answer.body, R"({"results":[{"packageName":"redis","appId":"/b","packageVersion":"1"}]})");
  post("/package/uninstall", R"({"packageName":"redis","all":true})");
  answered(200, both);
  answered(200, "{}");
  EXPECT_EQ(answered(200, "{}"), "DELETE /v2/apps/a?force=true");
  EXPECT_EQ(field("/results/1/appId"), "/a");
  post("/package/uninstall", R"({"packageName":"redis","appId":"c"})");
  answered(200, both);
  EXPECT_EQ(type(), "UninstallNonExistentAppForPackage");
  post("/package/uninstall", R"({"packageName":"redis"})");
  answered(200, R"({"apps":[]})");
  EXPECT_EQ(type(), "PackageNotInstalled");
  post("/package/uninstall", R"({"packageName":"redis"})");
  answered(200, R"({"apps":[)" + app("/a") + "]}");
  answered(500, "{}");
  EXPECT_EQ(type(), "MarathonAppDeleteError");
  post("/package/uninstall", R"({"packageName":"redis"})");
  answered(200, R"({"apps":[)" + app("/a", "1", "{}", kUninstallLabel) + "]}");
  EXPECT_EQ(type(), "FailedToStartUninstall");
}

TEST_F(ApiTest, uninstall_tears_the_framework_down) {
  const auto begin = [&] {
    post("/package/uninstall", R"({"packageName":"redis"})");
    answered(200, R"({"apps":[)" + app("/a", "1", "{}", kFrameworkLabel) + "]}");
    answered(200, "{}");
  };
  begin();
  EXPECT_EQ(asked.front().upstream, Upstream::Master);
  EXPECT_EQ(answered(200, R"({"frameworks":[{"id":"F1","name":"x","active":true},{"id":"F2","name":"x","active":false},
                             {"id":"F3","name":"y","active":true}]})"),
            "GET /frameworks");
  EXPECT_EQ(answered(200, ""), "POST /teardown frameworkId=F1");
  EXPECT_EQ(field("/results/0/appId"), "/a");
  begin();
  answered(200, R"({"frameworks":[]})");
  EXPECT_EQ(field("/results/0/appId"), "/a");
  begin();
  answered(200, R"({"frameworks":[{"id":"F1","name":"x"},{"id":"F2","name":"x"}]})");
  EXPECT_EQ(type(), "MultipleFrameworkIds");
  EXPECT_EQ(field("/data/ids"), R"(["F1","F2"])");
  begin();
  answered(503, "");
  EXPECT_EQ(type(), "IncompleteUninstall");
  EXPECT_EQ(answer.status, 503);
}

TEST_F(ApiTest, describes_and_updates_a_service) {
  post("/service/describe", R"({"appId":"a"})");
  EXPECT_EQ(answered(200, R"({"app":)" + app("/redis", "1", R"({"n":1})") + "}"), "GET /v2/apps/a");
  EXPECT_EQ(field("/upgradesTo"), R"(["2"])");
  EXPECT_EQ(field("/resolvedOptions"), R"({"name":"redis","n":1})");
  EXPECT_EQ(field("/userProvidedOptions"), R"({"n":1})");
  EXPECT_EQ(field("/package/version"), "1");

  const auto update = [&](const std::string& more) {
    post("/service/update", R"({"appId":"redis",)" + more + "}");
    if (!asked.empty()) answered(200, R"({"app":)" + app("/redis", "1", R"({"n":1})") + "}");
  };
  update(R"("replace":false,"packageVersion":"2","options":{"n":2})");
  ASSERT_EQ(asked.size(), 1u) << answer.body;
  // Versions may change, and the id is what the template says without the caller's own.
  const auto put = base::json::parse(asked[0].body).value();
  EXPECT_EQ(label_of(put, kVersionLabel), "2");
  EXPECT_EQ(asked[0].path, "/v2/apps/redis?force=true&partialUpdate=false");
  answered(200, R"({"deploymentId":"D1"})");
  EXPECT_EQ(field("/marathonDeploymentId"), "D1");
  EXPECT_EQ(field("/resolvedOptions"), R"({"name":"redis","n":2})");
  update(R"("replace":false,"options":{"name":"else"})");
  EXPECT_EQ(type(), "AppIdChanged");
  // Installed under an id of the user's own: it stays.
  post("/service/update", R"({"appId":"/mine","replace":false,"options":{"n":3}})");
  answered(200, R"({"app":)" + app("/mine", "1", R"({"n":1})") + "}");
  ASSERT_EQ(asked.size(), 1u) << answer.body;
  EXPECT_EQ(base::json::get_string(base::json::parse(asked[0].body).value(), "/id").value(), "/mine");
  answered(200, "{}");
  update(R"("replace":true,"packageVersion":"9")");
  EXPECT_EQ(type(), "VersionNotFound");
  update(R"("options":{})");
  EXPECT_EQ(field("/message"), "Item 'body' unable to be parsed: /replace is required");
  post("/service/describe", R"({"appId":"gone"})");
  answered(404, "");
  EXPECT_EQ(type(), "MarathonAppNotFound");
}

TEST_F(ApiTest, adds_a_repository_that_it_has_seen) {
  fetches.clear();
  post("/package/repository/add", R"({"name":"mine","uri":"https://mine/repo","index":0})");
  EXPECT_EQ(answer.status, 0);
  EXPECT_EQ(fetches.front().uri, "https://mine/repo");
  fetched(fresh({package("redis", "9", 0)}));
  EXPECT_EQ(answer.status, 0) << "not before it is durable";
  EXPECT_EQ(persists.front().writes[0].value,
            R"([{"name":"mine","uri":"https://mine/repo"},{"name":"Universe","uri":"http://first"}])");
  committed();
  EXPECT_EQ(field("/repositories/0/name"), "mine");
  post("/package/describe", R"({"packageName":"redis"})");
  EXPECT_EQ(field("/package/version"), "9");

  post("/package/repository/delete", R"({"name":"mine"})");
  committed();
  EXPECT_EQ(answer.body, R"({"repositories":[{"name":"Universe","uri":"http://first"}]})");
  EXPECT_EQ(forgotten, (std::vector<std::string>{"https://mine/repo"}));
  post("/package/describe", R"({"packageName":"redis"})");
  EXPECT_EQ(field("/package/version"), "2");
}

TEST_F(ApiTest, refuses_repositories_that_are_none) {
  struct Case {
    const char *body, *type;
  };
  constexpr Case kCases[] = {
      {R"({"name":"Universe","uri":"http://x"})", "RepositoryAlreadyPresent"},
      {R"({"name":"x","uri":"http://first"})", "RepositoryAlreadyPresent"},
      {R"({"name":"x","uri":"http://x","index":2})", "RepositoryAddIndexOutOfBounds"},
      {R"({"name":"x","uri":"http://x","index":-1})", "RepositoryAddIndexOutOfBounds"},
      {R"({"name":"x","uri":"ftp://x"})", "UnsupportedRepositoryUri"},
      {R"({"name":"x","uri":"x"})", "RepositoryUriSyntax"},
      {R"({"name":"x","uri":"http://"})", "RepositoryUriSyntax"},
      {R"({"name":"x","uri":"file://relative"})", "RepositoryUriSyntax"},
      {R"({"name":"x","uri":"http://a b"})", "RepositoryUriSyntax"},
      {R"({"name":"","uri":"http://a"})", "not_parsed"},
  };
  fetches.clear();
  for (const Case& c : kCases) {
    post("/package/repository/add", c.body);
    EXPECT_EQ(type(), c.type) << c.body;
  }
  EXPECT_TRUE(fetches.empty());
  using Kind = FetchOutcome::Kind;
  const std::pair<FetchOutcome, const char*> kOutcomes[] = {
      {failure(Kind::Unreachable, "no answer"), "RepositoryUriConnection"},
      {failure(Kind::HttpStatus, "404", 404), "UniverseClientHttpError"},
      {failure(Kind::ContentType, "text/html"), "UnsupportedContentType"},
      {failure(Kind::Malformed, "not JSON"), "RepositoryUriConnection"},
  };
  for (const auto& [outcome, name] : kOutcomes) {
    post("/package/repository/add", R"({"name":"x","uri":"http://x"})");
    fetched(outcome);
    EXPECT_EQ(type(), name);
    EXPECT_EQ(answer.status, 400);
  }
  post("/package/repository/delete", "{}");
  EXPECT_EQ(type(), "RepoNameOrUriMissing");
  post("/package/repository/delete", R"({"name":"x"})");
  EXPECT_EQ(field("/message"), "Repository name [x] is not present in the list");
  EXPECT_TRUE(persists.empty());
  post("/package/repository/list", "null");
  EXPECT_EQ(answer.body, R"({"repositories":[{"name":"Universe","uri":"http://first"}]})");
}

TEST_F(ApiTest, a_list_that_cannot_be_stored_stays_as_it_was) {
  post("/package/repository/delete", R"({"name":"Universe"})");
  EXPECT_EQ(answer.status, 0);
  post("/package/repository/delete", R"({"name":"Universe"})");
  EXPECT_EQ(type(), "ConcurrentAccess");
  committed(base::Error{base::Code::NoSpace, "disk full"});
  EXPECT_EQ(answer.status, 507);
  post("/package/repository/list", "{}");
  EXPECT_EQ(field("/repositories/0/name"), "Universe");
  post("/package/describe", R"({"packageName":"redis"})");
  EXPECT_EQ(answer.status, 200);
}

TEST_F(ApiTest, a_source_that_fails_keeps_its_copy_and_is_asked_again_later) {
  ASSERT_EQ(fetches.size(), 1u);
  EXPECT_EQ(fetches[0].etag, "e1");
  base::Duration last{0};
  for (int i = 1; i <= 10; ++i) {
    fetched(failure(FetchOutcome::Kind::Unreachable, "no answer"));
    const base::Duration wait = timers["refresh|http://first"] - now.instant;
    EXPECT_GE(wait + wait / 3, last);
    EXPECT_LE(wait, base::seconds(375));
    last = wait;
    on(TimerFired{"refresh|http://first"});
    on(TimerFired{"refresh|http://first"});
    ASSERT_EQ(fetches.size(), 1u) << "one at a time";
  }
  EXPECT_GE(last, base::minutes(5));
  get("/package/repository/status");
  EXPECT_EQ(field("/repositories/0/state"), "stale");
  EXPECT_EQ(field("/repositories/0/error"), "no answer");
  EXPECT_EQ(field("/repositories/0/packageVersions"), "3");
  post("/package/describe", R"({"packageName":"redis"})");
  EXPECT_EQ(answer.status, 200);
  FetchOutcome same;
  same.kind = FetchOutcome::Kind::Unchanged;
  fetched(same);
  get("/package/repository/status");
  EXPECT_EQ(field("/repositories/0/state"), "ok");
  EXPECT_EQ(timers["refresh|http://first"] - now.instant, base::minutes(5));
}

TEST_F(ApiTest, relays_only_what_packages_name) {
  get("/package/resource", "url=http%3A%2F%2Fx%2Fcli.zip");
  EXPECT_EQ(relayed, "http://x/cli.zip");
  EXPECT_EQ(get("/package/resource", "url=http%3A%2F%2F169.254.169.254%2F").status, 403);
  EXPECT_EQ(get("/package/resource").status, 400);
}

TEST(Recovery, takes_the_stored_list_and_sets_a_bad_one_aside) {
  Policy policy;
  policy.first_repositories = {{"Universe", "http://first"}};
  for (const auto& [stored, expected] :
       {std::pair{R"([{"name":"a","uri":"http://a"}])", "http://a"}, std::pair{"[]", ""}, std::pair{"{", "http://first"},
        std::pair{R"([{"name":5}])", "http://first"}}) {
    Core core(policy, base::Random(1));
    Effects out;
    core.on(Recovered{{{kRepositoriesKey, stored}, {"unknown", "x"}}}, {}, out);
    const auto& list = core.state().repositories;
    EXPECT_EQ(list.empty() ? "" : list[0].uri, expected) << stored;
  }
}

TEST(Waiting, is_bounded) {
  Policy policy;
  policy.first_repositories = {{"Universe", "http://first"}};
  policy.max_pending = 2;
  Core core(policy, base::Random(1));
  Effects out;
  core.on(Recovered{}, {}, out);
  int refused = 0;
  for (CallId call = 1; call <= 5; ++call) {
    base::http::Request request;
    request.method = "POST";
    request.path = "/package/list";
    request.body = "{}";
    request.headers.set("Accept", "*/*");
    request.headers.set("Content-Type", "application/json");
    Effects effects;
    core.on(HttpRequested{call, request}, {}, effects);
    for (const Effect& effect : effects.list) {
      if (const auto* reply = std::get_if<Reply>(&effect); reply && reply->response.status == 503) ++refused;
    }
  }
  EXPECT_EQ(refused, 3);
}

}  // namespace
}  // namespace universe
