#pragma once

#include <functional>
#include <memory>

#include "base/file.hpp"
#include "base/loop.hpp"

namespace containerizer {

/// Calls `readable` on the loop each time the descriptor has something to read (a pidfd: when the process has ended),
/// until destroyed. The function may destroy the watch.
class FdWatch {
 public:
  FdWatch(base::Loop& loop, base::Fd fd, std::function<void()> readable);
  ~FdWatch();
  int fd() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace containerizer
