#pragma once

// One virtual machine room: virtual time, one seed for everything random, nodes that crash. Nothing
// here reads a clock; the same seed gives the same run, event for event, and the same hash.

#include <cstdint>
#include <functional>
#include <map>
#include <queue>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"

namespace sim {

/// A process that can crash. Its epoch changes with each crash, and everything scheduled for an
/// earlier epoch is void.
struct Node {
  std::string name;
  bool alive = false;
  uint64_t epoch = 0;
  base::Instant frozen_until{};  // SIGSTOP: what is scheduled for it waits until then
};

class World {
 public:
  /// `print`: write each trace line to standard output.
  explicit World(uint64_t seed, bool print = false);

  base::Now now() const;
  base::Random& random() { return random_; }

  /// Runs `call` at that time unless `node` has crashed before.
  void after(Node& node, base::Duration delay, std::function<void()> call);

  /// Runs `call` whatever happens: for faults and checkers.
  void after(base::Duration delay, std::function<void()> call);

  /// The next event. False when there is none.
  bool step();

  void run_for(base::Duration duration);

  /// One line of the run's story: goes into the hash, and to the output when printing.
  void trace(std::string_view who, std::string_view what);

  /// A line for the reader alone: not part of the hash.
  void note(std::string_view who, std::string_view what) const;

  /// A checker's verdict. The run goes on; the first failures are kept.
  void fail(const std::string& what);
  const std::vector<std::string>& failures() const { return failures_; }

  bool printing() const { return print_; }
  uint64_t hash() const { return hash_; }
  uint64_t events() const { return events_; }

 private:
  struct Scheduled {
    base::Instant at;
    uint64_t sequence;  // ties are broken by the order of scheduling
    Node* node;         // null: unconditional
    uint64_t epoch;
    std::function<void()> call;
    bool operator>(const Scheduled& other) const {
      return at != other.at ? at > other.at : sequence > other.sequence;
    }
  };

  std::string line(std::string_view who, std::string_view what) const;

  base::Random random_;
  bool print_;
  base::Instant instant_{base::hours(1)};
  std::priority_queue<Scheduled, std::vector<Scheduled>, std::greater<>> queue_;
  uint64_t sequence_ = 0, events_ = 0;
  uint64_t hash_ = 14695981039346656037u;
  std::vector<std::string> failures_;
};

}  // namespace sim
