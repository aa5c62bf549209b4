#include "base/metrics.hpp"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Metrics, snapshot_holds_counters_gauges_and_timer_statistics) {
  Metrics metrics;
  metrics.counter("master/tasks_finished").increment(3);
  metrics.gauge("master/elected", [] { return 1.0; });
  for (int i = 1; i <= 100; ++i) metrics.timer("registrar/state_store_ms").record(milliseconds(i));
  const auto snapshot = metrics.snapshot();
  EXPECT_EQ(snapshot.at("master/tasks_finished"), 3);
  EXPECT_EQ(snapshot.at("master/elected"), 1);
  EXPECT_EQ(snapshot.at("registrar/state_store_ms"), 100);
  EXPECT_EQ(snapshot.at("registrar/state_store_ms/count"), 100);
  EXPECT_EQ(snapshot.at("registrar/state_store_ms/min"), 1);
  EXPECT_NEAR(snapshot.at("registrar/state_store_ms/p50"), 50, 1);
}

TEST(Metrics, timer_window_forgets_the_oldest_but_counts_all) {
  Metrics metrics;
  auto& timer = metrics.timer("t");
  for (int i = 0; i < 1500; ++i) timer.record(milliseconds(i));
  const auto snapshot = metrics.snapshot();
  EXPECT_EQ(snapshot.at("t/count"), 1500);
  EXPECT_EQ(snapshot.at("t/min"), 500);
  EXPECT_EQ(snapshot.at("t"), 1499);
}

TEST(Metrics, prometheus_text_has_legal_names) {
  Metrics metrics;
  metrics.counter("master/task_lost/source_master/reason_slave_removed").increment();
  EXPECT_EQ(metrics.prometheus(),
            "# TYPE master_task_lost_source_master_reason_slave_removed counter\n"
            "master_task_lost_source_master_reason_slave_removed 1.0\n");
}

}  // namespace
}  // namespace base
