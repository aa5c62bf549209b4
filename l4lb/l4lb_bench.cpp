// l4lb/converge: a new backend to all of 100 machines, on virtual time. l4lb/update-10000: one change among 10,000
// services, applied to a kernel (in a network namespace of the benchmark's own; needs root).

#include <fmt/format.h>
#include <sched.h>

#include "base/loop.hpp"
#include "base/testing/bench.hpp"
#include "l4lb/dataplane/nft_apply.hpp"
#include "l4lb/testing.hpp"

namespace {

using base::testing::Bench;
using l4lb::testing::make_task;
using l4lb::testing::World;

double now_ms() {
  return std::chrono::duration<double, std::milli>(base::system_clock().now().instant.since_start).count();
}

/// Virtual milliseconds from the agent's word to the kernel of each machine, all machines and changes together.
std::vector<double> converge(size_t nodes, int changes, double loss, World& world) {
  std::vector<double> samples;
  (void)loss;
  for (int i = 0; i < changes; ++i) {
    const size_t owner = static_cast<size_t>(i * 7) % nodes;
    const base::Instant began = world.now();
    const std::string name = fmt::format("/s{}:80", i);
    world.tell(owner, l4lb::TaskChanged{"agent", make_task(fmt::format("t{}", i), name, 31000)});
    std::vector<double> seen(nodes, -1);
    const size_t wanted = static_cast<size_t>(i) + 1;
    size_t left = nodes;
    world.run_until(
        [&] {
          for (size_t node = 0; node < nodes; ++node) {
            if (seen[node] >= 0 || world.programmed(node).size() < wanted) continue;
            seen[node] = std::chrono::duration<double, std::milli>(world.now() - began).count();
            --left;
          }
          return left == 0;
        },
        base::seconds(30));
    for (const double each : seen) samples.push_back(each < 0 ? 30'000 : each);
    world.run_for(base::milliseconds(500));
  }
  return samples;
}

void bench_converge(Bench& bench, size_t nodes, double loss, int changes) {
  const std::string name = loss > 0 ? fmt::format("l4lb/converge-loss-{}", static_cast<int>(loss * 100)) : "l4lb/converge";
  if (!bench.wants(name)) return;
  World world({.seed = 3, .nodes = nodes, .loss = loss});
  world.run_until([&] { return world.membership_is_true(); }, base::seconds(60), base::milliseconds(100));
  world.run_for(base::seconds(5));
  const uint64_t datagrams = world.datagrams();
  auto samples = converge(nodes, changes, loss, world);
  const double each = static_cast<double>(world.datagrams() - datagrams) / changes;
  std::sort(samples.begin(), samples.end());
  const double p99 = samples[samples.size() * 99 / 100];
  const std::map<std::string, std::string> parameters = {
      {"nodes", std::to_string(nodes)}, {"delay", "1ms"}, {"time", "virtual"}, {"datagrams_per_change", fmt::format("{:.0f}", each)}};
  bench.report(name + "/p99", parameters, "ms", {p99}, world.hash());
  bench.report(name, parameters, "ms", samples, world.hash());
}

/// A machine dies: until no other one holds it for reachable.
void bench_death(Bench& bench, size_t nodes, int deaths) {
  if (!bench.wants("l4lb/death")) return;
  World world({.seed = 4, .nodes = nodes});
  world.run_until([&] { return world.membership_is_true(); }, base::seconds(60), base::milliseconds(100));
  world.run_for(base::seconds(3));
  std::vector<double> samples;
  for (int i = 0; i < deaths; ++i) {
    const size_t victim = static_cast<size_t>(i * 7 + 4) % nodes;
    world.stop(victim);
    const base::Instant began = world.now();
    world.run_until([&] { return world.membership_is_true(); }, base::seconds(60), base::milliseconds(20));
    samples.push_back(std::chrono::duration<double>(world.now() - began).count());
    world.start(victim);
    world.run_until([&] { return world.membership_is_true(); }, base::seconds(60), base::milliseconds(100));
    world.run_for(base::seconds(2));
  }
  bench.report("l4lb/death", {{"nodes", std::to_string(nodes)}, {"time", "virtual"}}, "s", samples, world.hash());
}

std::vector<l4lb::ServiceChange> services(int count) {
  std::vector<l4lb::ServiceChange> out;
  for (int i = 0; i < count; ++i) {
    l4lb::ServiceChange change;
    change.key = {l4lb::Address::from_v4((11U << 24) + 1 + static_cast<uint32_t>(i)), l4lb::Protocol::Tcp, 80};
    change.known = true;
    for (uint32_t b = 1; b <= 4; ++b) change.targets.push_back({{l4lb::Address::from_v4((10U << 24) + b), 31000}, 1});
    out.push_back(std::move(change));
  }
  return out;
}

void bench_update(Bench& bench, int count) {
  const std::string name = fmt::format("l4lb/update-{}", count);
  if (!bench.wants(name) && !bench.wants(name + "/load")) return;
  if (unshare(CLONE_NEWNET) != 0) {
    fmt::print(stderr, "{}: needs the right to make a network namespace\n", name);
    return;
  }
  l4lb::NftPlan plan({.table = "bench"});
  plan.change(services(count));
  l4lb::Nft nft;
  std::vector<double> loads, updates, plans;
  for (int i = 0; i < 3; ++i) {
    const double began = now_ms();
    const auto status = nft.run(plan.full());
    CHECK_MSG(status.has_value(), status.error().message);
    loads.push_back(now_ms() - began);
  }
  for (int i = 0; i < 51; ++i) {
    const double began = now_ms();
    auto change = services(1 + (i * 37) % count).back();
    change.targets[3].endpoint.port = static_cast<uint16_t>(31001 + i);
    const auto transaction = plan.change({change});
    const double planned = now_ms();
    const auto status = nft.run(transaction.script);
    CHECK_MSG(status.has_value(), status.error().message);
    updates.push_back(now_ms() - began);
    plans.push_back(planned - began);
  }
  // What is done every second, and after somebody else changed any table.
  std::vector<double> watches, compares;
  for (int i = 0; i < 11; ++i) {
    const double began = now_ms();
    CHECK(nft.elements("bench", "failed4", false).has_value());
    watches.push_back(now_ms() - began);
  }
  for (int i = 0; i < 3; ++i) {
    const double began = now_ms();
    const auto found = nft.elements("bench", "b16v4", true);
    CHECK(found.has_value());
    CHECK(plan.repair("b16v4", *found).empty());
    compares.push_back(now_ms() - began);
  }
  const std::map<std::string, std::string> parameters = {{"services", std::to_string(count)}, {"slots", "16"}};
  bench.report(name + "/watch", parameters, "ms", watches);
  bench.report(name + "/compare", parameters, "ms", compares);
  bench.report(name + "/load", parameters, "ms", loads);
  bench.report(name, parameters, "ms", updates);
  bench.report(name + "/plan", parameters, "ms", plans);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench(argc, argv);
  bench_converge(bench, bench.small() ? 20 : 100, 0, bench.small() ? 2 : 20);
  if (!bench.small()) bench_converge(bench, 100, 0.05, 20);
  bench_death(bench, bench.small() ? 10 : 100, bench.small() ? 1 : 20);
  if (!bench.small()) bench_death(bench, 3, 20);
  bench_update(bench, bench.small() ? 100 : 10'000);
  return 0;
}
