#include "base/log_level.hpp"

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace base {

log::Level log_level_named(std::string_view given) {
  const std::string name = to_lower(given);
  if (name == "debug" || name == "trace") return log::Level::Debug;
  if (name == "warn" || name == "warning") return log::Level::Warning;
  if (name == "error" || name == "fatal") return log::Level::Error;
  return log::Level::Info;
}

LogLevel::LogLevel(Loop& loop) : loop_(loop), usual_(log::level()) {}

LogLevel::~LogLevel() {
  if (timer_ == 0) return;
  loop_.cancel(timer_);
  log::set_level(usual_);
}

int LogLevel::verbosity() const { return log::level() == log::Level::Debug ? 1 : 0; }

Status LogLevel::set(int64_t verbosity, Duration duration) {
  if (verbosity < 0) return invalid("Invalid level '" + std::to_string(verbosity) + "'.");
  const bool usually_debug = usual_ == log::Level::Debug;
  if (usually_debug && verbosity == 0) return invalid("'0' < original level.");
  if (duration <= Duration(0) || duration > hours(24 * 365)) return invalid("'duration' must be positive and at most a year");
  if (timer_ != 0) loop_.cancel(timer_);
  log::set_level(verbosity > 0 ? log::Level::Debug : usual_);
  timer_ = loop_.after(duration, [this] {
    timer_ = 0;
    log::set_level(usual_);
    LOG_INFO("the log is as usual again");
  });
  return {};
}

Result<std::string> LogLevel::toggle(const std::optional<std::string>& level, const std::optional<std::string>& duration) {
  if (!level && !duration) return std::to_string(verbosity()) + "\n";
  if (!duration) return invalid("Expecting 'duration=value' in query.\n");
  if (!level) return invalid("Expecting 'level=value' in query.\n");
  const auto number = parse_int(*level);
  if (!number) return invalid("Failed to parse 'level': " + number.error().message + ".\n");
  const auto time = parse_duration(*duration);
  if (!time) return invalid("Failed to parse 'duration': " + time.error().message + ".\n");
  if (Status done = set(*number, *time); !done) return invalid(done.error().message + "\n");
  return std::string();
}

}  // namespace base
