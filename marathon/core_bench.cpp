// The scheduler's core without sockets: a world of simulated agents, measured end to end.

#include <fmt/format.h>

#include "base/loop.hpp"
#include "base/testing/bench.hpp"
#include "marathon/testing.hpp"

namespace {

using marathon::testing::Agent;
using marathon::testing::World;

std::vector<Agent> agents(size_t count) {
  std::vector<Agent> list;
  for (size_t i = 0; i < count; ++i) {
    list.push_back({fmt::format("A{}", i), fmt::format("host{}", i), 64, 1e6, 1e6, {}});
  }
  return list;
}

std::string app(const std::string& id, size_t instances) {
  return fmt::format(R"({{"id":"{}","cmd":"sleep 100","cpus":0.01,"mem":1,"instances":{},"ports":[]}})", id, instances);
}

/// Seconds that `body` takes.
template <class Body>
double seconds(const Body& body) {
  const base::Instant start = base::system_clock().now().instant;
  body();
  return std::chrono::duration<double>(base::system_clock().now().instant - start).count();
}

void fill(World& world, size_t apps) {
  for (size_t i = 0; i < apps; ++i) world.post_app(app(fmt::format("/fill/{}", i), 1));
}

}  // namespace

int main(int argc, char** argv) {
  base::testing::Bench bench(argc, argv);
  const bool small = bench.small();

  if (const size_t n = small ? 50 : 500; bench.wants("marathon/core-app-500")) {
    bench.measure("marathon/core-app-500", {{"instances", std::to_string(n)}}, [n] {
      World world({}, agents(190));
      world.subscribe();
      world.post_app(app("/a", n));
      return world.running("/a");
    });
  }
  if (const size_t n = small ? 50 : 1000; bench.wants("marathon/core-posts")) {
    bench.rate("marathon/core-posts", {{"apps", std::to_string(n)}}, n, [n] {
      World world({}, agents(10));
      world.subscribe();
      fill(world, n);
      return world.tasks.size();
    });
  }
  // One app's update must cost the same whatever else there is.
  for (const size_t others : {size_t{10}, small ? size_t{100} : size_t{5000}}) {
    if (!bench.wants("marathon/core-update")) break;
    World world({}, agents(10));
    world.auto_run = false;
    world.subscribe(false);
    world.auto_offer = false;
    fill(world, others);
    world.post_app(app("/one", 0));
    std::vector<double> samples;
    for (int i = 0; i < 50; ++i) {
      const std::string body = fmt::format(R"({{"env":{{"N":"{}"}}}})", i);
      samples.push_back(seconds([&] { world.request("PUT", "/v2/apps/one", body); }));
    }
    bench.report("marathon/core-update", {{"others", std::to_string(others)}}, "s", samples);
  }
  if (const size_t n = small ? 100 : 5000; bench.wants("marathon/core-list")) {
    World world({}, agents(10));
    world.auto_offer = false;
    world.subscribe(false);
    fill(world, n);
    bench.measure("marathon/core-list", {{"apps", std::to_string(n)}},
                  [&world] { return world.get("/v2/apps").body.size(); });
  }
  return 0;
}
