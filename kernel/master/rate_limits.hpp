#pragma once

// How many calls per second the schedulers of a principal may make. Pure; the rules are in rate_limits.cpp.

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace master {

struct RateLimits {
  struct Limit {
    std::optional<double> qps{};           // calls per second; absent: as many as it likes
    std::optional<uint64_t> capacity{};    // calls that may wait for their turn; absent: kMostWaiting
  };
  static constexpr uint64_t kMostWaiting = 100'000;

  std::map<std::string, Limit> principals{};
  std::optional<Limit> others{};           // all principals that are not named, together; absent: not limited

  /// {"limits":[{"principal":"p","qps":55.5,"capacity":1000}],"aggregate_default_qps":33.3,
  /// "aggregate_default_capacity":100}. Errors name the field.
  static base::Result<RateLimits> parse(std::string_view json);

  /// What holds for a principal (empty: none); null: nothing does.
  const Limit* find(const std::string& principal) const;
};

}  // namespace master
