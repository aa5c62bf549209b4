#include "chronos/history.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <numeric>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/time_zones.hpp"

namespace chronos {
namespace {

constexpr size_t kDurations = 128;

/// The value below which `share` of the sorted samples lie, between neighbours in proportion.
double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double place = share * static_cast<double>(sorted.size() + 1);
  if (place < 1) return sorted.front();
  if (place >= static_cast<double>(sorted.size())) return sorted.back();
  const auto below = static_cast<size_t>(place);
  return sorted[below - 1] + (place - static_cast<double>(below)) * (sorted[below] - sorted[below - 1]);
}

int64_t milliseconds_of(base::Time time) { return time.nanos() / 1'000'000; }
base::Time time_of(int64_t ms) { return base::Time{base::milliseconds(ms)}; }

}  // namespace

std::optional<double> named_share(const Distribution& d, std::string_view name) {
  if (name == "99thPercentile") return d.p99;
  if (name == "98thPercentile") return d.p98;
  if (name == "95thPercentile") return d.p95;
  if (name == "75thPercentile") return d.p75;
  if (name == "median") return d.median;
  if (name == "mean") return d.mean;
  return std::nullopt;
}

void History::add(RunRecord record, size_t limit) {
  if (record.result == RunResult::Success && record.started) {
    const double seconds = std::chrono::duration<double>(record.ended - *record.started).count();
    if (durations_.size() < kDurations) {
      durations_.push_back(std::max(seconds, 0.0));
    } else {
      durations_[count_ % kDurations] = std::max(seconds, 0.0);
    }
    ++count_;
  }
  runs_.push_back(std::move(record));
  while (runs_.size() > limit) runs_.pop_front();
}

void History::skip(int64_t slots, base::Time last_slot) {
  skipped_ += slots;
  last_skipped_ = last_slot;
}

Distribution History::distribution() const {
  std::vector<double> sorted = durations_;
  std::sort(sorted.begin(), sorted.end());
  Distribution d;
  d.count = count_;
  if (sorted.empty()) return d;
  d.p75 = quantile(sorted, 0.75);
  d.p95 = quantile(sorted, 0.95);
  d.p98 = quantile(sorted, 0.98);
  d.p99 = quantile(sorted, 0.99);
  d.median = quantile(sorted, 0.5);
  d.mean = std::accumulate(sorted.begin(), sorted.end(), 0.0) / static_cast<double>(sorted.size());
  return d;
}

std::string History::encode() const {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.field("count", count_);
  w.field("skipped", skipped_);
  if (last_skipped_) w.field("last_skipped", milliseconds_of(*last_skipped_));
  w.key("durations");
  w.begin_array();
  for (double d : durations_) w.value(d);
  w.end_array();
  w.key("runs");
  w.begin_array();
  for (const RunRecord& run : runs_) {
    w.begin_object();
    w.field("task", run.task_id);
    w.field("agent", run.agent_id);
    if (run.started) w.field("started", milliseconds_of(*run.started));
    w.field("ended", milliseconds_of(run.ended));
    w.field("success", run.result == RunResult::Success);
    w.field("generation", run.generation);
    if (run.elements > 0) w.field("elements", run.elements);
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return text;
}

std::optional<History> History::decode(const std::string& text) {
  using base::json::find;
  const auto root = base::json::parse(text);
  if (!root) return std::nullopt;
  History history;
  const auto count = base::json::get_uint(*root, "/count");
  const auto* durations = find(*root, "/durations");
  const auto* runs = find(*root, "/runs");
  if (!count || !durations || !durations->is_array() || !runs || !runs->is_array()) return std::nullopt;
  history.count_ = *count;
  history.skipped_ = base::json::get_int(*root, "/skipped").value_or(0);
  if (const auto last = base::json::get_int(*root, "/last_skipped")) history.last_skipped_ = time_of(*last);
  for (const auto& value : durations->get_array()) {
    double seconds = 0;
    if (!base::json::to_double(value, seconds) || history.durations_.size() >= kDurations) return std::nullopt;
    history.durations_.push_back(seconds);
  }
  for (const auto& value : runs->get_array()) {
    RunRecord run;
    const auto task = base::json::get_string(value, "/task");
    const auto ended = base::json::get_int(value, "/ended");
    if (!task || !ended) return std::nullopt;
    run.task_id = *task;
    run.agent_id = base::json::get_string(value, "/agent").value_or("");
    if (const auto started = base::json::get_int(value, "/started")) run.started = time_of(*started);
    run.ended = time_of(*ended);
    run.result = base::json::get_bool(value, "/success").value_or(false) ? RunResult::Success : RunResult::Fail;
    run.generation = base::json::get_int(value, "/generation").value_or(0);
    run.elements = base::json::get_int(value, "/elements").value_or(0);
    history.runs_.push_back(std::move(run));
  }
  return history;
}

std::string render_length(base::Duration length) {
  const int64_t seconds = std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::seconds>(length).count());
  std::string text;
  if (seconds >= 3600) text += fmt::format("{}h", seconds / 3600);
  if (seconds >= 60) text += fmt::format("{}m", seconds / 60 % 60);
  return text + fmt::format("{}s", seconds % 60);
}

std::string render_moment(const std::optional<base::Time>& time) {
  if (!time) return "N/A";
  const base::CivilTime c = base::civil_of(std::chrono::floor<std::chrono::seconds>(time->since_epoch).count());
  return fmt::format("{:02}/{:02}/{:02} {:02}:{:02}:{:02}", c.month, c.day, c.year % 100, c.hour, c.minute, c.second);
}

}  // namespace chronos
