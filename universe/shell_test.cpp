// The daemon's shell and its fetcher over real sockets: a scripted Marathon, repositories that misbehave.

#include "universe/shell.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/http/gzip.hpp"
#include "base/http/server.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "base/testing/temporary_directory.hpp"
#include "universe/fetcher.hpp"
#include "universe/media_types.hpp"

namespace universe {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;
using Kind = FetchOutcome::Kind;

constexpr const char* kTool =
    R"({"packagingVersion":"4.0","name":"tool","version":"1","releaseVersion":0,"description":"d","tags":[],)"
    R"("marathon":{"v2AppMustacheTemplate":"eyJpZCI6InRvb2wifQ=="}})";

std::string index_of(const std::string& packages) { return R"({"packages":[)" + packages + "]}"; }

/// Answers as the test says, and remembers what it was asked.
class FakeServer {
 public:
  explicit FakeServer(base::Loop& loop)
      : server_(loop, {}, [this](Request request, Responder responder) {
          requests.push_back(request);
          answer(requests.back(), responder);
        }) {
    port = server_.listen("127.0.0.1", 0).value();
  }
  std::string url(const std::string& path) const { return fmt::format("http://127.0.0.1:{}{}", port, path); }

  std::function<void(const Request&, const Responder&)> answer = [](const Request&, const Responder& responder) {
    responder.reply(Response::json(200, index_of(kTool)));
  };
  uint16_t port = 0;
  std::vector<Request> requests;

 private:
  base::http::Server server_;
};

class Daemon : public ::testing::Test {
 protected:
  Daemon() : marathon(loop), repository(loop), client(loop) {
    store = std::move(base::open_store(loop, "memory:")).value();
  }

  /// Runs the loop until `done` or a generous limit.
  void run_until(const std::function<bool()>& done) {
    for (int i = 0; i < 4000 && !done(); ++i) {
      loop.after(base::milliseconds(5), [this] { loop.stop(); });
      loop.run();
    }
    ASSERT_TRUE(done());
  }

  void start() {
    flags.port = 0;
    flags.marathon = fmt::format("127.0.0.1:{}", marathon.port);
    flags.master = flags.marathon;
    flags.data_dir = directory.path();
    flags.bundled = directory.path() + "/none";
    shell.reset();
    shell = std::make_unique<Shell>(loop, *store, flags);
    port = shell->start().value();
  }

  Response request(const std::string& method, const std::string& target, const std::string& body = "") {
    base::http::ClientRequest r;
    r.method = method;
    r.url.host = "127.0.0.1";
    r.url.port = port;
    r.url.target = target;
    r.body = body;
    r.headers.set("Accept", "application/json");
    r.headers.set("Content-Type", "application/json");
    r.headers.set("Authorization", "token=abc");
    std::optional<Response> answer;
    client.request(std::move(r), [&](base::Result<Response> response) {
      answer = response ? *response : Response::text(0, response.error().message);
    });
    run_until([&] { return answer.has_value(); });
    return *answer;
  }

  FetcherOptions fetcher_options() {
    return {.kept_dir = directory.path() + "/kept", .bundled_dir = directory.path() + "/bundled", .timeout = base::seconds(20)};
  }

  FetchOutcome fetch(Fetcher& fetcher, const std::string& uri, const std::string& etag = "") {
    std::optional<FetchOutcome> outcome;
    fetcher.fetch({1, uri, etag, false}, [&](FetchOutcome result) { outcome = std::move(result); });
    run_until([&] { return outcome.has_value(); });
    return *outcome;
  }

  base::testing::TemporaryDirectory directory;
  base::Loop loop;
  FakeServer marathon, repository;
  base::http::Client client;
  std::unique_ptr<base::Store> store;
  Flags flags;
  std::unique_ptr<Shell> shell;
  uint16_t port = 0;
};

using FetcherTest = Daemon;

TEST_F(FetcherTest, asks_for_news_only) {
  Fetcher fetcher(loop, fetcher_options());
  repository.answer = [](const Request& request, const Responder& responder) {
    Response response = Response::json(200, index_of(kTool));
    response.headers.set("Content-Type", std::string(kRepositoryType));
    response.headers.set("ETag", "\"v1\"");
    if (request.headers.get_or("If-None-Match", "") == "\"v1\"") {
      response = {};
      response.status = 304;
    }
    responder.reply(std::move(response));
  };
  const FetchOutcome first = fetch(fetcher, repository.url("/repo"));
  ASSERT_EQ(first.kind, Kind::Fresh) << first.cause;
  EXPECT_EQ(first.etag, "\"v1\"");
  EXPECT_EQ(first.index->packages[0]->name, "tool");
  EXPECT_EQ(fetch(fetcher, repository.url("/repo"), first.etag).kind, Kind::Unchanged);
  EXPECT_EQ(repository.requests[0].headers.get_or("Accept", ""), repository_accept());
  // What is kept outlives the source.
  const FetchOutcome kept = fetcher.load_kept(repository.url("/repo"));
  ASSERT_EQ(kept.kind, Kind::Fresh);
  EXPECT_EQ(kept.etag, "\"v1\"");
  EXPECT_FALSE(fetcher.load_kept(repository.url("/other")).good());
  fetcher.forget(repository.url("/repo"));
  EXPECT_FALSE(fetcher.load_kept(repository.url("/repo")).good());
}

TEST_F(FetcherTest, reads_compressed_indexes_and_follows_redirects) {
  Fetcher fetcher(loop, fetcher_options());
  repository.answer = [this](const Request& request, const Responder& responder) {
    Response response;
    if (request.path == "/moved") {
      response.status = 302;
      response.headers.set("Location", "/repo");
    } else if (request.path == "/other-scheme") {
      response.status = 302;
      response.headers.set("Location", "https://127.0.0.1/repo");
    } else if (request.path == "/loop") {
      response.status = 302;
      response.headers.set("Location", repository.url("/loop"));
    } else {
      response = Response::json(200, base::http::gzip(index_of(kTool)));
      response.headers.set("Content-Encoding", "gzip");
    }
    responder.reply(std::move(response));
  };
  EXPECT_EQ(fetch(fetcher, repository.url("/moved")).kind, Kind::Fresh);
  EXPECT_EQ(fetch(fetcher, repository.url("/other-scheme")).kind, Kind::Unreachable);
  EXPECT_EQ(fetch(fetcher, repository.url("/loop")).kind, Kind::Unreachable);
}

TEST_F(FetcherTest, tells_how_a_source_misbehaves) {
  FetcherOptions options = fetcher_options();
  options.limits.max_bytes = 10'000;
  options.timeout = base::milliseconds(300);
  Fetcher fetcher(loop, options);
  std::vector<Responder> held;
  repository.answer = [&held](const Request& request, const Responder& responder) {
    if (request.path == "/slow") return held.push_back(responder);
    if (request.path == "/huge") return responder.reply(Response::json(200, index_of(std::string(50'000, ' '))));
    if (request.path == "/bomb") {
      Response response = Response::json(200, base::http::gzip(index_of(std::string(5'000'000, ' '))));
      response.headers.set("Content-Encoding", "gzip");
      return responder.reply(std::move(response));
    }
    if (request.path == "/html") {
      Response response = Response::text(200, "<html>");
      response.headers.set("Content-Type", "text/html");
      return responder.reply(std::move(response));
    }
    if (request.path == "/gone") return responder.reply(Response::text(404, "gone"));
    responder.reply(Response::json(200, R"({"packages":)"));
  };
  EXPECT_EQ(fetch(fetcher, repository.url("/slow")).kind, Kind::Unreachable);
  EXPECT_EQ(fetch(fetcher, repository.url("/huge")).kind, Kind::Malformed);
  EXPECT_EQ(fetch(fetcher, repository.url("/bomb")).kind, Kind::Malformed);
  EXPECT_EQ(fetch(fetcher, repository.url("/html")).cause, "text/html");
  EXPECT_EQ(fetch(fetcher, repository.url("/gone")).status, 404);
  EXPECT_EQ(fetch(fetcher, repository.url("/cut")).kind, Kind::Malformed);
  EXPECT_EQ(fetch(fetcher, "http://127.0.0.1:1/").kind, Kind::Unreachable);
  EXPECT_FALSE(base::exists(options.kept_dir));
  held.clear();
}

TEST_F(FetcherTest, reads_files_and_directories) {
  Fetcher fetcher(loop, fetcher_options());
  const std::string file = directory.path() + "/repo.json", tree = directory.path() + "/tree";
  ASSERT_TRUE(base::write_file(file, index_of(kTool)));
  const FetchOutcome from_file = fetch(fetcher, "file://" + file);
  ASSERT_EQ(from_file.kind, Kind::Fresh) << from_file.cause;
  EXPECT_EQ(fetch(fetcher, "file://" + file, from_file.etag).kind, Kind::Unchanged);
  EXPECT_EQ(fetch(fetcher, "file:///nowhere").kind, Kind::Unreachable);
  EXPECT_EQ(fetch(fetcher, "file:///dev/null").kind, Kind::Malformed);
  EXPECT_EQ(fetch(fetcher, "file://" + directory.path()).kind, Kind::Malformed);

  const std::string folder = tree + "/repo/packages/T/tool/3";
  ASSERT_TRUE(base::make_directories(folder));
  ASSERT_TRUE(base::make_directories(tree + "/repo/packages/T/tool/not-a-number"));
  ASSERT_TRUE(base::write_file(folder + "/package.json",
                               R"({"packagingVersion":"4.0","name":"tool","version":"1","description":"d","tags":[]})"));
  const FetchOutcome from_tree = fetch(fetcher, "file://" + tree);
  ASSERT_EQ(from_tree.kind, Kind::Fresh) << from_tree.cause;
  ASSERT_EQ(from_tree.index->packages.size(), 1u);
  EXPECT_EQ(from_tree.index->packages[0]->release, 3);
  EXPECT_EQ(fetch(fetcher, "file://" + tree, from_tree.etag).kind, Kind::Unchanged);
  ASSERT_TRUE(base::write_file(folder + "/marathon.json.mustache", "{}"));
  EXPECT_EQ(fetch(fetcher, "file://" + tree, from_tree.etag).kind, Kind::Fresh);
  // Both are remembered when they are gone.
  ASSERT_TRUE(base::remove_tree(tree));
  EXPECT_EQ(fetch(fetcher, "file://" + tree).kind, Kind::Unreachable);
  const FetchOutcome kept = fetcher.load_kept("file://" + tree);
  ASSERT_EQ(kept.kind, Kind::Fresh);
  EXPECT_EQ(kept.index->packages[0]->release, 3);
  EXPECT_TRUE(kept.index->packages[0]->has_app);
  EXPECT_EQ(fetcher.load_kept("file://" + file).kind, Kind::Fresh);
}

TEST_F(Daemon, installs_through_marathon_and_lists_it) {
  start();
  ASSERT_EQ(request("POST", "/package/repository/add", fmt::format(R"({{"name":"r","uri":"{}"}})", repository.url("/"))).status,
            200);
  marathon.answer = [](const Request& request, const Responder& responder) {
    if (request.method == "POST") return responder.reply(Response::json(201, R"({"id":"/tool"})"));
    responder.reply(Response::json(200, R"({"apps":[]})"));
  };
  const Response done = request("POST", "/package/install", R"({"packageName":"tool"})");
  EXPECT_EQ(done.status, 200) << done.body;
  EXPECT_EQ(done.headers.get_or("Content-Type", ""), media_type("package", "install-response", 2));
  ASSERT_EQ(marathon.requests.size(), 1u);
  EXPECT_EQ(marathon.requests[0].target, "/v2/apps");
  EXPECT_EQ(marathon.requests[0].headers.get_or("Authorization", ""), "token=abc");
  const auto app = base::json::parse(marathon.requests[0].body).value();
  EXPECT_EQ(base::json::get_string(app, "/labels/DCOS_PACKAGE_NAME").value(), "tool");
  EXPECT_EQ(request("POST", "/package/list", "{}").body, R"({"packages":[]})");
}

TEST_F(Daemon, finds_its_repositories_again_when_they_are_gone) {
  start();
  const std::string add = fmt::format(R"({{"name":"r","uri":"{}"}})", repository.url("/"));
  ASSERT_EQ(request("POST", "/package/repository/add", add).status, 200);
  repository.answer = [](const Request&, const Responder& responder) { responder.reply(Response::text(503, "")); };
  start();
  EXPECT_EQ(request("POST", "/package/describe", R"({"packageName":"tool"})").status, 200);
  run_until([&] { return request("GET", "/package/repository/status").body.find("stale") != std::string::npos; });
  EXPECT_EQ(request("POST", "/package/describe", R"({"packageName":"tool"})").status, 200);
  const std::string metrics = request("GET", "/metrics").body;
  EXPECT_NE(metrics.find("universe_package_versions 1.0\n"), std::string::npos) << metrics;
  EXPECT_EQ(request("GET", "/health").body, R"({"healthy":true})");
  EXPECT_EQ(request("DELETE", "/health").status, 404);
}

TEST_F(Daemon, relays_what_a_package_names) {
  const std::string content(3'000'000, 'x');
  marathon.answer = [&](const Request&, const Responder& responder) {
    Response response = Response::text(200, content);
    response.headers.set("Content-Type", "application/zip");
    responder.reply(std::move(response));
  };
  repository.answer = [&](const Request&, const Responder& responder) {
    std::string tool = kTool;
    tool.pop_back();
    responder.reply(Response::json(200, index_of(tool + R"(,"resource":{"assets":{"uris":{"a":")" + marathon.url("/d/a%20b.zip?x") +
                                                 R"(","gone":"http://127.0.0.1:1/x"}}}})")));
  };
  start();
  ASSERT_EQ(request("POST", "/package/repository/add", fmt::format(R"({{"name":"r","uri":"{}"}})", repository.url("/"))).status,
            200);
  const Response got = request("GET", "/package/resource?url=" + base::percent_encode(marathon.url("/d/a%20b.zip?x")));
  EXPECT_EQ(got.status, 200);
  EXPECT_EQ(got.body, content);
  EXPECT_EQ(got.headers.get_or("Content-Type", ""), "application/zip");
  EXPECT_EQ(got.headers.get_or("Content-Disposition", ""), "attachment; filename=\"ab.zip\"");
  EXPECT_EQ(request("GET", "/package/resource?url=" + base::percent_encode("http://127.0.0.1:1/x")).status, 502);
  EXPECT_EQ(request("GET", "/package/resource?url=" + base::percent_encode(marathon.url("/other"))).status, 403);
}

TEST(Flags, are_checked) {
  const auto error_of = [](std::vector<const char*> words) {
    words.insert(words.begin(), "dcos-universe");
    std::string help;
    bool wants_help = false;
    const auto flags = Flags::parse(static_cast<int>(words.size()), words.data(), {}, help, wants_help);
    return flags ? std::string() : flags.error().message;
  };
  EXPECT_EQ(error_of({}), "");
  EXPECT_EQ(error_of({"--marathon=host"}), "--marathon=host: write host:port");
  EXPECT_EQ(error_of({"--master=http://x:1"}), "--master=http://x:1: write host:port");
  EXPECT_EQ(error_of({"--refresh_interval=1ms"}), "--refresh_interval must be at least 1secs");
  EXPECT_NE(error_of({"--bogus"}), "");
}

}  // namespace
}  // namespace universe
