#pragma once

// What a job's runs have been: the newest ones in full, all of them as counts, and a window of durations.

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace chronos {

enum class RunResult { Success, Fail };

struct RunRecord {
  std::string task_id, agent_id;
  std::optional<base::Time> started;
  base::Time ended;
  RunResult result = RunResult::Success;
  int64_t generation = 0;  // slot of its scheduled ancestor, in milliseconds
  int64_t elements = 0;    // that a data processing job has reported
  bool operator==(const RunRecord&) const = default;
};

/// Shares of durations in seconds.
struct Distribution {
  double p75 = 0, p95 = 0, p98 = 0, p99 = 0, median = 0, mean = 0;
  uint64_t count = 0;
};

/// By the names that the API has for them: "95thPercentile", "mean". Absent: no such name.
std::optional<double> named_share(const Distribution& distribution, std::string_view name);

class History {
 public:
  /// Keeps the newest `limit` records.
  void add(RunRecord record, size_t limit);
  void skip(int64_t slots, base::Time last_slot);

  Distribution distribution() const;
  const std::deque<RunRecord>& runs() const { return runs_; }  // oldest first
  int64_t skipped() const { return skipped_; }
  std::optional<base::Time> last_skipped() const { return last_skipped_; }
  bool empty() const { return runs_.empty() && skipped_ == 0; }

  std::string encode() const;
  static std::optional<History> decode(const std::string& text);

 private:
  std::deque<RunRecord> runs_;
  std::vector<double> durations_;  // a ring of the newest
  uint64_t count_ = 0;
  int64_t skipped_ = 0;
  std::optional<base::Time> last_skipped_;
};

/// "1h2m3s"; "0s" for nothing.
std::string render_length(base::Duration length);

/// "03/08/14 20:00:00", or "N/A": how run times are shown.
std::string render_moment(const std::optional<base::Time>& time);

}  // namespace chronos
