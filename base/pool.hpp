#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "base/loop.hpp"

namespace base {

/// Threads for what blocks or takes long (files, fork, rendering). `work` runs on a thread of the pool, `done` with its
/// result on the loop. The queue is bounded: run() refuses (false) beyond `queue_limit` waiting jobs. Threads are started
/// when there is work for them, at most `threads`, and stay.
class Pool {
 public:
  Pool(Loop& loop, unsigned threads, size_t queue_limit = 10'000);
  ~Pool();  // waits for running jobs; queued ones are dropped

  bool run(std::function<void()> work, std::function<void()> done);

  template <class Work, class Done>
  bool run_for(Work work, Done done) {
    using T = decltype(work());
    auto slot = std::make_shared<std::unique_ptr<T>>();
    return run([slot, work = std::move(work)]() mutable { *slot = std::make_unique<T>(work()); },
               [slot, done = std::move(done)]() mutable { done(std::move(**slot)); });
  }

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace base
