#include "installer/steps.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>

#include "base/loop.hpp"

namespace installer {

Steps::Steps()
    : started_(base::system_clock().now().instant), terminal_(isatty(STDOUT_FILENO) == 1) {}

base::Duration Steps::elapsed() const {
  return base::system_clock().now().instant - started_;
}

bool Steps::finish(const std::string& step, const std::string& probed, const Finding& finding) {
  const double at = std::chrono::duration<double>(elapsed()).count();
  fmt::print("{}{:7.2f}s  {:<11} {:<34} {}{}\n", terminal_ ? "\r\033[K" : "", at, step, probed,
             finding.ok ? "" : "FAILED: ", finding.seen);
  if (!finding.ok && !finding.remedy.empty()) fmt::print("{:>20} {}\n", "mend it:", finding.remedy);
  std::fflush(stdout);
  return finding.ok;
}

void Steps::progress(const std::string& step, const std::string& text) {
  if (!terminal_) return;
  const double at = std::chrono::duration<double>(elapsed()).count();
  fmt::print("\r\033[K{:7.2f}s  {:<11} {}", at, step, text);
  std::fflush(stdout);
}

}  // namespace installer
