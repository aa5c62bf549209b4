#include "base/log.hpp"

#include <fmt/format.h>

#include <atomic>
#include <cstdio>

#include "base/log_line.hpp"

namespace base::log {

namespace {

void to_stderr(Level level, std::string_view component, std::string_view message) {
  static constexpr char kLetters[] = "DIWE";
  const std::string line = fmt::format("{} {}\n", kLetters[static_cast<int>(level)], render_line(component, message));
  // What cannot be written is lost: nobody ends because of it.
  (void)std::fwrite(line.data(), 1, line.size(), stderr);
}

std::atomic<Sink> current_sink{to_stderr};
std::atomic<Level> current_level{Level::Info};

}  // namespace

void set_sink(Sink sink) { current_sink = sink; }
void set_level(Level level) { current_level = level; }
Level level() { return current_level.load(std::memory_order_relaxed); }

void write(Level level, std::string_view component, fmt::string_view format, fmt::format_args args) {
  current_sink.load()(level, component, fmt::vformat(format, args));
}

}  // namespace base::log
