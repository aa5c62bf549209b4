#include "base/spdlog_sink.hpp"

#include <fmt/format.h>
#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>

#include "base/log_line.hpp"

namespace base::log {

namespace {

spdlog::logger& logger() {
  // Never destroyed: threads may log while the process ends.
  static spdlog::logger* const instance = [] {
    auto made = std::make_unique<spdlog::logger>("dcos", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>("%Y-%m-%dT%H:%M:%S.%eZ %L %v",
                                                                    spdlog::pattern_time_type::utc));
    made->set_level(spdlog::level::trace);  // the facade has decided already
    return made.release();
  }();
  return *instance;
}

spdlog::level::level_enum level_of(Level level) {
  switch (level) {
    case Level::Debug: return spdlog::level::debug;
    case Level::Info: return spdlog::level::info;
    case Level::Warning: return spdlog::level::warn;
    case Level::Error: return spdlog::level::err;
  }
  return spdlog::level::info;
}

void to_spdlog(Level level, std::string_view component, std::string_view message) {
  std::string line = render_line(component, message);
  logger().log(level_of(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace

void use_spdlog() {
  logger();
  set_sink(to_spdlog);
}

}  // namespace base::log
