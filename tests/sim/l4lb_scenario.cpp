// Many load balancers' cores on a virtual network: loss, a partition that heals, deaths and returns, tasks that come and
// go. Checked: nobody who runs and can be reached is held for dead; in the end all hold the same entries, names have the
// same addresses everywhere, and nobody forwards to a machine that is gone.

#include <fmt/format.h>

#include <algorithm>

#include "l4lb/testing.hpp"
#include "tests/sim/scenarios.hpp"

namespace sim {
namespace {

using l4lb::testing::make_task;
using l4lb::testing::World;
using l4lb::testing::WorldOptions;

class Run {
 public:
  Run(uint64_t seed, size_t nodes, bool print)
      : random_(seed), print_(print), options_(draw(seed, nodes)), world_(options_) {}

  Outcome go() {
    join();
    if (outcome_.failures.empty()) churn();
    if (outcome_.failures.empty()) settle();
    outcome_.hash = world_.hash();
    outcome_.events = world_.events();
    outcome_.summary = fmt::format("{} machines, loss {:.0f} %, {} services, {:.1f} M datagrams, {:.0f} virtual s", world_.size(),
                                   options_.loss * 100, tasks_.size(), static_cast<double>(world_.datagrams()) / 1e6, seconds());
    return outcome_;
  }

 private:
  WorldOptions draw(uint64_t seed, size_t nodes) {
    WorldOptions options;
    options.seed = seed;
    options.nodes = nodes;
    options.loss = random_.chance(0.3) ? 0 : 0.1 * random_.unit();
    options.delay = base::microseconds(200 + static_cast<int64_t>(random_.below(3000)));
    options.jitter = base::microseconds(static_cast<int64_t>(random_.below(3000)));
    return options;
  }

  double seconds() const { return std::chrono::duration<double>(world_.now().since_start).count(); }
  void note(const std::string& text) const {
    if (print_) fmt::print("{:9.3f} {}\n", seconds(), text);
  }
  void fail(std::string text) { outcome_.failures.push_back(std::move(text)); }

  void join() {
    if (!world_.run_until([&] { return world_.membership_is_true(); }, base::seconds(60), base::milliseconds(500)))
      fail("the machines did not find each other within 60 s");
    note("all know each other");
  }

  void task_step() {
    const size_t node = random_.below(world_.size());
    if (!world_.running(node)) return;
    if (!tasks_.empty() && random_.chance(0.3)) {
      const auto it = std::next(tasks_.begin(), static_cast<std::ptrdiff_t>(random_.below(tasks_.size())));
      if (!world_.running(it->second)) return;
      world_.tell(it->second, l4lb::TaskRemoved{"agent", "framework", it->first});
      tasks_.erase(it);
      return;
    }
    const std::string id = fmt::format("t{}", next_task_++);
    const uint64_t port = 1000 + random_.below(60000);
    const char* state = random_.chance(0.9) ? "TASK_RUNNING" : "TASK_KILLING";
    world_.tell(node, l4lb::TaskChanged{"agent", make_task(id, fmt::format("/s{}:80", random_.below(40)), port, state)});
    tasks_[id] = node;
  }

  void kill_or_start() {
    const size_t node = random_.below(world_.size());
    if (!world_.running(node)) {
      note(fmt::format("host-{} comes back", node));
      world_.start(node);
      tell_snapshot(node);
      return;
    }
    if (dead() * 10 > world_.size()) return;
    note(fmt::format("host-{} dies", node));
    world_.stop(node);
  }

  /// The agent of a machine that came back says what runs: nothing does.
  void tell_snapshot(size_t node) {
    std::erase_if(tasks_, [node](const auto& each) { return each.second == node; });
    world_.tell(node, l4lb::AgentSnapshot{"agent", {}, {}});
  }

  size_t dead() const {
    size_t count = 0;
    for (size_t i = 0; i < world_.size(); ++i) count += world_.running(i) ? 0 : 1;
    return count;
  }

  void churn() {
    const bool partition = random_.chance(0.5);
    for (int step = 0; step < 40; ++step) {
      for (uint64_t n = random_.below(8); n > 0; --n) task_step();
      if (random_.chance(0.1)) kill_or_start();
      if (partition && step == 15) {
        std::vector<int> groups(world_.size());
        const uint64_t cut = 1 + random_.below(9);
        for (int& group : groups) group = random_.below(10) < cut ? 1 : 0;
        note(fmt::format("a partition, one side about {} of 10", cut));
        world_.partition(groups);
      }
      if (partition && step == 30) {
        note("the partition ends");
        world_.partition({});
      }
      world_.run_for(base::milliseconds(100 + static_cast<int64_t>(random_.below(900))));
    }
    if (!world_.false_deaths().empty() && !partition)
      fail(fmt::format("{} false deaths, the first: {}", world_.false_deaths().size(), world_.false_deaths()[0]));
  }

  void settle() {
    const auto began = seconds();
    std::string difference;
    for (int i = 0; i < 120; ++i) {
      world_.run_for(base::seconds(1));
      difference = world_.membership_is_true() ? world_.difference() : "membership is not true yet";
      if (difference.empty()) break;
    }
    note(fmt::format("all agree {:.0f} s after the last fault", seconds() - began));
    if (!difference.empty()) return fail("two minutes after the last fault: " + difference);
    check_backends();
  }

  /// What every machine forwards to is what runs on machines that are there.
  void check_backends() {
    std::set<l4lb::Address> there;
    for (size_t i = 0; i < world_.size(); ++i)
      if (world_.running(i)) there.insert(world_.ip(i));
    for (size_t i = 0; i < world_.size(); ++i) {
      if (!world_.running(i)) continue;
      for (const auto& [vip, owners] : world_.core(i).replica().vips()) {
        bool any_there = false;
        for (const auto& [owner, entry] : owners)
          for (const auto& backend : entry->backends) any_there = any_there || there.contains(backend.agent);
        for (const auto& candidate : world_.core(i).candidates(vip, world_.now()))
          if (any_there && candidate.used && !there.contains(candidate.backend.agent))
            return fail(fmt::format("host-{} forwards {} to a machine that is gone", i, l4lb::render(vip)));
      }
    }
    size_t expected = 0, held = 0;
    for (const auto& [id, node] : tasks_) expected += world_.running(node) ? 1 : 0;
    const size_t first = first_running();
    for (const auto& [vip, owners] : world_.core(first).replica().vips())
      for (const auto& [owner, entry] : owners)
        if (world_.core(first).swim().reachable(owner)) held += entry->backends.size();
    // Two tasks may have drawn the same port of the same service.
    if (held > expected || held + 3 < expected) fail(fmt::format("{} tasks run, {} backends are known", expected, held));
  }

  size_t first_running() const {
    size_t i = 0;
    while (!world_.running(i)) ++i;
    return i;
  }

  base::Random random_;
  bool print_;
  WorldOptions options_;
  World world_;
  Outcome outcome_;
  std::map<std::string, size_t> tasks_;  // id -> machine
  uint64_t next_task_ = 1;
};

}  // namespace

Outcome run_l4lb(uint64_t seed, bool print) {
  base::Random random(seed ^ 0x5eed);
  return Run(seed, 3 + random.below(28), print).go();
}

Outcome run_l4lb_100(uint64_t seed, bool print) { return Run(seed, 100, print).go(); }

Outcome run_l4lb_1000(uint64_t seed, bool print) { return Run(seed, 1000, print).go(); }

}  // namespace sim
