#include "base/metrics.hpp"

#include <algorithm>
#include <cmath>

#include "base/numbers.hpp"

namespace base {

namespace {

constexpr size_t kWindow = 1000;

std::string prometheus_name(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    const bool keep = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (!keep) c = '_';
  }
  if (!out.empty() && out[0] >= '0' && out[0] <= '9') out.insert(0, "_");
  return out;
}

void line(std::string& out, std::string_view type, const std::string& name, double value) {
  const std::string exported = prometheus_name(name);
  out += "# TYPE " + exported + " " + std::string(type) + "\n";
  out += exported + " " + (std::isfinite(value) ? render_double(value) : "NaN") + "\n";
}

}  // namespace

void Timer::record(Duration duration) {
  const double ms = std::chrono::duration<double, std::milli>(duration).count();
  if (window_ms_.size() < kWindow) {
    window_ms_.push_back(ms);
    next_ = window_ms_.size() % kWindow;
  } else {
    window_ms_[next_] = ms;
    next_ = (next_ + 1) % kWindow;
  }
  ++count_;
}

void Timer::snapshot(std::string_view name, const std::function<void(std::string, double)>& emit) const {
  if (window_ms_.empty()) return;
  const std::string prefix(name);
  emit(prefix, window_ms_[(next_ + window_ms_.size() - 1) % window_ms_.size()]);
  emit(prefix + "/count", static_cast<double>(count_));
  std::vector<double> sorted = window_ms_;
  std::sort(sorted.begin(), sorted.end());
  emit(prefix + "/min", sorted.front());
  emit(prefix + "/max", sorted.back());
  static constexpr std::pair<const char*, double> kQuantiles[] = {
      {"/p50", .5}, {"/p90", .9}, {"/p95", .95}, {"/p99", .99}, {"/p999", .999}, {"/p9999", .9999}};
  for (const auto& [suffix, quantile] : kQuantiles) {
    const auto rank = static_cast<size_t>(quantile * static_cast<double>(sorted.size() - 1) + 0.5);
    emit(prefix + suffix, sorted[rank]);
  }
}

Counter& Metrics::counter(const std::string& name) {
  auto& slot = counters_[name];
  if (!slot) slot = std::make_unique<Counter>();
  return *slot;
}

Timer& Metrics::timer(const std::string& name) {
  auto& slot = timers_[name];
  if (!slot) slot = std::make_unique<Timer>();
  return *slot;
}

void Metrics::gauge(const std::string& name, std::function<double()> read) { gauges_[name] = std::move(read); }

void Metrics::remove(const std::string& name) {
  counters_.erase(name);
  timers_.erase(name);
  gauges_.erase(name);
}

std::map<std::string, double> Metrics::snapshot() const {
  std::map<std::string, double> out;
  for (const auto& [name, counter] : counters_) out[name] = static_cast<double>(counter->value());
  for (const auto& [name, read] : gauges_) out[name] = read();
  for (const auto& [name, timer] : timers_) {
    timer->snapshot(name, [&](std::string key, double value) { out[std::move(key)] = value; });
  }
  return out;
}

std::string Metrics::prometheus() const {
  std::string out;
  for (const auto& [name, counter] : counters_) line(out, "counter", name, static_cast<double>(counter->value()));
  for (const auto& [name, read] : gauges_) line(out, "gauge", name, read());
  for (const auto& [name, timer] : timers_) {
    timer->snapshot(name, [&](const std::string& key, double value) { line(out, "gauge", key, value); });
  }
  return out;
}

}  // namespace base
