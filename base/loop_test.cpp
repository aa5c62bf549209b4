#include "base/loop.hpp"

#include <gtest/gtest.h>
#include <signal.h>

#include <atomic>
#include <filesystem>
#include <iterator>
#include <latch>
#include <string>
#include <thread>

#include "base/pool.hpp"

namespace base {
namespace {

TEST(Loop, runs_timers_in_the_order_of_their_deadlines) {
  Loop loop;
  std::string order;
  Instant now = loop.now().instant;
  loop.at(now + milliseconds(4), [&] {
    order += "c";
    loop.stop(7);
  });
  loop.at(now + milliseconds(2), [&] { order += "a"; });
  loop.at(now + milliseconds(2), [&] { order += "b"; });
  auto cancelled = loop.at(now + milliseconds(1), [&] { order += "x"; });
  loop.cancel(cancelled);
  EXPECT_EQ(loop.run(), 7);
  EXPECT_EQ(order, "abc");
}

TEST(Loop, runs_an_earlier_timer_set_after_a_later_one) {
  Loop loop;
  bool ran = false;
  loop.after(hours(1), [] {});
  loop.after(milliseconds(1), [&] {
    ran = true;
    loop.stop();
  });
  loop.run();
  EXPECT_TRUE(ran);
}

TEST(Loop, repeats_a_call_until_it_is_cancelled_from_inside) {
  Loop loop;
  int count = 0;
  Loop::TimerId id = 0;
  id = loop.every(milliseconds(1), [&] {
    if (++count == 3) {
      loop.cancel(id);
      loop.after(milliseconds(5), [&] { loop.stop(); });
    }
  });
  loop.run();
  EXPECT_EQ(count, 3);
}

TEST(Loop, cancels_a_timer_that_is_due_in_the_same_turn) {
  Loop loop;
  bool second = false;
  Loop::TimerId other = 0;
  Instant past = loop.now().instant - seconds(1);
  loop.at(past, [&] {
    loop.cancel(other);
    loop.post([&] { loop.stop(); });
  });
  other = loop.at(past, [&] { second = true; });
  loop.run();
  EXPECT_FALSE(second);
}

TEST(Loop, takes_posts_from_other_threads_and_runs_again_after_a_stop) {
  Loop loop;
  int sum = 0;
  for (int round = 0; round < 2; ++round) {
    std::thread thread([&] {
      loop.post([&] {
        ++sum;
        loop.stop(round);
      });
    });
    EXPECT_EQ(loop.run(), round);
    thread.join();
  }
  EXPECT_EQ(sum, 2);
}

TEST(Loop, hears_signals) {
  Loop loop;
  int heard = 0;
  loop.on_signal(SIGUSR1, [&] {
    if (++heard == 2)
      loop.stop();
    else
      ::raise(SIGUSR1);
  });
  loop.post([] { ::raise(SIGUSR1); });
  loop.run();
  EXPECT_EQ(heard, 2);
}

TEST(Pool, brings_results_back_to_the_loop) {
  Loop loop;
  Pool pool(loop, 2);
  auto here = std::this_thread::get_id();
  int sum = 0;
  int left = 100;
  for (int i = 1; i <= 100; ++i) {
    ASSERT_TRUE(pool.run_for([i] { return i; },
                             [&](int value) {
                               EXPECT_EQ(std::this_thread::get_id(), here);
                               sum += value;
                               if (--left == 0) loop.stop();
                             }));
  }
  loop.run();
  EXPECT_EQ(sum, 5050);
}

TEST(Pool, refuses_work_beyond_its_limit_and_drops_what_waits_at_its_end) {
  Loop loop;
  bool ran = false;
  {
    Pool pool(loop, 1, 1);
    std::atomic<bool> started{false};
    std::atomic<bool> go{false};
    ASSERT_TRUE(pool.run(
        [&] {
          started = true;
          started.notify_one();
          go.wait(false);
        },
        [&] { ran = true; }));
    started.wait(false);
    EXPECT_TRUE(pool.run([&] { ran = true; }, nullptr));
    EXPECT_FALSE(pool.run([] {}, nullptr));
    std::thread opener([&] {
      go = true;
      go.notify_one();
    });
    opener.join();
  }
  loop.post([&] { loop.stop(); });
  loop.run();
}

TEST(Pool, has_no_more_threads_than_it_had_jobs_at_once) {
  const auto threads = [] { return std::distance(std::filesystem::directory_iterator("/proc/self/task"), {}); };
  const auto before = threads();
  Loop loop;
  Pool pool(loop, 3);
  EXPECT_EQ(threads(), before);
  std::latch both(2);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(pool.run([&] { both.arrive_and_wait(); }, nullptr));
  both.wait();
  EXPECT_EQ(threads(), before + 2);
  for (int i = 0; i < 8; ++i) ASSERT_TRUE(pool.run([] {}, nullptr));
  ASSERT_TRUE(pool.run([] {}, [&] { loop.stop(); }));
  loop.run();
  EXPECT_LE(threads(), before + 3);
}

}  // namespace
}  // namespace base
