// The package service over a repository of the size that the original's public one had: 185 packages in 1,200 versions.

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/json/value.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "base/strings.hpp"
#include "base/testing/bench.hpp"
#include "base/testing/temporary_directory.hpp"
#include "universe/render.hpp"
#include "universe/resolve.hpp"
#include "universe/shell.hpp"

namespace {

namespace json = boost::json;

/// Words, so that texts look like texts.
std::string words(base::Random& random, size_t count) {
  static const std::vector<std::string> kWords = {"service", "data",   "cluster", "the",     "fast", "store",  "of",
                                                  "node",    "memory", "number",  "enables", "task", "secure", "for"};
  std::string text;
  for (size_t i = 0; i < count; ++i) text += (i == 0 ? "" : " ") + random.choose(kWords);
  return text;
}

/// A package of the median size there: a template of 6 KB and a schema of 60 options.
json::value make_package(base::Random& random, size_t package, size_t release) {
  json::object options;
  std::string text = R"({"id":"{{service.name}}","cpus":{{service.cpus}},"mem":{{service.mem}},"env":{)";
  for (int i = 0; i < 60; ++i) {
    const std::string name = fmt::format("option_{}", i);
    options[name] = {{"type", "string"}, {"description", words(random, 12)}, {"default", words(random, 2)}};
    text += fmt::format("{}\"OPTION_{}\":\"{{{{service.{}}}}}\"", i == 0 ? "" : ",", i, name);
  }
  text += R"(},"cmd":")" + words(random, 500) + R"("})";
  options["name"] = {{"type", "string"}, {"default", fmt::format("package-{}", package)}};
  options["cpus"] = {{"type", "number"}, {"default", 0.5}, {"minimum", 0.1}};
  options["mem"] = {{"type", "integer"}, {"default", 512}};
  return {{"packagingVersion", "4.0"},
          {"name", fmt::format("package-{}", package)},
          {"version", fmt::format("1.0.{}", release)},
          {"releaseVersion", release},
          {"maintainer", "somebody@example.com"},
          {"description", words(random, 25)},
          {"tags", {"tag", random.choose(std::vector<std::string>{"database", "cache", "web"})}},
          {"config", {{"type", "object"}, {"properties", {{"service", {{"type", "object"}, {"properties", std::move(options)}}}}}}},
          {"resource", {{"images", {{"icon-small", fmt::format("http://example.com/{}.png", package)}}}}},
          {"marathon", {{"v2AppMustacheTemplate", base::base64_encode(text)}}}};
}

std::string make_index(size_t versions) {
  base::Random random(7);
  json::array packages;
  for (size_t i = 0; i < versions; ++i) packages.push_back(make_package(random, i % 185, i / 185));
  return base::json::render(json::object{{"packages", std::move(packages)}});
}

double seconds_since(base::Instant start) {
  return std::chrono::duration<double>(base::system_clock().now().instant - start).count();
}

base::http::Response search(base::Loop& loop, base::http::Client& client, uint16_t port, const std::string& body) {
  base::http::ClientRequest request;
  request.method = "POST";
  request.url.host = "127.0.0.1";
  request.url.port = port;
  request.url.target = "/package/search";
  request.headers.set("Accept", "application/json");
  request.headers.set("Content-Type", "application/json");
  request.body = body;
  base::http::Response answer;
  client.request(std::move(request), [&](base::Result<base::http::Response> response) {
    if (response) answer = std::move(*response);
    loop.stop();
  });
  loop.run();
  return answer;
}

/// A daemon that finds a kept copy of the repository: its start, its first search, and one like thousands later.
void bench_daemon(base::testing::Bench& bench, const std::map<std::string, std::string>& parameters,
                  const std::string& index) {
  std::vector<double> starts, firsts, later;
  uint64_t hash = 0;
  const base::testing::TemporaryDirectory directory;
  const std::string file = directory.path() + "/repo.json";
  if (!base::write_file(file, index)) return;
  for (int run = 0; run < 6; ++run) {
    base::Loop loop;
    auto store = std::move(base::open_store(loop, "memory:")).value();
    universe::Flags flags;
    flags.port = 0;
    flags.data_dir = directory.path();
    flags.bundled = file;  // read whole at the start, as a kept copy is
    base::http::Client client(loop);
    const base::Instant start = base::system_clock().now().instant;
    universe::Shell shell(loop, *store, flags);
    const auto port = shell.start();
    if (!port) return;
    const double started = seconds_since(start);
    const base::Instant asked = base::system_clock().now().instant;
    hash = search(loop, client, *port, "{}").body.size();
    const double first = seconds_since(asked);
    const base::Instant again = base::system_clock().now().instant;
    for (int i = 0; i < 20; ++i) hash += search(loop, client, *port, R"({"query":"database"})").body.size();
    if (run == 0) continue;  // warm-up
    starts.push_back(started);
    firsts.push_back(first);
    later.push_back(seconds_since(again) / 20);
  }
  bench.report("universe/start", parameters, "s", starts, hash);
  bench.report("universe/search", parameters, "s", firsts, hash);
  bench.report("universe/search-query", parameters, "s", later, hash);
}

}  // namespace

int main(int argc, char** argv) {
  base::testing::Bench bench(argc, argv);
  const size_t versions = bench.small() ? 60 : 1200;
  const std::string index = make_index(versions);
  const std::map<std::string, std::string> parameters{{"versions", std::to_string(versions)},
                                                      {"bytes", std::to_string(index.size())}};
  if (bench.wants("universe/search") || bench.wants("universe/start")) bench_daemon(bench, parameters, index);
  if (bench.wants("universe/render")) {
    const auto parsed = std::make_shared<universe::RepositoryIndex>(universe::parse_index(index).value());
    const universe::Catalog catalog({{"http://r", parsed}});
    const auto* entry = *universe::find_package(catalog, "package-1", std::nullopt);
    bench.rate("universe/render", parameters, 100, [&] {
      uint64_t hash = 0;
      for (int i = 0; i < 100; ++i) hash += universe::render_app(*entry->package, entry->uri, {}, std::nullopt)->size();
      return hash;
    });
  }
  return 0;
}
