#pragma once

// The level of the log, changed for a while by an operator: /logging/toggle and SET_LOGGING_LEVEL. On one loop.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/log.hpp"
#include "base/loop.hpp"
#include "base/result.hpp"

namespace base {

/// As flags and the original's users name it: "debug", "trace", "info", "warn", "warning", "error", "fatal", in any letter case;
/// anything else is info.
log::Level log_level_named(std::string_view name);

class LogLevel {
 public:
  /// The level at this time is the one that it goes back to.
  explicit LogLevel(Loop& loop);
  ~LogLevel();
  LogLevel(const LogLevel&) = delete;
  LogLevel& operator=(const LogLevel&) = delete;

  /// As the original counts: 0 is as usual, 1 and more also tell what is for debugging.
  int verbosity() const;

  /// For `duration`; a later call replaces an earlier one. The error names what is wrong.
  Status set(int64_t verbosity, Duration duration);

  /// The endpoint: `level` and `duration` of the query, or neither. The text of the answer, or of the answer 400.
  Result<std::string> toggle(const std::optional<std::string>& level, const std::optional<std::string>& duration);

 private:
  Loop& loop_;
  log::Level usual_;
  Loop::TimerId timer_ = 0;
};

}  // namespace base
