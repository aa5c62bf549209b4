#include "base/check.hpp"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace base {

namespace {
std::atomic<void (*)()> reporter{nullptr};
}

void set_check_reporter(void (*report)()) { reporter = report; }

void check_failed(const char* file, int line, const char* what, std::string_view detail) {
  std::fprintf(stderr, "CHECK failed at %s:%d: %s%s%.*s\n", file, line, what, detail.empty() ? "" : ": ",
               static_cast<int>(detail.size()), detail.data());
  // A reporter that itself fails must not recurse.
  if (auto report = reporter.exchange(nullptr)) report();
  std::fflush(stderr);
  std::abort();
}

}  // namespace base
