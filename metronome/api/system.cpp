// The daemon's own state.

#include "metronome/api/api.hpp"

namespace metronome::api {
namespace {

using base::http::Response;

// Of the API that is served here.
constexpr const char* kVersion = "0.6.78";
constexpr const char* kLibVersion = "1.11.24";

void write_number(base::json::Writer& w, const std::string& name, const char* key, uint64_t value) {
  w.key("metronome." + name);
  w.begin_object();
  w.field(key, value);
  w.end_object();
}

std::string render_metrics(const State& state) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("version", "4.0.0");
  w.key("gauges");
  w.begin_object();
  size_t active = 0;
  for (const auto& [id, job] : state.jobs) active += job.active.size();
  write_number(w, "jobs.active.gauge", "value", active);
  write_number(w, "jobs.defined.gauge", "value", state.jobs.size());
  write_number(w, "runs.queued.gauge", "value", state.queue.size());
  write_number(w, "mesos.subscribed.gauge", "value", state.subscribed ? 1 : 0);
  w.end_object();
  w.key("counters");
  w.begin_object();
  for (const char* name : {"jobs.started", "jobs.failed"}) {
    if (!state.counters.contains(name)) write_number(w, std::string(name) + ".counter", "count", 0);
  }
  for (const auto& [name, value] : state.counters) write_number(w, name + ".counter", "count", value);
  w.end_object();
  for (const char* kind : {"histograms", "meters", "timers"}) {
    w.key(kind);
    w.begin_object();
    w.end_object();
  }
  w.end_object();
  return body;
}

}  // namespace

void ping(Turn& turn, const Request& request) { turn.out.reply(request.call, Response::text(200, "pong")); }

void info(Turn& turn, const Request& request) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("version", kVersion);
  w.field("libVersion", kLibVersion);
  w.key("config");
  w.begin_object();
  for (const auto& [key, value] : turn.policy.config) w.field(key, value);
  w.end_object();
  w.end_object();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void leader(Turn& turn, const Request& request) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("leader", request.address);
  w.end_object();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

std::string standby_metrics() {
  State nothing;
  return render_metrics(nothing);
}

void metrics(Turn& turn, const Request& request) {
  turn.out.reply(request.call, Response::json(200, render_metrics(turn.state)));
}

}  // namespace metronome::api
