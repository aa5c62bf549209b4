// dcos package.

#include "cli/testing.hpp"

namespace cli {
namespace {

using Package = Dcos;

constexpr const char* kRedis = R"({"package":{"packagingVersion":"4.0","name":"redis","version":"7-1","releaseVersion":0,
"selected":false,"description":"d","preInstallNotes":"needs redis-server","postInstallNotes":"enjoy",
"marathon":{"v2AppMustacheTemplate":"eyJpZCI6IngifQ=="},"config":{"type":"object"},"resource":{"images":{}}}})";

TEST_F(Package, search_prints_a_table) {
  cluster_.answer("POST /package/search", R"({"packages":[
      {"name":"redis","currentVersion":"7-1","selected":true,"framework":false,"description":"a store","versions":{"7-1":0},"tags":[]},
      {"name":"long","currentVersion":"1","framework":true,"versions":{},"tags":[],"description":")" +
                                              std::string(80, 'x') + R"("}]})");
  Outcome done = ask({"package", "search", "re"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out,
            "  NAME   VERSION  CERTIFIED  FRAMEWORK  " + std::string(34, ' ') + "DESCRIPTION" + std::string(34, ' ') + "  \n"
            "  redis  7-1      true       false      a store" + std::string(72, ' ') + "  \n"
            "  long         1  false      true       " + std::string(76, 'x') + "...  \n");
  EXPECT_EQ(cluster_.requests().back(), "POST /package/search {\"query\":\"re\"}");
  cluster_.answer("POST /package/search", R"({"packages":[]})");
  EXPECT_EQ(ask({"package", "search", "nothing"}).err, "Error: no packages found\n");
  EXPECT_EQ(ask({"package", "search"}).code, 0);
  EXPECT_EQ(ask({"package", "search", "--json"}).out, "{\n    \"packages\": []\n}\n");
}

TEST_F(Package, describe_prints_what_is_asked_for) {
  cluster_.answer("POST /package/describe", kRedis);
  cluster_.answer("POST /package/list-versions", R"({"results":{"7-1":"1","6-0":"0"}})");
  cluster_.answer("POST /package/render", R"({"marathonJson":{"id":"/x"}})");
  EXPECT_EQ(ask({"package", "describe", "redis", "--app"}).out, "{\"id\":\"x\"}");
  EXPECT_EQ(ask({"package", "describe", "redis", "--config"}).out, "{\n  \"type\": \"object\"\n}\n");
  EXPECT_EQ(ask({"package", "describe", "redis", "--cli"}).out, "");
  EXPECT_EQ(ask({"package", "describe", "redis", "--package-versions"}).out, "[\n  \"6-0\",\n  \"7-1\"\n]\n");
  EXPECT_EQ(ask({"package", "describe", "redis", "--app", "--render", "--app-id=y"}).out, "{\n  \"id\": \"/x\"\n}\n");
  EXPECT_EQ(cluster_.requests().back(), "POST /package/render {\"packageName\":\"redis\",\"appId\":\"/y\"}");
  EXPECT_EQ(ask({"package", "describe", "redis", "--package-version=9"}).code, 0);
  EXPECT_EQ(cluster_.requests().back(), "POST /package/describe {\"packageName\":\"redis\",\"packageVersion\":\"9\"}");
  EXPECT_EQ(ask({"package", "describe", "redis"}).out.substr(0, 35), "{\n  \"package\": {\n    \"packagingVers");
}

TEST_F(Package, install_asks_and_tells) {
  cluster_.answer("POST /package/describe", kRedis);
  cluster_.answer("POST /package/install", R"({"packageName":"redis","packageVersion":"7-1","appId":"/redis"})");
  Outcome done = ask({"package", "install", "redis"}, "maybe\nyes\n");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "Continue installing? [yes/no] Continue installing? [yes/no] ");
  EXPECT_EQ(done.err,
            "This is a Community service. Community services are not tested for production environments. There may be "
            "bugs, incomplete features, incorrect documentation, or other discrepancies.\nneeds redis-server\n"
            "Installing Marathon app for package [redis] version [7-1]\nenjoy\n");
  EXPECT_EQ(cluster_.requests().back(), "POST /package/install {\"packageName\":\"redis\",\"packageVersion\":\"7-1\"}");
  Outcome refused = ask({"package", "install", "redis"}, "no\n");
  EXPECT_EQ(refused.code, 1);
  EXPECT_NE(refused.err.find("Error: couldn't get confirmation\n"), std::string::npos);

  const std::string options = home_ + "/options.json";
  ASSERT_TRUE(base::write_file(options, R"({"a":1})"));
  EXPECT_EQ(ask({"package", "install", "redis", "--yes", "--options=" + options, "--app-id=/r", "--app"}).code, 0);
  EXPECT_EQ(cluster_.requests().back(),
            R"(POST /package/install {"packageName":"redis","appId":"/r","options":{"a":1},"packageVersion":"7-1"})");
  EXPECT_EQ(ask({"package", "install", "redis", "--options=/nowhere"}).err, "Error: couldn't find options file '/nowhere'\n");
  EXPECT_EQ(ask({"package", "install", "redis", "--app", "--cli"}).err, "Error: --app and --cli are mutually exclusive\n");
}

TEST_F(Package, install_shows_every_violation_of_the_options) {
  cluster_.answer("POST /package/describe", kRedis);
  cluster_.answer("POST /package/install", R"({"type":"JsonSchemaMismatch","message":"Options JSON failed validation",
      "data":{"errors":[{"instance":{"pointer":"/a/b"},"message":"too small"},{"instance":{"pointer":""},"message":"no c"}]}})", 400);
  Outcome done = ask({"package", "install", "redis", "--yes"});
  EXPECT_EQ(done.code, 1);
  EXPECT_NE(done.err.find("Error: Options JSON failed validation\n  /a/b: too small\n  /: no c\n"), std::string::npos) << done.err;
}

TEST_F(Package, list_groups_apps) {
  cluster_.answer("POST /package/list", R"({"packages":[
      {"appId":"/a","packageInformation":{"packageDefinition":{"name":"redis","version":"7-1","selected":true,
          "description":"one\ntwo","tags":[]}}},
      {"appId":"/b","packageInformation":{"packageDefinition":{"name":"redis","version":"7-1"}}}]})");
  EXPECT_EQ(ask({"package", "list"}).out,
            "  NAME   VERSION  CERTIFIED  APP  COMMAND  DESCRIPTION  \n"
            "  redis  7-1      true       /a   ---      one...       \n"
            "                             /b                         \n");
  EXPECT_EQ(ask({"package", "list", "x"}).err, "Error: cannot find packages matching the provided filter\n");
  EXPECT_EQ(ask({"package", "list", "--app-id=/b", "--json"}).out.substr(0, 40), "[\n    {\n        \"apps\": [\n            \"/");
  EXPECT_EQ(ask({"package", "list", "x", "--app-id=/b"}).err,
            "Error: cannot use the flags `--app-id` and an argument at the same time\n");
}

TEST_F(Package, uninstall_wants_the_name_typed) {
  cluster_.answer("POST /package/list", R"({"packages":[{"appId":"/redis"}]})");
  cluster_.answer("POST /package/uninstall",
                  R"({"results":[{"packageName":"redis","appId":"/redis","packageVersion":"7-1","postUninstallNotes":"bye"}]})");
  Outcome done = ask({"package", "uninstall", "redis"}, "no\nredis\n");
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "Please type the name of the service to confirm: Please type the name of the service to confirm: ");
  EXPECT_EQ(done.err,
            "WARNING: This action cannot be undone. This will uninstall [redis] and delete all of its persistent data (logs, "
            "configurations, database artifacts, everything).\nExpected 'redis'. You supplied 'no'.\n"
            "Uninstalled package [redis] version [7-1]\nbye\n");
  EXPECT_EQ(cluster_.requests().back(), R"(POST /package/uninstall {"packageName":"redis"})");
  EXPECT_EQ(ask({"package", "uninstall", "redis", "--all"}, "x\n").code, 1);
  EXPECT_EQ(ask({"package", "uninstall", "redis", "--all", "--yes"}).code, 0);
  EXPECT_EQ(cluster_.requests().back(), R"(POST /package/uninstall {"packageName":"redis","all":true})");
  EXPECT_EQ(ask({"package", "uninstall", "redis", "--cli", "--app"}).err,
            "Error: --cli cannot be used with --app, --app-id, or --all\n");
  cluster_.answer("POST /package/list", R"({"packages":[]})");
  EXPECT_EQ(ask({"package", "uninstall", "redis"}).err, "Error: Package [redis] is not installed\n");
}

TEST_F(Package, repo_commands) {
  cluster_.answer("POST /package/repository/list", R"({"repositories":[{"name":"a","uri":"http://a"},{"name":"b","uri":"file:///b"}]})");
  cluster_.answer("POST /package/repository/add", R"({"repositories":[]})");
  cluster_.answer("POST /package/repository/delete", R"({"repositories":[]})");
  EXPECT_EQ(ask({"package", "repo", "list"}).out, "a: http://a\nb: file:///b\n");
  EXPECT_EQ(ask({"package", "repo", "add", "c", "http://c", "--index=0"}).code, 0);
  EXPECT_EQ(cluster_.requests().back(), R"(POST /package/repository/add {"name":"c","uri":"http://c","index":0})");
  EXPECT_EQ(ask({"package", "repo", "add", "d", home_}).code, 0);
  EXPECT_EQ(cluster_.requests().back(), R"(POST /package/repository/add {"name":"d","uri":"file://)" + home_ + "\"}");
  EXPECT_EQ(ask({"package", "repo", "add", "d", "nowhere"}).err,
            "Error: 'nowhere' is neither a URL nor a file or directory here\n");
  EXPECT_EQ(ask({"package", "repo", "remove", "c", "d"}).code, 0);
  EXPECT_EQ(cluster_.requests().back(), R"(POST /package/repository/delete {"name":"d"})");
  ASSERT_TRUE(base::write_file(home_ + "/repos.json", R"({"repositories":[{"name":"e","uri":"http://e"},{"name":"f"}]})"));
  Outcome done = ask({"package", "repo", "import", home_ + "/repos.json"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.err, "Added repo 'e' (http://e) at index 0\nRepo missing name or uri. Skipping.\n");
  EXPECT_EQ(ask({"package", "repo", "import", "/nowhere"}).err, "Error: path '/nowhere' does not exist\n");
}

}  // namespace
}  // namespace cli
