#pragma once

// Logging facade: LOG_INFO("agent {} is unreachable after {} missed pings", id, n). The format is checked at compile
// time; the component is the folder of the calling code. Sinks live in tier io; this header includes no log library.
// Thread-safe. Secrets never go into a log line.

#include <fmt/core.h>

#include <string_view>

namespace base::log {

enum class Level { Debug, Info, Warning, Error };

/// Writes one finished line. `component` is a folder of the repository such as "kernel/master".
using Sink = void (*)(Level level, std::string_view component, std::string_view message);

/// The default sink writes to standard error.
void set_sink(Sink sink);
void set_level(Level level);
Level level();

void write(Level level, std::string_view component, fmt::string_view format, fmt::format_args args);

template <class... Args>
void line(Level at, std::string_view component, fmt::format_string<Args...> format, Args&&... args) {
  if (at >= level()) write(at, component, format, fmt::make_format_args(args...));
}

}  // namespace base::log

#ifndef DC_COMPONENT
#define DC_COMPONENT "?"
#endif

#define LOG_DEBUG(...) ::base::log::line(::base::log::Level::Debug, DC_COMPONENT, __VA_ARGS__)
#define LOG_INFO(...) ::base::log::line(::base::log::Level::Info, DC_COMPONENT, __VA_ARGS__)
#define LOG_WARNING(...) ::base::log::line(::base::log::Level::Warning, DC_COMPONENT, __VA_ARGS__)
#define LOG_ERROR(...) ::base::log::line(::base::log::Level::Error, DC_COMPONENT, __VA_ARGS__)
