// Commands against a server with a script: what is asked, what is printed, and the exit code.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "base/crypto.hpp"
#include "base/file.hpp"
#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "cli/command.hpp"
#include "cli/config_store.hpp"
#include "cli/cron.hpp"
#include "cli/mesos.hpp"
#include "cli/run.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;

// A cluster that answers by a table: "GET /path?query" -> status and body.
class FakeCluster {
 public:
  FakeCluster()
      : server_(loop_, {},
                [this](Request request, Responder responder) { serve(request, responder); }) {
    port_ = server_.listen("127.0.0.1", 0).value();
    thread_ = std::thread([this] { loop_.run(); });
  }
  ~FakeCluster() {
    loop_.stop();
    thread_.join();
  }

  void answer(const std::string& what, const std::string& body, int status = 200) {
    std::lock_guard lock(mutex_);
    answers_[what] = {status, body};
  }
  // Requests without this token are answered 401 there; the challenge is the original's.
  void guard(const std::string& what, const std::string& token, const std::string& body) {
    std::lock_guard lock(mutex_);
    guarded_[what] = token;
    answers_[what] = {200, body};
  }
  std::vector<std::string> requests() {
    std::lock_guard lock(mutex_);
    return requests_;
  }
  std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  void serve(const Request& request, const Responder& responder) {
    std::lock_guard lock(mutex_);
    std::string what = request.method + " " + request.target;
    requests_.push_back(request.body.empty() ? what : what + " " + request.body);
    auto guarded = guarded_.find(what);
    if (guarded != guarded_.end() &&
        request.headers.get_or("Authorization", "") != "token=" + guarded->second) {
      Response refused = Response::text(401, "log in");
      refused.headers.set("WWW-Authenticate", "oauthjwt");
      return responder.reply(std::move(refused));
    }
    auto it = answers_.find(what);
    if (it == answers_.end()) return responder.reply(Response::text(404, "no such thing"));
    responder.reply(Response::json(it->second.first, it->second.second));
  }

  std::mutex mutex_;
  std::map<std::string, std::pair<int, std::string>> answers_;
  std::map<std::string, std::string> guarded_;
  std::vector<std::string> requests_;
  base::Loop loop_;
  base::http::Server server_;
  uint16_t port_ = 0;
  std::thread thread_;
};

struct Outcome {
  int code = 0;
  std::string out, err;
};

class Dcos : public ::testing::Test {
 protected:
  Dcos() {
    char name[] = "/tmp/dcos-cli-test-XXXXXX";
    home_ = ::mkdtemp(name);
    cluster_.answer("HEAD /", "");
    cluster_.answer("HEAD /pkgpanda/active.buildinfo.full.json", "");
    cluster_.answer("GET /metadata", R"({"PUBLIC_IPV4":"127.0.0.1","CLUSTER_ID":"abc-123"})");
    cluster_.answer("GET /mesos/state-summary", R"({"cluster":"dev","hostname":"10.0.0.1"})");
    cluster_.answer(
        "GET /dcos-metadata/dcos-version.json",
        R"({"version":"2.2.0","dcos-variant":"open","dcos-image-commit":"c","bootstrap-id":"b"})");
  }
  ~Dcos() override { EXPECT_TRUE(base::remove_tree(home_)); }

  Outcome run(const std::vector<std::string>& words, const std::string& input = "") {
    Outcome outcome;
    Io io;
    io.out = [&](std::string_view text) { outcome.out += text; };
    io.err = [&](std::string_view text) { outcome.err += text; };
    size_t typed = 0;
    auto next = [&]() -> std::string { return typed < typed_.size() ? typed_[typed++] : ""; };
    io.read_input = [&]() -> base::Result<std::string> {
      return typed_.empty() ? input : next() + "\n";
    };
    io.read_secret = [&]() -> base::Result<std::string> {
      outcome.err += "(hidden)\n";
      return next();
    };
    io.input_is_terminal = terminal_ && input.empty();
    Environment environment = environment_;
    environment["DCOS_DIR"] = home_ + "/.dcos";
    outcome.code = cli::run(words, environment, io);
    return outcome;
  }
  // With DCOS_URL, so that no configuration is needed.
  Outcome ask(const std::vector<std::string>& words, const std::string& input = "") {
    environment_["DCOS_URL"] = cluster_.url();
    return run(words, input);
  }

  std::string secret_file(const std::string& content, int mode = 0600) {
    std::string path = home_ + "/secret";
    EXPECT_TRUE(base::write_file(path, content, mode));
    EXPECT_EQ(::chmod(path.c_str(), static_cast<mode_t>(mode)), 0);
    return path;
  }

  std::string home_;
  std::vector<std::string> typed_;  // lines that a person types, one after the other
  bool terminal_ = true;
  Environment environment_;
  FakeCluster cluster_;
};

using ClusterSetup = Dcos;

TEST_F(ClusterSetup, writes_the_configuration_and_attaches) {
  Outcome done = run({"cluster", "setup", cluster_.url() + "/"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(
      done.err,
      "This cluster does not require authenticated requests. Skipping login.\ndev is attached: " +
          cluster_.url() + "\n");
  std::string directory = home_ + "/.dcos/clusters/abc-123";
  EXPECT_EQ(base::read_file(directory + "/dcos.toml").value(),
            "[cluster]\nname = \"dev\"\n\n[core]\ndcos_url = \"" + cluster_.url() + "\"\n");
  struct stat info {};
  ASSERT_EQ(::stat((directory + "/dcos.toml").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  EXPECT_TRUE(base::exists(directory + "/attached"));
  EXPECT_EQ(cluster_.requests(),
            (std::vector<std::string>{"HEAD /", "HEAD /pkgpanda/active.buildinfo.full.json",
                                      "GET /metadata", "GET /mesos/state-summary"}));
}

std::string provider(const std::string& type, const std::string& method,
                     const std::string& description) {
  return R"({"authentication-type":")" + type + R"(","client-method":")" + method +
         R"(-post-receive-authtoken","config":{"start_flow_url":"/acs/api/v1/auth/login"},)" +
         R"("description":")" + description + "\"}";
}
const std::string kProviders =
    "{\"dcos-services\":" +
    provider("dcos-uid-servicekey", "dcos-servicecredential", "With a key") +
    ",\"dcos-users\":" + provider("dcos-uid-password", "dcos-usercredential", "With a password") +
    "}";

class Login : public Dcos {
 protected:
  Login() {
    cluster_.guard("HEAD /pkgpanda/active.buildinfo.full.json", "t0", "");
    cluster_.guard("GET /metadata", "t0", R"({"PUBLIC_IPV4":"127.0.0.1","CLUSTER_ID":"abc-123"})");
    cluster_.guard("GET /mesos/state-summary", "t0", R"({"cluster":"dev"})");
    cluster_.answer("GET /acs/api/v1/auth/providers", kProviders);
    cluster_.answer("POST /acs/api/v1/auth/login", R"({"token":"t0"})");
  }
  void refuse(int status = 401) {
    cluster_.answer("POST /acs/api/v1/auth/login",
                    R"({"title":"401","description":"wrong password","code":"X"})", status);
  }
  std::string token() { return run({"config", "show", "core.dcos_acs_token"}).out; }
};

TEST_F(Login, sends_what_the_original_sends_in_its_order) {
  Outcome done = run({"cluster", "setup", cluster_.url(), "--username=u", "--password=p"});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.out, "");
  EXPECT_EQ(cluster_.requests(),
            (std::vector<std::string>{"HEAD /", "HEAD /pkgpanda/active.buildinfo.full.json",
                                      "GET /acs/api/v1/auth/providers",
                                      R"(POST /acs/api/v1/auth/login {"uid":"u","password":"p"})",
                                      "GET /metadata", "GET /mesos/state-summary"}));
  EXPECT_EQ(token(), "t0\n");
  EXPECT_NE(run({"config", "show"}).out.find("core.dcos_acs_token ********\n"), std::string::npos);
}

TEST_F(Login, asks_for_name_and_password_and_does_not_show_it) {
  typed_ = {"u", "p"};
  Outcome done = run({"cluster", "setup", cluster_.url()});
  EXPECT_EQ(done.code, 0) << done.err;
  EXPECT_EQ(done.err, "Username: Password: (hidden)\ndev is attached: " + cluster_.url() + "\n");
  EXPECT_EQ(token(), "t0\n");
  typed_ = {"p"};
  Outcome only_password = run({"auth", "login", "--username=u"});
  EXPECT_EQ(only_password.err, "Password: (hidden)\n");
}

TEST_F(Login, is_tried_three_times_at_a_terminal_and_once_elsewhere) {
  refuse();
  typed_ = {"u", "1", "u", "2", "v", "3", "v", "4"};
  Outcome typed = run({"cluster", "setup", cluster_.url()});
  EXPECT_EQ(typed.code, 1);
  std::string once = "Username: Password: (hidden)\n";
  EXPECT_EQ(typed.err, once + "wrong password\n" + once + "wrong password\n" + once +
                           "Error: wrong password\n");
  EXPECT_EQ(cluster_.requests().back(),
            R"(POST /acs/api/v1/auth/login {"uid":"v","password":"3"})");
  typed_.clear();
  size_t before = cluster_.requests().size();
  Outcome given = run({"cluster", "setup", cluster_.url(), "--username=u", "--password=p"});
  EXPECT_EQ(given.err, "Error: wrong password\n");
  EXPECT_EQ(cluster_.requests().size(), before + 4);
  refuse(429);
  typed_ = {"u", "1", "u", "2"};
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).err, once + "Error: wrong password\n");
  EXPECT_FALSE(base::exists(home_ + "/.dcos/clusters/abc-123"));
}

TEST_F(Login, without_a_terminal_says_what_to_give) {
  terminal_ = false;
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).err,
            "Error: this cluster wants a login: give --username and --password-file, or set "
            "DCOS_USERNAME and DCOS_PASSWORD\n");
  environment_["DCOS_USERNAME"] = "u";
  environment_["DCOS_PASSWORD"] = "p";
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).code, 0);
}

TEST_F(Login, reads_secrets_only_from_files_that_are_nobody_elses) {
  std::string path = secret_file("p\n");
  EXPECT_EQ(run({"cluster", "setup", cluster_.url(), "--username=u", "--password-file", path}).code,
            0);
  EXPECT_EQ(run({"auth", "login", "--username=u", "--password-file", secret_file("p", 0644)}).err,
            "Error: permissions 0644 for '" + path + "' are too open, expected 0400 or 0600\n");
  EXPECT_NE(run({"auth", "login", "--username=u", "--password-file", "/none"})
                .err.find("No such file or directory"),
            std::string::npos);
}

TEST_F(Login, of_a_service_account_is_signed_with_its_key) {
  const auto key = base::PrivateKey::make().value();
  std::string path = secret_file(key.pem());
  Outcome done =
      run({"cluster", "setup", cluster_.url(), "--username=robot", "--private-key", path});
  ASSERT_EQ(done.code, 0) << done.err;
  std::string sent = cluster_.requests()[3];
  const std::string start = R"(POST /acs/api/v1/auth/login {"uid":"robot","token":")";
  ASSERT_TRUE(sent.starts_with(start)) << sent;
  std::string proof = sent.substr(start.size(), sent.size() - start.size() - 2), claims, signature;
  size_t first = proof.find('.'), last = proof.rfind('.');
  ASSERT_TRUE(base::base64url_decode(proof.substr(first + 1, last - first - 1), claims));
  EXPECT_TRUE(claims.starts_with(R"({"uid":"robot","exp":)")) << claims;
  ASSERT_TRUE(base::base64url_decode(proof.substr(last + 1), signature));
  EXPECT_TRUE(key.public_key().verify(proof.substr(0, last), signature));
  EXPECT_NE(run({"auth", "login", "--username=robot", "--private-key", secret_file("x")})
                .err.find("is not a PEM text of a private key"),
            std::string::npos);
}

TEST_F(Login, takes_the_provider_that_is_named) {
  auto log_in = [&](const std::string& provider) {
    return run({"cluster", "setup", cluster_.url(), "--provider", provider, "--username=u",
                "--password=p"})
        .err;
  };
  EXPECT_EQ(log_in("dcos-users"), "dev is attached: " + cluster_.url() + "\n");
  EXPECT_EQ(log_in("nope"),
            "Error: the cluster has no login provider \"nope\". See `dcos auth list-providers`\n");
  EXPECT_EQ(log_in("dcos-services"),
            "Error: this login needs --private-key, a file with the service account's key\n");
  cluster_.answer("GET /acs/api/v1/auth/providers", "", 404);
  EXPECT_NE(log_in("dcos-oidc-auth0").find("needs a browser"), std::string::npos);
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).err,
            "Error: couldn't determine a login provider\n");
}

TEST_F(Login, never_sends_a_password_to_another_address) {
  std::string providers = kProviders;
  for (const char* evil :
       {"http://evil.example/login", "//evil.example/login", "https://evil.example"}) {
    std::string changed = providers;
    size_t at = changed.rfind("/acs/api/v1/auth/login");
    changed.replace(at, 22, evil);
    cluster_.answer("GET /acs/api/v1/auth/providers", changed);
    run({"cluster", "setup", cluster_.url(), "--username=u", "--password=p"});
    EXPECT_EQ(cluster_.requests().at(3),
              R"(POST /acs/api/v1/auth/login {"uid":"u","password":"p"})");
  }
}

TEST_F(Login, is_left_out_when_a_token_is_given) {
  environment_["DCOS_CLUSTER_SETUP_ACS_TOKEN"] = "t0";
  EXPECT_EQ(run({"cluster", "setup", cluster_.url()}).code, 0);
  EXPECT_EQ(token(), "t0\n");
  for (const auto& request : cluster_.requests())
    EXPECT_EQ(request.find("auth/"), std::string::npos);
}

TEST_F(Login, is_ended_on_the_cluster_too_and_here_even_without_it) {
  run({"cluster", "setup", cluster_.url(), "--username=u", "--password=p"});
  cluster_.guard("GET /acs/api/v1/auth/logout", "t0", "{}");
  Outcome done = run({"auth", "logout"});
  EXPECT_EQ(done.code, 0);
  EXPECT_EQ(done.out + done.err, "");
  EXPECT_EQ(cluster_.requests().back(), "GET /acs/api/v1/auth/logout");
  EXPECT_EQ(run({"config", "show", "core.dcos_acs_token"}).err,
            "Error: unknown key \"core.dcos_acs_token\"\n");
  cluster_.guard("GET /mesos/state", "t0", "{}");
  EXPECT_EQ(run({"task"}).err, "Error: authentication failed, please run `dcos auth login`\n");
  EXPECT_EQ(run({"auth", "login", "--username=u", "--password=p"}).code, 0);
  run({"config", "set", "core.dcos_url", "http://127.0.0.1:1"});
  run({"config", "set", "core.dcos_acs_token", "t0"});
  EXPECT_EQ(run({"auth", "logout"}).code, 0);
}

TEST_F(Login, shows_the_providers) {
  EXPECT_EQ(run({"auth", "list-providers", cluster_.url()}).out,
            "   PROVIDER ID    LOGIN METHOD    \n"
            "  dcos-services  With a key       \n"
            "  dcos-users     With a password  \n");
  EXPECT_NE(run({"auth", "list-providers", cluster_.url(), "--json"}).out.find("\"dcos-users\": {"),
            std::string::npos);
}

TEST_F(Dcos, says_that_a_cluster_has_no_login) {
  EXPECT_EQ(run({"auth", "list-providers", cluster_.url()}).err,
            "Error: authentication disabled\n");
  run({"cluster", "setup", cluster_.url()});
  Outcome login = run({"auth", "login", "--username=u", "--password=p"});
  EXPECT_EQ(login.err, "Error: authentication disabled\n");
  EXPECT_EQ(login.code, 1);
}

TEST_F(ClusterSetup, says_what_is_wrong) {
  Outcome missing = run({"cluster", "setup"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_EQ(missing.err,
            "Error: missing argument: dcos cluster setup <url>\n"
            "Run `dcos cluster setup --help` for its usage.\n");
  cluster_.answer("HEAD /", "", 500);
  EXPECT_EQ(
      run({"cluster", "setup", cluster_.url()}).err,
      "Error: couldn't detect a canonical cluster URL: " + cluster_.url() + " answers HTTP 500\n");
  Outcome nobody = run({"cluster", "setup", "http://127.0.0.1:1"});
  EXPECT_EQ(nobody.code, 1);
  EXPECT_NE(nobody.err.find("Error: could not connect to http://127.0.0.1:1: "), std::string::npos)
      << nobody.err;
}

TEST_F(Dcos, lists_renames_attaches_and_removes_clusters) {
  run({"cluster", "setup", cluster_.url()});
  Outcome list = run({"cluster", "list"});
  std::string url = cluster_.url();
  std::string blanks((url.size() - 3) / 2, ' ');
  std::string after(url.size() - 3 - blanks.size(), ' ');
  EXPECT_EQ(list.out, "     NAME    ID      STATUS    VERSION  " + blanks + "URL" + after + "  \n" +
                          "  *  dev   abc-123  AVAILABLE  2.2.0    " + url + "  \n");
  EXPECT_EQ(run({"cluster", "rename", "dev", "prod"}).code, 0);
  EXPECT_EQ(run({"cluster", "list", "--names"}).out, "prod\n");
  EXPECT_EQ(run({"cluster", "attach", "nope"}).err,
            "Error: no match found: \"nope\". Please run `dcos cluster list`\n");
  EXPECT_EQ(run({"cluster", "attach", "abc"}).code, 0);
  Outcome json = run({"cluster", "list", "--json"});
  EXPECT_NE(
      json.out.find("    {\n        \"attached\": true,\n        \"cluster_id\": \"abc-123\",\n"),
      std::string::npos)
      << json.out;
  EXPECT_EQ(run({"cluster", "remove", "x", "--all"}).err,
            "Error: cannot accept both a cluster name and the --all / --unavailable option\n");
  EXPECT_EQ(
      run({"cluster", "remove"}).err,
      "Error: either a cluster name or one of the --all / --unavailable option must be passed\n");
  EXPECT_EQ(run({"cluster", "remove", "prod"}).code, 0);
  EXPECT_EQ(run({"node"}).err,
            "Error: no cluster is attached. Please run `dcos cluster setup <url>`\n");
}

TEST_F(Dcos, keeps_settings_by_type) {
  run({"cluster", "setup", cluster_.url()});
  EXPECT_EQ(run({"config", "set", "core.timeout", "abc"}).err,
            "Error: unable to cast \"abc\" of type string to int64\n");
  EXPECT_EQ(run({"config", "set", "core.timeout", "5"}).code, 0);
  EXPECT_EQ(run({"config", "set", "nonsense", "5"}).code, 1);
  EXPECT_EQ(run({"config", "set", "core.dcos_acs_token", "tok"}).code, 0);
  EXPECT_EQ(run({"config", "set", "core.dcos_url", cluster_.url()}).code,
            0);  // a token belongs to one address
  EXPECT_EQ(run({"config", "show"}).out,
            "cluster.name dev\ncore.dcos_url " + cluster_.url() + "\ncore.timeout 5\n");
  EXPECT_EQ(run({"config", "unset", "core.timeout"}).code, 0);
  EXPECT_EQ(run({"config", "unset", "core.timeout"}).code, 1);
}

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

using Job = Dcos;

constexpr const char* kJobs = "/service/chronos/v1/scheduler";

TEST(Cron, becomes_an_interval_where_that_says_the_same) {
  const base::Time now = base::parse_iso8601("2024-01-10T12:00:30Z").value();
  const struct { const char* cron; const char* zone; const char* want; } kTable[] = {
      {"* * * * *", "UTC", "R/2024-01-10T12:01:00/PT1M"},
      {"*/15 * * * *", "UTC", "R/2024-01-10T12:15:00/PT15M"},
      {"5-59/20 * * * *", "UTC", "R/2024-01-10T12:05:00/PT20M"},
      {"0 * * * *", "Europe/Berlin", "R/2024-01-10T14:00:00/PT1H"},
      {"0 20 * * *", "UTC", "R/2024-01-10T20:00:00/P1D"},
      {"0 12 * * *", "UTC", "R/2024-01-11T12:00:00/P1D"},
      {"30 2 * * *", "America/Los_Angeles", "R/2024-01-11T02:30:00/P1D"},
      {"0 9 * * 1", "UTC", "R/2024-01-15T09:00:00/P1W"},
      {"0 9 * * sun", "UTC", "R/2024-01-14T09:00:00/P1W"},
      {"0 9 * * 7", "UTC", "R/2024-01-14T09:00:00/P1W"},
      {"0 9 1 * *", "UTC", "R/2024-02-01T09:00:00/P1M"},
      {"0 9 4 jul *", "UTC", "R/2024-07-04T09:00:00/P1Y"},
      {"0 */6 * * *", "UTC", "R/2024-01-10T18:00:00/PT6H"},
  };
  for (const auto& row : kTable) EXPECT_EQ(interval_of_cron(row.cron, row.zone, now).value_or("-"), row.want) << row.cron;
  const struct { const char* cron; const char* zone; const char* why; } kNot[] = {
      {"0 9 * * 1-5", "UTC", "days are not evenly apart"}, {"0 9 31 * *", "UTC", "leaves out months"},
      {"0 9 29 2 *", "UTC", "February 29"},                {"0 9 31 4 *", "UTC", "no such day"},
      {"0 9,17 * * *", "UTC", "not evenly apart"},         {"*/7 * * * *", "UTC", "not evenly apart"},
      {"0 */6 * * *", "Europe/Berlin", "use the timezone UTC"}, {"0 9 * *", "UTC", "five fields"},
      {"@daily", "UTC", "five fields"},                    {"61 * * * *", "UTC", "no minute"},
      {"0 9 1-7 * 1", "UTC", "days are not evenly apart"}, {"0 9 * * *", "Mars/Olympus", "not an id"}};
  for (const auto& row : kNot) {
    const auto interval = interval_of_cron(row.cron, row.zone, now);
    ASSERT_FALSE(interval) << row.cron << " " << *interval;
    EXPECT_NE(interval.error().message.find(row.why), std::string::npos) << interval.error().message;
  }
}

TEST_F(Job, add_translates_and_asks_whether_it_exists) {
  cluster_.answer(std::string("GET ") + kJobs + "/job/a.b", R"({"status":"Bad Request","message":"Job 'a.b' not found"})", 400);
  cluster_.answer(std::string("POST ") + kJobs + "/iso8601", "", 204);
  Outcome added = ask({"job", "add"}, R"({"id":"a.b","description":"d","run":{"cpus":0.1,"mem":32,"disk":0,"cmd":"date",
    "env":{"A":"b"},"user":"nobody","artifacts":[{"uri":"http://h/f","executable":true}],
    "placement":{"constraints":[{"attribute":"@hostname","operator":"IS","value":"h"}]},"restart":{"policy":"NEVER"}}})");
  EXPECT_EQ(added.code, 0) << added.err;
  EXPECT_EQ(added.out, "");
  ASSERT_EQ(cluster_.requests().size(), 2u);
  EXPECT_EQ(cluster_.requests()[1],
            std::string("POST ") + kJobs + R"(/iso8601 {"name":"a.b","description":"d","cpus":0.1,"mem":32,"disk":0,)"
            R"("runAsUser":"nobody","fetch":[{"uri":"http://h/f","executable":true,"cache":false,"extract":true}],)"
            R"("environmentVariables":[{"name":"A","value":"b"}],"constraints":[["hostname","EQUALS","h"]],"command":"date",)"
            R"("retries":0,"schedule":"R0/2000-01-01T00:00:00Z/PT24H"})");
  cluster_.answer(std::string("GET ") + kJobs + "/job/a.b", R"({"name":"a.b"})");
  Outcome again = ask({"job", "add"}, R"({"id":"a.b","run":{"cmd":"date"}})");
  EXPECT_EQ(again.code, 1);
  EXPECT_EQ(again.err, "Error: Job 'a.b' already exists\n");
}

TEST_F(Job, add_takes_the_schedulers_own_form_and_dependencies) {
  for (const char* name : {"n", "m"}) {
    cluster_.answer(std::string("GET ") + kJobs + "/job/" + name, R"({"message":"not found"})", 400);
  }
  cluster_.answer(std::string("POST ") + kJobs + "/iso8601", "", 204);
  cluster_.answer(std::string("POST ") + kJobs + "/dependency", "", 204);
  EXPECT_EQ(ask({"job", "add"}, R"({"name":"n","command":"x","schedule":"R/2030-01-01T00:00:00Z/P1D"})").code, 0);
  EXPECT_EQ(cluster_.requests().back(),
            std::string("POST ") + kJobs + R"(/iso8601 {"name":"n","command":"x","schedule":"R/2030-01-01T00:00:00Z/P1D"})");
  EXPECT_EQ(ask({"job", "add"}, R"({"id":"m","run":{"cmd":"x"},"dependencies":[{"id":"n"}]})").code, 0);
  EXPECT_NE(cluster_.requests().back().find(R"(/dependency {"name":"m","command":"x","retries":0,"parents":["n"]})"),
            std::string::npos) << cluster_.requests().back();
}

TEST_F(Job, add_names_what_cannot_be_translated) {
  const struct { const char* body; const char* why; } kTable[] = {
      {R"({"run":{"cmd":"x"}})", "id: is required"},
      {R"({"id":"a"})", "run: is required"},
      {R"({"id":"a","run":{}})", "cmd, docker or ucr must be given"},
      {R"({"id":"a","labels":{"x":"y"},"run":{"cmd":"x"}})", "labels: not supported by this scheduler"},
      {R"({"id":"a","run":{"cmd":"x","gpus":1}})", "run.gpus: not supported"},
      {R"({"id":"a","run":{"cmd":"x","secrets":{"s":{"source":"x"}}}})", "run.secrets: not supported"},
      {R"({"id":"a","run":{"cmd":"x","env":{"S":{"secret":"s"}}}})", "run.env.S: must be a string"},
      {R"({"id":"a","run":{"cmd":"x","restart":{"policy":"ON_FAILURE","activeDeadlineSeconds":5}}})",
       "run.restart.activeDeadlineSeconds: not supported"},
      {R"({"id":"a","run":{"cmd":"x","placement":{"constraints":[{"attribute":"a","operator":"MAX_PER"}]}}})",
       "run.placement.constraints[0].operator: use IS"},
      {R"({"id":"a","run":{"cmd":"x"},"schedules":[{"id":"s","cron":"0 9 * * 1-5"}]})", "schedules[0].cron: cron '0 9 * * 1-5'"},
      {R"({"id":"a","run":{"cmd":"x"},"schedules":[{"id":"s","cron":"* * * * *","concurrencyPolicy":"REPLACE"}]})",
       "schedules[0].concurrencyPolicy: use ALLOW or FORBID"},
      {R"({"id":"a","run":{"cmd":"x"},"schedules":[{},{}]})", "only one schedule"},
      {"[]", "a job is a JSON object"}};
  for (const auto& row : kTable) {
    Outcome refused = ask({"job", "add"}, row.body);
    EXPECT_EQ(refused.code, 1) << row.body;
    EXPECT_NE(refused.err.find(row.why), std::string::npos) << row.body << ": " << refused.err;
  }
  EXPECT_TRUE(cluster_.requests().empty());
}

TEST_F(Job, prints_tables_as_the_original) {
  cluster_.answer(std::string("GET ") + kJobs + "/jobs/summary",
                  R"({"jobs":[{"name":"a","status":"success","state":"idle",
                  "schedule":"R/2030-01-01T00:00:00.000Z/P1D","parents":[],"disabled":false},
                  {"name":"bb","status":"failure","state":"2 running","schedule":"","parents":["a"],"disabled":false},
                  {"name":"c","status":"fresh","state":"queued",
                  "schedule":"R0/2000-01-01T00:00:00.000Z/PT24H","parents":[],"disabled":false}]})");
  EXPECT_EQ(ask({"job", "list"}).out,
            "  ID    STATUS     LAST RUN  \n"
            "  a   Scheduled    Success   \n"
            "  bb  Running      Failure   \n"
            "  c   Unscheduled  N/A       \n");
  EXPECT_EQ(ask({"job", "list", "--quiet"}).out, "a\nbb\nc\n");
  EXPECT_EQ(ask({"job", "queue"}).out, "  JOB ID  RUN ID  \n  c       -       \n");
  cluster_.answer(std::string("GET ") + kJobs + "/job/stat/a",
                  R"({"taskStatHistory":[{"taskId":"ct:3:0:a:","jobName":"a",
                  "startTime":"01/10/24 12:10:00","endTime":"N/A","status":"Running"},
                  {"taskId":"ct:2:0:a:","jobName":"a","startTime":"01/10/24 12:00:00","endTime":"01/10/24 12:01:03","status":"Fail"},
                  {"taskId":"ct:1:0:a:","jobName":"a",
                  "startTime":"01/10/24 11:00:00","endTime":"01/10/24 11:01:03","status":"Success"}]})");
  EXPECT_EQ(ask({"job", "history", "a"}).out,
            "   RUN ID          STARTED               FINISHED        \n"
            "  ct:1:0:a:  2024-01-10T11:00:00Z  2024-01-10T11:01:03Z  \n");
  EXPECT_EQ(ask({"job", "history", "a", "--failures", "--quiet"}).out, "ct:2:0:a:\n");
  EXPECT_EQ(ask({"job", "show", "runs", "a"}).out,
            "   TASK ID   JOB ID       STARTED AT       \n"
            "  ct:3:0:a:  a       2024-01-10T12:10:00Z  \n");
  cluster_.answer(std::string("GET ") + kJobs + "/job/a",
                  R"({"name":"a","command":"x","concurrent":false,"disabled":false,)"
                  R"("schedule":"R/2030-01-01T00:00:00.000Z/P1D","scheduleTimeZone":""})");
  EXPECT_EQ(ask({"job", "schedule", "show", "a"}).out,
            "    ID                  CRON               ENABLED          NEXT RUN          CONCURRENCY POLICY  \n"
            "  default  R/2030-01-01T00:00:00.000Z/P1D  true     2030-01-01T00:00:00.000Z  FORBID              \n");
}

TEST_F(Job, remove_minds_runs_and_says_what_the_scheduler_says) {
  cluster_.answer(std::string("GET ") + kJobs + "/job/stat/a", R"({"taskStatHistory":[{"taskId":"ct:3:0:a:","status":"Running"}]})");
  cluster_.answer(std::string("DELETE ") + kJobs + "/job/a", "", 204);
  EXPECT_EQ(ask({"job", "remove", "a"}).err, "Error: job \"a\" is running\n");
  EXPECT_EQ(ask({"job", "remove", "a", "--stop-current-job-runs"}).code, 0);
  cluster_.answer(std::string("GET ") + kJobs + "/job/stat/x", R"({"status":"Bad Request","message":"Job 'x' not found"})", 400);
  EXPECT_EQ(ask({"job", "remove", "x"}).err, "Error: Job 'x' not found\n");
  EXPECT_NE(ask({"job", "kill", "a"}).err.find("--all"), std::string::npos);
}

TEST_F(Job, update_keeps_the_schedule_and_schedules_are_things_of_their_own) {
  cluster_.answer(std::string("GET ") + kJobs + "/job/a",
                  R"({"name":"a","command":"x","successCount":3,"concurrent":true,"disabled":false,"epsilon":"PT900S",)"
                  R"("schedule":"R/2030-01-01T00:00:00.000Z/P1D","scheduleTimeZone":"UTC"})");
  cluster_.answer(std::string("POST ") + kJobs + "/iso8601", "", 204);
  EXPECT_EQ(ask({"job", "update"}, R"({"id":"a","run":{"cmd":"y"}})").code, 0);
  EXPECT_EQ(cluster_.requests().back(),
            std::string("POST ") + kJobs + R"(/iso8601 {"name":"a","command":"y","retries":0,)"
            R"("schedule":"R/2030-01-01T00:00:00.000Z/P1D","scheduleTimeZone":"UTC",)"
                  R"("epsilon":"PT900S","concurrent":true,"disabled":false})");
  EXPECT_NE(ask({"job", "schedule", "add", "a"}, R"({"id":"s","cron":"0 9 * * *"})").err.find("only one is supported"), std::string::npos);
  EXPECT_EQ(ask({"job", "schedule", "update", "a"}, R"({"id":"s","cron":"0 9 * * *","timezone":"Europe/Berlin"})").code, 0);
  const std::string posted = cluster_.requests().back();
  EXPECT_NE(posted.find("T09:00:00/P1D\""), std::string::npos) << posted;
  EXPECT_NE(posted.find(R"("scheduleTimeZone":"Europe/Berlin")"), std::string::npos) << posted;
  EXPECT_EQ(posted.find("successCount"), std::string::npos) << "counters stay as they are";
  EXPECT_EQ(ask({"job", "schedule", "remove", "a", "default"}).code, 0);
  EXPECT_NE(cluster_.requests().back().find(R"("schedule":"R0/2030-01-01T00:00:00.000Z/P1D")"), std::string::npos);
}

class JobOfMetronome : public Dcos {
 protected:
  JobOfMetronome() { environment_["DCOS_JOB_URL"] = "/service/metronome/"; }
  /// What the cluster was asked last, without what is before /v1.
  std::string last() {
    const std::string text = cluster_.requests().back();
    const size_t service = text.find("/service/metronome");
    return service == std::string::npos ? text : text.substr(0, service) + text.substr(service + 18);
  }
};

TEST_F(JobOfMetronome, definitions_go_as_they_are_and_schedules_by_a_call_of_their_own) {
  cluster_.answer("POST /service/metronome/v1/jobs", "{}", 201);
  cluster_.answer("POST /service/metronome/v1/jobs/a.b/schedules", "{}", 201);
  const std::string run = R"("labels":{"x":"y"},"run":{"cmd":"date","cpus":1,"mem":32,"disk":0})";
  EXPECT_EQ(ask({"job", "add"}, R"({"id":"a.b",)" + run + R"(,"schedules":[{"id":"s1","cron":"* * * * *"}]})").code, 0);
  ASSERT_EQ(cluster_.requests().size(), 2u);
  EXPECT_EQ(cluster_.requests()[0], "POST /service/metronome/v1/jobs {\"id\":\"a.b\"," + run + "}");
  EXPECT_EQ(last(), R"(POST /v1/jobs/a.b/schedules {"id":"s1","cron":"* * * * *"})");
  cluster_.answer("PUT /service/metronome/v1/jobs/a.b", "{}");
  EXPECT_EQ(ask({"job", "update"}, R"({"id":"a.b",)" + run + R"(,"schedules":[]})").code, 0);
  EXPECT_EQ(last(), "PUT /v1/jobs/a.b {\"id\":\"a.b\"," + run + "}");
  EXPECT_EQ(ask({"job", "add"}, "{}").err, "Error: jobs JSON requires an ID\n");
  cluster_.answer("POST /service/metronome/v1/jobs",
                  R"({"message":"Object is not valid","details":[{"path":"/run/cpus","errors":["too small"]}]})", 422);
  EXPECT_EQ(ask({"job", "add"}, R"({"id":"c"})").err, "Error: Object is not valid\n  /run/cpus: too small\n");
}

TEST_F(JobOfMetronome, tables_and_ids) {
  cluster_.answer("GET /service/metronome/v1/jobs?embed=activeRuns&embed=schedules&embed=historySummary",
                  R"([{"id":"a","schedules":[],"activeRuns":[{"id":"r"}],"historySummary":{"lastSuccessAt":"2024-01-02T00:00:00.000+0000",)"
                  R"("lastFailureAt":"2024-01-01T00:00:00.000+0000"}},)"
                  R"({"id":"b","schedules":[{"id":"s"}],"historySummary":{"lastSuccessAt":null,"lastFailureAt":null}}])");
  EXPECT_EQ(ask({"job", "list", "-q"}).out, "a\nb\n");
  const std::string table = ask({"job", "list"}).out;
  EXPECT_NE(table.find("Running"), std::string::npos) << table;
  EXPECT_NE(table.find("Success"), std::string::npos) << table;
  EXPECT_NE(table.find("Scheduled"), std::string::npos) << table;
  cluster_.answer("POST /service/metronome/v1/jobs/a/runs", R"({"id":"r1","jobId":"a"})", 201);
  EXPECT_EQ(ask({"job", "run", "a"}).out, "Run ID: r1\n");
  cluster_.answer("GET /service/metronome/v1/jobs/a/runs", R"([{"id":"r1"},{"id":"r2"}])");
  for (const char* run : {"r1", "r2"}) {
    cluster_.answer(std::string("POST /service/metronome/v1/jobs/a/runs/") + run + "/actions/stop", "{}");
  }
  EXPECT_EQ(ask({"job", "kill", "a"}).err, "Error: run-id must be specified or --all option must be set\n");
  EXPECT_EQ(ask({"job", "kill", "a", "--all"}).code, 0);
  EXPECT_EQ(last(), "POST /v1/jobs/a/runs/r2/actions/stop");
}

TEST_F(JobOfMetronome, refusals_in_words) {
  cluster_.answer("DELETE /service/metronome/v1/jobs/a", "{}", 409);
  EXPECT_EQ(ask({"job", "remove", "a"}).err, "Error: job \"a\" is running\n");
  cluster_.answer("DELETE /service/metronome/v1/jobs/a?stopCurrentJobRuns=true", "{}");
  EXPECT_EQ(ask({"job", "remove", "a", "--stop-current-job-runs"}).code, 0);
  cluster_.answer("GET /service/metronome/v1/jobs/x", R"({"id":"x","message":"Job not found"})", 404);
  EXPECT_EQ(ask({"job", "show", "x"}).err, "Error: job \"x\" does not exist\n");
}

}  // namespace
}  // namespace cli
