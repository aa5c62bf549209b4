#pragma once

// Seeded randomness. Cores take a Random& at construction; shells seed it from the operating system (Random::from_os),
// the simulator from the run's seed. Not thread-safe. Not for secrets: those come from crypto.hpp.

#include <array>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/check.hpp"
#include "base/time.hpp"

namespace base {

class Random {
 public:
  explicit Random(uint64_t seed);
  static Random from_os();

  uint64_t next();

  /// Uniform in [0, bound); bound > 0.
  uint64_t below(uint64_t bound);

  /// Uniform in [0, 1).
  double unit();

  bool chance(double probability) { return unit() < probability; }

  /// Uniform in [zero, limit]: for backoff with jitter.
  Duration jitter(Duration limit);

  /// Version 4, lower case, with dashes.
  std::string uuid();

  /// The 16 raw bytes of a version 4 UUID, as the kernel's API carries them.
  std::string uuid_bytes();

  template <class T>
  void shuffle(std::vector<T>& values) {
    for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

  template <class T>
  const T& choose(const std::vector<T>& values) {
    CHECK(!values.empty());
    return values[below(values.size())];
  }

 private:
  std::array<uint64_t, 4> state_;
};

}  // namespace base
