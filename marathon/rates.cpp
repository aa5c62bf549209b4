#include "marathon/rates.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace marathon {
namespace {

constexpr base::Duration kTick = base::seconds(5);
constexpr std::array<double, 3> kMinutes = {1, 5, 15};
constexpr size_t kWindow = 1024;

double seconds_of(base::Duration duration) { return std::chrono::duration<double>(duration).count(); }

/// How much of an average a tick exchanges.
double share(size_t i) { return 1 - std::exp(-seconds_of(kTick) / 60 / kMinutes[i]); }

double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return 0;
  const double position = std::ceil(q * static_cast<double>(sorted.size())) - 1;
  return sorted[std::min(sorted.size() - 1, static_cast<size_t>(std::max(0.0, position)))];
}

}  // namespace

void Meter::tick(base::Instant now) {
  const auto ticks = (now - ticked_) / kTick;
  if (ticks <= 0) return;
  ticked_ = ticked_ + kTick * ticks;
  const double rate = static_cast<double>(uncounted_) / seconds_of(kTick);
  for (size_t i = 0; i < averages_.size(); ++i) {
    averages_[i] = averaged_ ? averages_[i] + share(i) * (rate - averages_[i]) : rate;
    // In the ticks after the first nothing happened.
    averages_[i] *= std::pow(1 - share(i), static_cast<double>(ticks - 1));
  }
  averaged_ = true;
  uncounted_ = 0;
}

void Meter::mark(base::Instant now, uint64_t by) {
  if (!begun_) start_ = ticked_ = now;
  begun_ = true;
  tick(now);
  count_ += by;
  uncounted_ += by;
}

Meter::Rates Meter::rates(base::Instant now) const {
  if (!begun_) return {};
  Meter then = *this;
  then.tick(now);
  const double age = seconds_of(now - start_);
  return {age > 0 ? static_cast<double>(count_) / age : 0, then.averages_[0], then.averages_[1], then.averages_[2]};
}

void Timing::record(base::Instant now, base::Duration took) {
  meter_.mark(now);
  if (window_.size() < kWindow) {
    window_.push_back(seconds_of(took));
  } else {
    window_[next_] = seconds_of(took);
  }
  next_ = (next_ + 1) % kWindow;
}

Timing::Summary Timing::summary(base::Instant now) const {
  Summary out;
  out.count = meter_.count();
  out.rates = meter_.rates(now);
  if (window_.empty()) return out;
  std::vector<double> sorted = window_;
  std::sort(sorted.begin(), sorted.end());
  const auto n = static_cast<double>(sorted.size());
  out.min = sorted.front();
  out.max = sorted.back();
  out.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / n;
  double squares = 0;
  for (const double value : sorted) squares += (value - out.mean) * (value - out.mean);
  out.stddev = std::sqrt(squares / n);
  out.p50 = quantile(sorted, 0.5);
  out.p75 = quantile(sorted, 0.75);
  out.p95 = quantile(sorted, 0.95);
  out.p98 = quantile(sorted, 0.98);
  out.p99 = quantile(sorted, 0.99);
  out.p999 = quantile(sorted, 0.999);
  return out;
}

}  // namespace marathon
