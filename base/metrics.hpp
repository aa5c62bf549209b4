#pragma once

// Metrics: a registry of counters, gauges and timers by exported name. Names are the original's ("master/uptime_secs");
// Prometheus text is derived from the same registry. Not thread-safe: one registry per loop.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace base {

class Counter {
 public:
  void increment(uint64_t by = 1) { value_ += by; }
  uint64_t value() const { return value_; }

 private:
  uint64_t value_ = 0;
};

/// A window of the last 1,000 samples, exported as <name> (last), <name>/count, /max, /min, /p50, /p90, /p95, /p99,
/// /p999, /p9999, in milliseconds.
class Timer {
 public:
  void record(Duration duration);
  void snapshot(std::string_view name, const std::function<void(std::string, double)>& emit) const;

 private:
  std::vector<double> window_ms_;
  size_t next_ = 0;
  uint64_t count_ = 0;
};

class Metrics {
 public:
  /// The counter of that name; made on first use. The reference stays valid for the registry's life.
  Counter& counter(const std::string& name);
  Timer& timer(const std::string& name);

  /// A value read when a snapshot is taken.
  void gauge(const std::string& name, std::function<double()> read);

  void remove(const std::string& name);

  /// Every metric, sorted by name.
  std::map<std::string, double> snapshot() const;

  /// Prometheus text format 0.0.4: characters outside [a-zA-Z0-9_] become '_'.
  std::string prometheus() const;

 private:
  std::map<std::string, std::unique_ptr<Counter>> counters_;
  std::map<std::string, std::unique_ptr<Timer>> timers_;
  std::map<std::string, std::function<double()>> gauges_;
};

}  // namespace base
