#pragma once

// Hears of it when somebody sets the wall clock.

#include <functional>
#include <memory>

#include "base/loop.hpp"

namespace base {

class ClockWatch {
 public:
  ClockWatch(Loop& loop, std::function<void()> jumped);
  ~ClockWatch();
  ClockWatch(const ClockWatch&) = delete;
  ClockWatch& operator=(const ClockWatch&) = delete;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace base
