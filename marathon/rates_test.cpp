#include "marathon/rates.hpp"

#include <gtest/gtest.h>

namespace marathon {
namespace {

base::Instant at(int64_t seconds) { return base::Instant{base::seconds(seconds)}; }

TEST(Rates, of_nothing_are_zero) {
  const Meter meter;
  EXPECT_EQ(meter.count(), 0U);
  EXPECT_EQ(meter.rates(at(100)).m1, 0);
  EXPECT_EQ(Timing().summary(at(1)).p99, 0);
}

TEST(Rates, of_something_steady_are_its_rate) {
  Meter meter;
  for (int second = 0; second < 600; ++second) meter.mark(at(second), 2);
  const Meter::Rates rates = meter.rates(at(600));
  EXPECT_EQ(meter.count(), 1200U);
  EXPECT_NEAR(rates.mean, 2, 0.01);
  EXPECT_NEAR(rates.m1, 2, 0.05);
  EXPECT_NEAR(rates.m5, 2, 0.05);
  EXPECT_NEAR(rates.m15, 2, 0.05);
}

/// After a minute the average over one has lost 1 - 1/e of what was before.
TEST(Rates, of_what_has_ended_fade) {
  Meter meter;
  for (int second = 0; second < 600; ++second) meter.mark(at(second), 2);
  EXPECT_NEAR(meter.rates(at(660)).m1, 2 * 0.3679, 0.05);
  EXPECT_NEAR(meter.rates(at(900)).m5, 2 * 0.3679, 0.05);
  EXPECT_NEAR(meter.rates(at(1500)).m15, 2 * 0.3679, 0.05);
  EXPECT_LT(meter.rates(at(100'000)).m1, 1e-6);
  EXPECT_NEAR(meter.rates(at(1200)).mean, 1, 0.01);
}

TEST(Rates, durations_have_quantiles_of_the_last_thousand) {
  Timing timing;
  for (int i = 1; i <= 100; ++i) timing.record(at(i), base::milliseconds(i * 10));
  Timing::Summary summary = timing.summary(at(100));
  EXPECT_EQ(summary.count, 100U);
  EXPECT_DOUBLE_EQ(summary.min, 0.01);
  EXPECT_DOUBLE_EQ(summary.max, 1);
  EXPECT_NEAR(summary.mean, 0.505, 1e-9);
  EXPECT_NEAR(summary.stddev, 0.28866, 1e-4);
  EXPECT_DOUBLE_EQ(summary.p50, 0.5);
  EXPECT_DOUBLE_EQ(summary.p75, 0.75);
  EXPECT_DOUBLE_EQ(summary.p95, 0.95);
  EXPECT_DOUBLE_EQ(summary.p99, 0.99);
  EXPECT_DOUBLE_EQ(summary.p999, 1);
  for (int i = 0; i < 1024; ++i) timing.record(at(200), base::seconds(2));
  summary = timing.summary(at(200));
  EXPECT_EQ(summary.count, 1124U);
  EXPECT_DOUBLE_EQ(summary.min, 2) << "what is older is forgotten";
}

}  // namespace
}  // namespace marathon
