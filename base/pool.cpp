#include "base/pool.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <vector>

namespace base {

struct Pool::Impl {
  struct Job {
    std::function<void()> work;
    std::function<void()> done;
  };

  Loop& loop;
  size_t queue_limit;
  std::mutex mutex;
  std::condition_variable wake;
  std::deque<Job> jobs;
  bool stopping = false;
  std::vector<std::thread> threads;
  // Read and written on the loop only: a result that arrives after the pool has gone is dropped.
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);

  Impl(Loop& on, size_t limit) : loop(on), queue_limit(limit) {}

  void serve() {
    for (;;) {
      Job job;
      {
        std::unique_lock lock(mutex);
        wake.wait(lock, [this] { return stopping || !jobs.empty(); });
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
    : impl_(std::make_unique<Impl>(loop, queue_limit)) {
  for (unsigned i = 0; i < std::max(threads, 1U); ++i) {
    impl_->threads.emplace_back([impl = impl_.get()] { impl->serve(); });
  }
}

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
    if (impl_->jobs.size() >= impl_->queue_limit) return false;
    impl_->jobs.push_back({std::move(work), std::move(done)});
  }
  impl_->wake.notify_one();
  return true;
}

}  // namespace base
