#include "base/pool.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace base {

struct Pool::Impl {
  struct Job {
    std::function<void()> work;
    std::function<void()> done;
  };

  Loop& loop;
  const size_t thread_limit, queue_limit;
  std::mutex mutex;  // guards what follows, down to `threads`
  std::condition_variable wake;
  std::deque<Job> jobs;
  size_t idle = 0;  // threads that wait, or were woken for a job that is still in the queue
  bool stopping = false;
  std::vector<std::thread> threads;
  // Read and written on the loop only: a result that arrives after the pool has gone is dropped.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);

  Impl(Loop& on, unsigned most, size_t limit) : loop(on), thread_limit(std::max(most, 1U)), queue_limit(limit) {}

  /// One more thread, unless there are enough for what waits. False: there is none at all, and the system refuses one.
  bool provide() {
    if (idle > jobs.size() || threads.size() >= thread_limit) return true;
    try {
      threads.emplace_back([this] { serve(); });
    } catch (const std::system_error&) {
      return !threads.empty();
    }
    return true;
  }

  void serve() {
    for (;;) {
      Job job;
      {
        std::unique_lock lock(mutex);
        ++idle;
        wake.wait(lock, [this] { return stopping || !jobs.empty(); });
        --idle;
        if (stopping) return;
        job = std::move(jobs.front());
        jobs.pop_front();
      }
      job.work();
      job.work = nullptr;
      loop.post([alive = alive, done = std::move(job.done)] {
        if (*alive && done) done();
      });
    }
  }
};

Pool::Pool(Loop& loop, unsigned threads, size_t queue_limit)
    : impl_(std::make_unique<Impl>(loop, threads, queue_limit)) {}

Pool::~Pool() {
  *impl_->alive = false;
  {
    std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->wake.notify_all();
  for (auto& thread : impl_->threads) thread.join();
}

bool Pool::run(std::function<void()> work, std::function<void()> done) {
  {
    std::lock_guard lock(impl_->mutex);
    if (impl_->jobs.size() >= impl_->queue_limit || !impl_->provide()) return false;
    impl_->jobs.push_back({std::move(work), std::move(done)});
  }
  impl_->wake.notify_one();
  return true;
}

}  // namespace base
