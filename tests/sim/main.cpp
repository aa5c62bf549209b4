// sim: whole clusters from seeds. Exit code 0 when every run kept every promise, 1 otherwise.
//
//   sim [--seeds=N] [--first=S] [--scenario=NAME] [--seconds=T]    many runs; a summary and each
//   failing seed sim --seed=S --scenario=NAME --trace                           one run with its
//   story, a line per event

#include <fmt/format.h>

#include <cstdio>
#include <optional>

#include "base/flags.hpp"
#include "base/loop.hpp"
#include "tests/sim/scenarios.hpp"

namespace {

struct Options {
  uint64_t seeds = 100, first = 1, seconds = 0;
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

int run_many(const sim::Scenario& scenario, const Options& options, uint64_t seeds) {
  const auto start = base::system_clock().now().instant;
  uint64_t failed = 0, events = 0, ran = 0;
  for (uint64_t seed = options.first; seed < options.first + seeds; ++seed) {
    if (options.seconds > 0 && seconds_since(start) > static_cast<double>(options.seconds)) break;
    ++ran;
    sim::Outcome outcome = scenario.run(seed, false);
    events += outcome.events;
    // Nothing may depend on an address, a hash seed or time: now and then a run is repeated and
    // must be the same.
    if (seed % 100 == 1 && scenario.run(seed, false).hash != outcome.hash)
      outcome.failures.push_back("the same seed gave another run");
    if (outcome.failures.empty()) continue;
    if (++failed > 20) continue;
    fmt::print("{} seed {} FAILED: {}\n  replay: tests/sim/run --scenario={} --seed={} --trace\n",
               scenario.name, seed, outcome.failures.front(), scenario.name, seed);
    std::fflush(stdout);
  }
  fmt::print("{}: {} seeds, {} failed, {:.1f} M events in {:.1f} s\n", scenario.name, ran, failed,
             static_cast<double>(events) / 1e6, seconds_since(start));
  return failed == 0 ? 0 : 1;
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
