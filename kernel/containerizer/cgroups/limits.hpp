#pragma once

// What a container may use, and how that reads in the units of the two cgroup versions (pure).

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace containerizer::cgroups {

constexpr uint64_t kMinMemory = uint64_t{32} << 20;
constexpr uint64_t kPeriodMicros = 100'000;
constexpr uint64_t kMinQuotaMicros = 1'000;

/// Devices that a container may use: one rule of the kernel's list.
struct DeviceRule {
  char type = 'c';                         // 'c', 'b', or 'a' for both
  std::optional<uint32_t> major, minor;    // absent: all
  std::string access = "rwm";              // of read, write, make a node
  bool operator==(const DeviceRule&) const = default;
};

struct Limits {
  double cpus = 0;                         // request: the share under contention
  std::optional<double> cpu_limit;         // absent or infinite: no ceiling
  uint64_t memory = 0;                     // request in bytes
  std::optional<uint64_t> memory_limit;    // absent: no ceiling
  std::optional<uint64_t> pids;            // absent: no ceiling
  bool limit_swap = false;
  // What follows is set when a container starts, and left as it is by later updates that lack it.
  std::optional<std::vector<DeviceRule>> devices{};  // absent: all
  std::optional<uint32_t> net_class{};     // of its packets, 0xAAAABBBB
  std::string cpuset_cpus{}, cpuset_mems{};  // "0-2,4"; empty: what the parent group has
  std::optional<int64_t> memory_and_swap{};  // ceiling of both together; negative: none; below memory: as much as that
  std::optional<uint64_t> swappiness{};    // 0 to 100; version 1 alone has it per group
  bool operator==(const Limits&) const = default;
};

/// cpu.shares of version 1.
inline uint64_t shares(double cpus) {
  return std::max<uint64_t>(static_cast<uint64_t>(std::max(cpus, 0.0) * 1024), 2);
}

/// cpu.weight of version 2, at most what the kernel takes.
inline uint64_t weight(double cpus) {
  return std::clamp<uint64_t>(static_cast<uint64_t>(std::max(cpus, 0.0) * 100), 1, 10'000);
}

/// Microseconds of processor time per period, or nothing when unlimited.
inline std::optional<uint64_t> quota_micros(const std::optional<double>& limit) {
  if (!limit || std::isinf(*limit)) return std::nullopt;
  return std::max<uint64_t>(static_cast<uint64_t>(*limit * kPeriodMicros), kMinQuotaMicros);
}

/// Of a container that may take more memory than it asked for, on a machine of so much: the more it takes beyond that, the
/// sooner the kernel ends it when there is none left, before others that stay within what they asked for.
inline int oom_score(uint64_t request, uint64_t machine) {
  constexpr double kMost = 1000;
  const double share = machine == 0 ? 1 : static_cast<double>(request) / static_cast<double>(machine);
  return static_cast<int>(kMost - kMost * std::min(share, 1.0));
}

inline uint64_t memory_floor(uint64_t bytes) { return std::max(bytes, kMinMemory); }

}  // namespace containerizer::cgroups
