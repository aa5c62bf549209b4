// The scheduler's core with a real store and a simulated master: many jobs, many of them due in the same second.

#include <fmt/format.h>

#include <algorithm>

#include "base/loop.hpp"
#include "base/store/store.hpp"
#include "base/testing/bench.hpp"
#include "base/testing/temporary_directory.hpp"
#include "chronos/testing.hpp"

namespace {

using chronos::testing::Agent;
using chronos::testing::World;

/// Seconds that `body` takes.
template <class Body>
double seconds(const Body& body) {
  const base::Instant start = base::system_clock().now().instant;
  body();
  return std::chrono::duration<double>(base::system_clock().now().instant - start).count();
}

std::vector<Agent> agents() {
  std::vector<Agent> list;
  for (int i = 0; i < 50; ++i) list.push_back({fmt::format("A{}", i), fmt::format("host{}", i), 1000, 1e7, 1e7, {}});
  return list;
}

/// `jobs` jobs, of which `due` have their slots one second from the world's beginning.
void fill(World& world, size_t jobs, size_t due) {
  for (size_t i = 0; i < jobs; ++i) {
    world.schedule(fmt::format("{{'name':'job-{:05}','command':'/opt/reports/run --customer {}','schedule':'R/{}/P1D'}}", i, i * 7919,
                               i < due ? "2024-01-10T12:00:01Z" : "2024-01-11T00:00:00Z"));
  }
}

/// Commits go to an SQLite file, and are waited for.
void store_in(World& world, base::Loop& loop, base::Store& store) {
  world.on_commit = [&loop, &store](const std::vector<chronos::Write>& writes) {
    base::StoreBatch batch;
    for (const auto& write : writes) batch.writes.push_back({write.key, write.value});
    store.commit(std::move(batch), [&loop](base::Status) { loop.stop(); });
    loop.run();
  };
}

double percentile(std::vector<double> samples, double share) {
  std::sort(samples.begin(), samples.end());
  return samples[std::min(samples.size() - 1, static_cast<size_t>(share * static_cast<double>(samples.size())))];
}

}  // namespace

int main(int argc, char** argv) {
  base::testing::Bench bench(argc, argv);
  const size_t jobs = bench.small() ? 500 : 50'000, due = bench.small() ? 50 : 5'000;
  const std::map<std::string, std::string> sizes{{"jobs", std::to_string(jobs)}, {"due", std::to_string(due)}};

  // To all launched, and with the state of each task stored one by one as well.
  for (const bool states : {false, true}) {
    if (!bench.wants(states ? "chronos/due-5000-running" : "chronos/due-5000")) continue;
    std::vector<double> samples;
    for (int i = 0; i < (bench.small() ? 1 : 5); ++i) {
      base::testing::TemporaryDirectory directory;
      base::Loop loop;
      auto store = std::move(base::open_store(loop, "sqlite:" + (directory / "chronos.db"))).value();
      World world({}, agents());
      world.runs_for = base::hours(1);
      world.auto_run = states;
      world.subscribe();
      fill(world, jobs, due);
      store_in(world, loop, *store);
      samples.push_back(seconds([&] { world.advance(base::seconds(1)); }));
      CHECK(world.launches.size() == due);
    }
    bench.report(states ? "chronos/due-5000-running" : "chronos/due-5000", sizes, "s", samples, due);
  }
  if (bench.wants("chronos/search") || bench.wants("chronos/list")) {
    World world({}, agents());
    fill(world, jobs, 0);
    if (bench.wants("chronos/search")) {
      std::vector<double> samples, p99;
      for (int round = 0; round < 5; ++round) {
        samples.clear();
        for (int i = 0; i < 200; ++i) {
          const std::string target = fmt::format("/scheduler/jobs/search?any=customer%20{}&limit=10", i * 131);
          samples.push_back(seconds([&] { world.get(target); }));
        }
        p99.push_back(percentile(samples, 0.99));
      }
      bench.report("chronos/search", sizes, "s at p99", p99);
    }
    if (bench.wants("chronos/list")) {
      bench.measure("chronos/list", sizes, [&world] { return world.get("/scheduler/jobs").body.size(); });
    }
  }
  if (bench.wants("chronos/restart")) {
    World world({}, agents());
    fill(world, jobs, due);
    world.now.time = world.now.time + base::seconds(2);
    std::vector<double> samples;
    const auto stored = world.store;
    for (int i = 0; i < (bench.small() ? 1 : 5); ++i) {
      world.store = stored;
      world.launches.clear();
      samples.push_back(seconds([&] {
        world.restart();
        world.subscribe();
      }));
      CHECK(!world.launches.empty());
    }
    bench.report("chronos/restart", sizes, "s", samples, due);
  }
  return 0;
}
