#pragma once

// A cluster with a script, and the command line in front of it: what is asked, what is printed, and the exit code.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "cli/command.hpp"
#include "cli/run.hpp"

namespace cli {

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

}  // namespace cli
