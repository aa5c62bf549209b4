#pragma once

// Invariants of our own code. A violated CHECK prints where and why, then the last events of the process's ring, and
// aborts; it stays on in release builds. Nothing that comes from outside may reach one.

#include <string>
#include <string_view>

namespace base {

[[noreturn]] void check_failed(const char* file, int line, const char* what, std::string_view detail = {});

/// Called by check_failed before abort, to print what the process was doing (the event ring). Set once at start.
void set_check_reporter(void (*reporter)());

}  // namespace base

#define CHECK(condition) \
  (static_cast<bool>(condition) ? void() : ::base::check_failed(__FILE__, __LINE__, #condition))
#define CHECK_MSG(condition, detail) \
  (static_cast<bool>(condition) ? void() : ::base::check_failed(__FILE__, __LINE__, #condition, (detail)))
#define UNREACHABLE() ::base::check_failed(__FILE__, __LINE__, "unreachable")
