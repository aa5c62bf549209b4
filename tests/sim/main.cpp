// sim: whole clusters from seeds. Exit code 0 when every run kept every promise, 1 otherwise.
//
//   sim [--seeds=N] [--first=S] [--scenario=NAME] [--seconds=T] [--jobs=J]    many runs; a summary and each failing seed
//   sim --seed=S --scenario=NAME --trace                                      one run with its story, a line per event
//   sim --planted                                                             are planted bugs found?

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <optional>

#include "base/check.hpp"
#include "base/flags.hpp"
#include "base/loop.hpp"
#include "tests/sim/planted.hpp"
#include "tests/sim/runner.hpp"
#include "tests/sim/scenarios.hpp"

namespace {

struct Options {
  uint64_t seeds = 100, first = 1, seconds = 0;
  uint32_t jobs = 1;
  bool planted = false;
  std::string planted_bug;
  std::optional<uint64_t> seed;
  std::string scenario;
  bool trace = false;
};

double seconds_since(base::Instant start) {
  return std::chrono::duration<double>(base::system_clock().now().instant - start).count();
}

int run_one(const sim::Scenario& scenario, uint64_t seed, bool trace) {
  const auto start = base::system_clock().now().instant;
  const sim::Outcome outcome = scenario.run(seed, trace);
  fmt::print("{} seed {}: {} events, hash {:016x}, {:.2f} s; {}\n", scenario.name, seed,
             outcome.events, outcome.hash, seconds_since(start), outcome.summary);
  for (const auto& failure : outcome.failures) fmt::print("  FAILED: {}\n", failure);
  return outcome.failures.empty() ? 0 : 1;
}

std::string replay(const sim::Scenario& scenario, uint64_t seed) {
  return fmt::format("tests/sim/run --scenario={} --seed={} --trace", scenario.name, seed);
}

int run_many(const sim::Scenario& scenario, const Options& options, uint64_t seeds) {
  const auto start = base::system_clock().now().instant;
  sim::Batch batch;
  batch.first = options.first;
  batch.seeds = seeds;
  batch.jobs = options.jobs;
  batch.seconds = static_cast<double>(options.seconds);
  batch.repeat_every = 100;
  const sim::Verdict verdict = sim::run_batch(scenario, batch, [&](const sim::Failure& failure) {
    fmt::print("{} seed {} FAILED: {}\n  replay: {}\n", scenario.name, failure.seed, failure.what,
               replay(scenario, failure.seed));
    std::fflush(stdout);
  });
  fmt::print("{}: {} seeds, {} failed, {:.1f} M events in {:.1f} s\n", scenario.name, verdict.ran, verdict.failures.size(),
             static_cast<double>(verdict.events) / 1e6, seconds_since(start));
  return verdict.failures.empty() ? 0 : 1;
}

/// A test of the checkers: each planted bug must be found, by the words that it deserves.
int run_planted(const Options& options) {
  int code = 0;
  for (const sim::PlantedBug& bug : sim::planted_bugs()) {
    if (!options.planted_bug.empty() && options.planted_bug != bug.name) continue;
    const auto scenario = std::find_if(sim::scenarios().begin(), sim::scenarios().end(),
                                       [&](const auto& each) { return std::string_view(each.name) == bug.scenario; });
    CHECK(scenario != sim::scenarios().end());
    sim::plant(bug.name);  // workers inherit it
    sim::Batch batch;
    batch.seeds = bug.seeds;
    batch.jobs = options.jobs;
    batch.stop_after = 5;  // the first may be found by another checker
    std::string other;
    std::optional<sim::Failure> found;
    const auto verdict = sim::run_batch(*scenario, batch, [&](const sim::Failure& failure) {
      if (failure.what.find(bug.verdict) == std::string::npos) other = failure.what;
      else if (!found) found = failure;
    });
    if (found) {
      fmt::print("found   {:<42} by seed {} of {}: {}\n", bug.name, found->seed, scenario->name, found->what);
    } else {
      code = 1;
      fmt::print("MISSED  {:<42} in {} seeds of {}{}\n", bug.name, verdict.ran, scenario->name,
                 other.empty() ? "" : "; another checker said: " + other);
    }
    std::fflush(stdout);
  }
  sim::plant("");
  return code;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  base::FlagTable flags("tests/sim/run", "Whole clusters in one process, from seeds, under faults.",
                        "");
  flags.add(&options.seeds, "seeds", "How many runs.");
  flags.add(&options.first, "first", "The first seed.");
  flags.add(&options.seconds, "seconds",
            "Stop each scenario after this many seconds; 0: no limit.");
  flags.add(&options.seed, "seed", "One run.");
  flags.add(&options.scenario, "scenario", "Only this scenario.");
  flags.add(&options.jobs, "jobs", "So many runs at once.");
  flags.add(&options.planted, "planted", "A test of the checkers: bugs are planted and must be found.");
  flags.add(&options.planted_bug, "planted_bug", "Only this one; with --seed: that run with this bug.");
  flags.add(&options.trace, "trace", "Print the run's story.");
  const auto read = [](const std::string&) -> base::Result<std::string> {
    return base::unsupported("no file values");
  };
  if (const auto parsed = flags.parse(argc, argv, {}, read); !parsed) {
    fmt::print(stderr, "{}\n", parsed.error().message);
    return 2;
  }
  if (flags.help_requested()) {
    fmt::print("{}\nScenarios:\n", flags.help());
    for (const auto& scenario : sim::scenarios())
      fmt::print("  {:<14} {}\n", scenario.name, scenario.what);
    return 0;
  }
  if (options.planted && !options.seed) return run_planted(options);
  if (options.seed) sim::plant(options.planted_bug);
  unsigned weights = 0;
  for (const auto& scenario : sim::scenarios()) weights += scenario.weight;
  int code = 0;
  bool found = false;
  for (const auto& scenario : sim::scenarios()) {
    const bool asked = options.scenario == scenario.name;
    if (!asked && (!options.scenario.empty() || scenario.weight == 0)) continue;
    found = true;
    if (options.seed)
      code |= run_one(scenario, *options.seed, options.trace);
    else
      code |= run_many(scenario, options,
                       asked ? options.seeds : options.seeds * scenario.weight / weights);
  }
  if (!found) {
    fmt::print(stderr, "no scenario '{}': --help lists them\n", options.scenario);
    return 2;
  }
  return code;
}
