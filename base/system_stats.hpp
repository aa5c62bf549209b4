#pragma once

// Load and memory of the machine: /system/stats.json and the metrics "system/...".

#include <cstdint>
#include <string>

namespace base {

struct SystemStats {
  double load_1min = 0, load_5min = 0, load_15min = 0;
  int64_t cpus = 0;
  double memory_bytes = 0, free_bytes = 0;
};

SystemStats system_stats();

/// As the endpoint of the original tells them.
std::string render_system_stats(const SystemStats& stats);

}  // namespace base
