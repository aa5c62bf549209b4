// Help, nodes, tasks, logs, services, and the parts that all commands share.

#include "cli/config_store.hpp"
#include "cli/mesos.hpp"
#include "cli/table.hpp"
#include "cli/testing.hpp"

namespace cli {
namespace {

TEST_F(Dcos, prints_its_version_and_the_clusters) {
  EXPECT_EQ(run({"--version"}).out, "dcoscli.version=0.1.0\n");
  EXPECT_EQ(ask({"--version"}).out,
            "dcoscli.version=0.1.0\ndcos.version=2.2.0\ndcos.variant=open\ndcos.commit=c\ndcos."
            "bootstrap-id=b\n");
}

TEST_F(Dcos, refuses_what_it_does_not_know) {
  EXPECT_EQ(run({"frobnicate"}).code, 1);
  EXPECT_EQ(run({"frobnicate"}).err,
            "Error: unknown command \"frobnicate\" for \"dcos\"\n"
            "Run `dcos --help` for the list of commands.\n");
  EXPECT_EQ(run({"cluster", "foo"}).code, 1);
  EXPECT_EQ(run({"node", "list", "--nope"}).err,
            "Error: unknown flag: --nope\nRun `dcos node list --help` for its usage.\n");
  EXPECT_EQ(run({"node", "list", "extra"}).code, 1);
}

TEST_F(Dcos, has_help_at_every_level) {
  for (const Command& command : commands()) {
    if (command.hidden) continue;
    std::vector<std::string> words;
    std::string path(command.path);
    for (size_t at = 0; at <= path.size();) {
      size_t end = std::min(path.find(' ', at), path.size());
      words.push_back(path.substr(at, end - at));
      at = end + 1;
    }
    words.push_back("--help");
    Outcome help = run(words);
    EXPECT_EQ(help.code, 0) << path;
    EXPECT_TRUE(help.out.starts_with(std::string(command.summary) + "\n\nUsage:\n    dcos " + path))
        << help.out;
    words.pop_back();
    words.insert(words.begin(), "help");
    EXPECT_EQ(run(words).out, help.out);
  }
  EXPECT_EQ(run({}).out, run({"--help"}).out);
  EXPECT_EQ(run({"cluster", "attach", "--help"}).out,
            "Work on another configured cluster\n\nUsage:\n    dcos cluster attach "
            "<cluster>\n\nOptions:\n"
            "    -h, --help\n        Show usage help\n");
}

TEST_F(Dcos, completes_commands_flags_and_names) {
  run({"cluster", "setup", cluster_.url()});
  EXPECT_EQ(run({"__complete", "--", "clu"}).out, "cluster\n");
  EXPECT_EQ(run({"__complete", "--", "marathon", "app", "st"}).out, "start\nstop\n");
  EXPECT_EQ(run({"__complete", "--", "task", "log", "--f"}).out, "--follow\n");
  EXPECT_EQ(run({"__complete", "--", "cluster", "attach", ""}).out, "dev\n");
  EXPECT_EQ(run({"__complete", "--", "config", "set", "core.ti"}).out, "core.timeout\n");
  EXPECT_EQ(run({"completion", "bash"}).code, 0);
  EXPECT_EQ(run({"completion", "zsh"}).code, 0);
  EXPECT_EQ(run({"completion", "fish"}).code, 1);
}

TEST_F(Dcos, lists_nodes) {
  cluster_.answer("GET /mesos/slaves", R"({"slaves":[
    {"id":"a1","hostname":"node1","pid":"slave(1)@10.0.0.2:5051","active":true,"attributes":{"public_ip":"true"}},
    {"id":"a2","hostname":"node2","pid":"slave(1)@10.0.0.3:5051","active":true,"deactivated":true,
     "resources":{"cpus":4},"domain":{"fault_domain":{"region":{"name":"r"},"zone":{"name":"z"}}}}]})");
  EXPECT_EQ(
      ask({"node"}).out,
      "  HOSTNAME     IP     PUBLIC IP(S)  ID        TYPE          STATUS     REGION  ZONE  \n"
      "  node1     10.0.0.2  N/A           a1   agent (public)   ACTIVE       N/A     N/A   \n"
      "  node2     10.0.0.3  N/A           a2   agent            DEACTIVATED  r       z     \n"
      "  10.0.0.1  10.0.0.1  N/A           N/A  master (leader)               N/A     N/A   \n");
  EXPECT_EQ(ask({"node", "list", "--mesos-id"}).out, "a1\na2\n");
  EXPECT_NE(ask({"node", "list", "--field=cpus:resources.cpus"}).out.find("CPUS"),
            std::string::npos);
  EXPECT_NE(ask({"node", "list", "--json"}).out.find("\"type\": \"agent (public)\""),
            std::string::npos);
}

constexpr const char* kState = R"({"slaves":[{"id":"a1","hostname":"node1"}],
  "frameworks":[{"id":"f1","name":"marathon","hostname":"node0","active":true,"user":"root",
    "used_resources":{"cpus":1.25,"mem":96,"disk":0},
    "tasks":[{"id":"web.1","name":"web","slave_id":"a1","state":"TASK_RUNNING","executor_id":""},
             {"id":"web.2","name":"web","slave_id":"a1","state":"TASK_STAGING","executor_id":""},
             {"id":"db.1","name":"db","slave_id":"a1","state":"TASK_RUNNING","executor_id":"db.1"}],
    "completed_tasks":[{"id":"old.1","name":"old","slave_id":"a1","state":"TASK_FAILED"}]},
   {"id":"f2","name":"gone","hostname":"node0","active":false,"tasks":[]}],
  "completed_frameworks":[]})";

TEST_F(Dcos, lists_tasks) {
  cluster_.answer("GET /mesos/state", kState);
  EXPECT_EQ(ask({"task"}).out,
            "  NAME  HOST   USER     STATE       ID    AGENT ID  REGION  ZONE  \n"
            "  db    node1  root  TASK_RUNNING  db.1   a1        N/A     N/A   \n"
            "  web   node1  root  TASK_RUNNING  web.1  a1        N/A     N/A   \n"
            "  web   node1  root  TASK_STAGING  web.2  a1        N/A     N/A   \n");
  EXPECT_EQ(ask({"task", "list", "-q", "web"}).out, "web.1\nweb.2\n");
  EXPECT_EQ(ask({"task", "list", "-q", "--completed"}).out, "old.1\n");
  EXPECT_EQ(ask({"task", "list", "-q", "--all", "*.1"}).out, "db.1\nweb.1\nold.1\n");
  EXPECT_EQ(ask({"task", "nothing"}).code, 0);
}

TEST_F(Dcos, prints_the_end_of_a_log) {
  cluster_.answer("GET /mesos/state", kState);
  cluster_.answer(
      "GET /agent/a1/state",
      R"({"frameworks":[{"id":"f1","executors":[{"id":"db.1","directory":"/s/db"}]}]})");
  std::string file = "GET /agent/a1/files/read?path=%2Fs%2Fdb%2Fstdout&offset=";
  cluster_.answer(file + "-1", R"({"data":"","offset":12})");
  cluster_.answer(file + "0&length=12", R"({"data":"one\ntwo\nsix\n","offset":0})");
  cluster_.answer(file + "4&length=262144", R"({"data":"two\nsix\n","offset":4})");
  cluster_.answer(file + "0&length=262144", R"({"data":"one\ntwo\nsix\n","offset":0})");
  cluster_.answer(file + "12&length=262144", R"({"data":"","offset":12})");
  EXPECT_EQ(ask({"task", "log", "db", "--lines=2"}).out, "two\nsix\n");
  EXPECT_EQ(ask({"task", "log", "db"}).out, "one\ntwo\nsix\n");
  EXPECT_EQ(ask({"task", "log", "db", "stderr"}).err,
            "Error: task db.1 has no file \"stderr\". Please run `dcos task ls db.1`\n");
  EXPECT_EQ(ask({"task", "ls", "web"}).err,
            "Error: more than one task matches \"web\"; give more of its id:\n  web.1\n  web.2\n");
  EXPECT_EQ(ask({"task", "log", "old"}).err,
            "Error: no running task matches \"old\"; 1 finished one(s) do: add --completed\n");
}

TEST_F(Dcos, prints_the_logs_of_several_tasks_under_their_names) {
  cluster_.answer("GET /mesos/state", kState);
  cluster_.answer("GET /agent/a1/state", R"({"frameworks":[{"id":"f1","executors":[
    {"id":"web.1","directory":"/s/1"}, {"id":"web.2","directory":"/s/2"}]}]})");
  for (const char* n : {"1", "2"}) {
    std::string file =
        std::string("GET /agent/a1/files/read?path=%2Fs%2F") + n + "%2Fstdout&offset=";
    cluster_.answer(file + "-1", R"({"data":"","offset":2})");
    cluster_.answer(file + "0&length=2", R"({"data":")" + std::string(n) + R"(\n","offset":0})");
    cluster_.answer(file + "0&length=262144",
                    R"({"data":")" + std::string(n) + R"(\n","offset":0})");
    cluster_.answer(file + "2&length=262144", R"({"data":"","offset":2})");
  }
  EXPECT_EQ(ask({"task", "log", "web"}).out, "===> web.1 <===\n1\n===> web.2 <===\n2\n");
}

TEST_F(Dcos, lists_and_fetches_the_files_of_a_task) {
  cluster_.answer("GET /mesos/state", kState);
  cluster_.answer(
      "GET /agent/a1/state",
      R"({"frameworks":[{"id":"f1","executors":[{"id":"db.1","directory":"/s/db"}]}]})");
  cluster_.answer(
      "GET /agent/a1/files/browse?path=%2Fs%2Fdb",
      R"([{"path":"/s/db/stdout","mode":"-rw-r--r--","nlink":1,"uid":"root","gid":"root","size":12,"mtime":0},
                      {"path":"/s/db/sub","mode":"drwxr-xr-x","nlink":2,"uid":"root","gid":"root","size":4096,"mtime":0}])");
  cluster_.answer("GET /agent/a1/files/browse?path=%2Fs%2Fdb%2Fsub",
                  R"([{"path":"/s/db/sub/a","mode":"-rw-r--r--","size":1}])");
  cluster_.answer("GET /agent/a1/files/download?path=%2Fs%2Fdb%2Fstdout", "hello");
  cluster_.answer("GET /agent/a1/files/download?path=%2Fs%2Fdb%2Fsub%2Fa", "a");
  EXPECT_EQ(ask({"task", "ls", "db"}).out, "stdout  sub\n");
  EXPECT_NE(ask({"task", "ls", "db", "--long"})
                .out.find("  -rw-r--r--      1  root  root    12  01 Jan 70 00:00 "),
            std::string::npos)
      << ask({"task", "ls", "db", "--long"}).out;
  EXPECT_EQ(ask({"task", "download", "db", "--target-dir=" + home_ + "/out"}).code, 0);
  EXPECT_EQ(base::read_file(home_ + "/out/stdout").value(), "hello");
  EXPECT_EQ(base::read_file(home_ + "/out/sub/a").value(), "a");
  cluster_.answer("GET /agent/a1/files/browse?path=%2Fs%2Fdb",
                  R"([{"path":"/s/db/..","mode":"-rw-r--r--"}])");
  EXPECT_EQ(ask({"task", "download", "db", "--target-dir=" + home_ + "/out"}).code, 1);
}

TEST_F(Dcos, lists_services_and_shuts_one_down) {
  cluster_.answer("GET /mesos/state", kState);
  EXPECT_EQ(ask({"service"}).out,
            "    NAME    HOST   ACTIVE  TASKS  CPU  MEM   DISK  ID  \n"
            "  marathon  node0  True        3  1.2  96.0   0.0  f1  \n");
  EXPECT_EQ(ask({"service", "list", "--inactive", "-q"}).out, "f1\nf2\n");
  cluster_.answer("POST /mesos/api/v1", "");
  EXPECT_EQ(ask({"service", "shutdown", "f2"}, "no\n").code, 1);
  EXPECT_EQ(ask({"service", "shutdown", "--yes", "f2"}).code, 0);
  EXPECT_EQ(cluster_.requests().back(),
            R"(POST /mesos/api/v1 {"type":"TEARDOWN","teardown":{"framework_id":{"value":"f2"}}})");
}

TEST_F(Dcos, maps_refusals_to_advice) {
  cluster_.answer("GET /mesos/state", "", 401);
  EXPECT_EQ(ask({"task"}).err, "Error: authentication failed, please run `dcos auth login`\n");
  cluster_.answer("GET /mesos/state", "", 403);
  EXPECT_EQ(ask({"task"}).err, "Error: you are not authorized to perform this operation\n");
  cluster_.answer("GET /mesos/state", "", 500);
  EXPECT_EQ(ask({"task"}).err, "Error: HTTP 500 error\n");
  cluster_.answer("GET /mesos/state", "not json");
  EXPECT_EQ(ask({"task"}).code, 1);
}

TEST(Settings, round_trip_and_report_the_bad_line) {
  auto settings =
      Settings::parse("# c\n[core]\ndcos_url = \"http://x\" # y\ntimeout=5\nname = 'a\\b'\n");
  ASSERT_TRUE(settings) << settings.error().message;
  EXPECT_EQ(settings->get("core.timeout"), "5");
  EXPECT_EQ(settings->get("core.name"), "a\\b");
  auto again = Settings::parse(settings->render());
  ASSERT_TRUE(again);
  EXPECT_EQ(again->render(), settings->render());
  EXPECT_EQ(Settings::parse("[core]\nbroken\n").error().message,
            "line 2: neither a section nor key = value");
  EXPECT_FALSE(Settings::parse("[core]\na = \"x\n"));
}

TEST(Table, measures_characters_and_takes_lines) {
  Table table({"A", "LONG"}, Table::Style::Centered);
  table.add({"\xc3\xa9t\xc3\xa9", "1"});
  table.add({"x\ny", "ab"});
  EXPECT_EQ(table.render(),
            "   A   LONG  \n  \xc3\xa9t\xc3\xa9     1  \n  x    ab    \n  y          \n");
}

TEST(Glob, matches_whole_names) {
  EXPECT_TRUE(glob_match("web*", "web.1"));
  EXPECT_TRUE(glob_match("*b?1", "web.1"));
  EXPECT_FALSE(glob_match("web", "web.1"));
}

}  // namespace
}  // namespace cli
