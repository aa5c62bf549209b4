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

  /// Stops and resumes the calls.
  void pause(bool pause);

  /// `call` runs once, when the descriptor takes something; a later one replaces it.
  void when_writable(std::function<void()> call);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace containerizer
