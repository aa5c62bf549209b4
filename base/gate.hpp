#pragma once

// The way from a library's own threads to the loop. Its owner shuts it before the loop goes; later calls are dropped.

#include <mutex>
#include <utility>

#include "base/loop.hpp"

namespace base {

class Gate {
 public:
  explicit Gate(Loop& loop) : loop_(&loop) {}

  /// Thread-safe.
  void post(Loop::Function call) {
    const std::lock_guard lock(mutex_);
    if (loop_ != nullptr) loop_->post(std::move(call));
  }

  void shut() {
    const std::lock_guard lock(mutex_);
    loop_ = nullptr;
  }

 private:
  std::mutex mutex_;
  Loop* loop_;
};

}  // namespace base
