// GET /metrics and /metrics/prometheus.

#include <fmt/format.h>

#include "base/json/writer.hpp"
#include "marathon/api/api.hpp"
#include "marathon/app_json.hpp"

namespace marathon::api {
namespace {

using base::json::Writer;

/// Gauges read from the state; counters were counted where things happen.
std::map<std::string, double> gauges(const Turn& turn) {
  const State& state = turn.state;
  size_t running = 0, staged = 0, apps = 0, pods = 0, overdue = 0;
  for (const auto& [id, run] : state.apps) {
    if (run.target) ++(run.target->pod ? pods : apps);
    for (const auto& [instance_id, instance] : run.instances) {
      if (instance.condition == Condition::Running) ++running;
      if (instance.condition < Condition::Provisioned || instance.condition > Condition::Starting) continue;
      ++staged;
      const base::Duration limit = instance.condition == Condition::Provisioned ? turn.policy.task_launch_confirm
                                                                                : turn.policy.task_launch;
      if (turn.now.time - instance.staged_at.value_or(instance.since) > limit) ++overdue;
    }
  }
  return {
      {"apps.active.gauge", static_cast<double>(apps)},
      {"deployments.active.gauge", static_cast<double>(state.deployments.size())},
      {"groups.active.gauge", static_cast<double>(state.groups.size())},
      {"pods.active.gauge", static_cast<double>(pods)},
      {"instances.running.gauge", static_cast<double>(running)},
      {"instances.staged.gauge", static_cast<double>(staged)},
      {"instances.launch-overdue.gauge", static_cast<double>(overdue)},
      {"instances.inflight-kills.gauge", static_cast<double>(state.kills_in_flight.size())},
      {"instances.inflight-kill-attempts.gauge", static_cast<double>(state.kills_in_flight.size())},
      {"http.requests.active.gauge", static_cast<double>(state.open_requests)},
      {"uptime.gauge.seconds", turn.now.time.seconds() - state.started.seconds()},
      {"leadership.duration.gauge.seconds", turn.now.time.seconds() - state.started.seconds()},
      {"http.event-streams.active.gauge", static_cast<double>(state.streams)},
  };
}

std::map<std::string, uint64_t> counters(const State& state) {
  std::map<std::string, uint64_t> all;
  for (const char* name :
       {"deployments.counter", "deployments.dismissed.counter", "tasks.launched", "mesos.calls.revive",
        "mesos.calls.suppress", "mesos.offer-operations.launch", "mesos.offers.declined",
        "mesos.offers.incoming", "mesos.offers.used", "instances.launch-overdue", "persistence.gc.runs",
        "mesos.offer-operations.launch-group", "mesos.offer-operations.reserve", "deployments.deadline-exceeded",
        "deployments.reverted", "http.requests.size.counter.bytes", "http.responses.size.counter.bytes"}) {
    all[name] = 0;
  }
  for (const auto& [name, value] : state.counters) all[name] = value;
  std::map<std::string, uint64_t> named;
  for (const auto& [name, value] : all) named[name.find(".counter") == std::string::npos ? name + ".counter" : name] = value;
  return named;
}

std::map<std::string, Meter> meters(const State& state) {
  std::map<std::string, Meter> all;
  for (size_t i = 0; i < state.answers.size(); ++i) all[fmt::format("http.responses.{}xx.rate.meter", i + 1)] = state.answers[i];
  return all;
}

/// Those of the removal of old versions are there for dashboards: it goes along with other writes.
std::map<std::string, Timing::Summary> timers(const State& state, base::Instant now) {
  std::map<std::string, Timing::Summary> all{{"persistence.gc.compaction.duration.timer.seconds", {}},
                                             {"persistence.gc.scan.duration.timer.seconds", {}}};
  for (const char* method : {"", "get", "post", "put", "delete"}) {
    const auto it = state.requests.find(method);
    const std::string part = *method ? std::string(method) + "." : "";
    all["http.requests." + part + "duration.timer.seconds"] = it == state.requests.end() ? Timing::Summary() : it->second.summary(now);
  }
  return all;
}

using Fields = std::vector<std::pair<const char*, double>>;

Fields rates_of(const Meter::Rates& rates) {
  return {{"m15_rate", rates.m15}, {"m1_rate", rates.m1}, {"m5_rate", rates.m5}, {"mean_rate", rates.mean}};
}

void write_fields(Writer& w, const Fields& fields) {
  for (const auto& [name, value] : fields) {
    w.key(name);
    write_number(w, value);
  }
}

void write_meters(Writer& w, const Turn& turn, const std::string& prefix) {
  w.key("meters");
  w.begin_object();
  for (const auto& [name, meter] : meters(turn.state)) {
    w.key(prefix + name);
    w.begin_object();
    w.field("count", meter.count());
    write_fields(w, rates_of(meter.rates(turn.now.instant)));
    w.field("units", "events/second");
    w.end_object();
  }
  w.end_object();
}

void write_timers(Writer& w, const Turn& turn, const std::string& prefix) {
  w.key("timers");
  w.begin_object();
  for (const auto& [name, timer] : timers(turn.state, turn.now.instant)) {
    w.key(prefix + name);
    w.begin_object();
    w.field("count", timer.count);
    write_fields(w, {{"max", timer.max}, {"mean", timer.mean}, {"min", timer.min}, {"p50", timer.p50}, {"p75", timer.p75},
                     {"p95", timer.p95}, {"p98", timer.p98}, {"p99", timer.p99}, {"p999", timer.p999}, {"stddev", timer.stddev}});
    write_fields(w, rates_of(timer.rates));
    w.field("duration_units", "seconds");
    w.field("rate_units", "calls/second");
    w.end_object();
  }
  w.end_object();
}

void metrics_json(const Request& request) {
  const std::string prefix = request.turn.policy.metrics_prefix + ".";
  std::string body;
  Writer w(body);
  w.begin_object();
  w.field("version", "4.0.0");
  w.key("counters");
  w.begin_object();
  for (const auto& [name, value] : counters(request.state())) {
    w.key(prefix + name);
    w.begin_object();
    w.field("count", value);
    w.end_object();
  }
  w.end_object();
  w.key("gauges");
  w.begin_object();
  for (const auto& [name, value] : gauges(request.turn)) {
    w.key(prefix + name);
    w.begin_object();
    w.key("value");
    write_number(w, value);
    w.end_object();
  }
  w.end_object();
  w.key("histograms");
  w.begin_object();
  w.end_object();
  write_meters(w, request.turn, prefix);
  write_timers(w, request.turn, prefix);
  w.end_object();
  request.reply_json(200, std::move(body));
}

std::string prometheus_name(std::string name) {
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

std::string number_text(double value) {
  std::string number;
  Writer w(number);
  write_number(w, value);
  return number;
}

void add_gauge(std::string& text, const std::string& id, double value) {
  text += "# TYPE " + id + " gauge\n" + id + " " + number_text(value) + "\n";
}

void add_timer(std::string& text, const std::string& id, const Timing::Summary& timer) {
  text += "# TYPE " + id + " summary\n";
  for (const auto& [quantile, value] : Fields{{"0.5", timer.p50}, {"0.75", timer.p75}, {"0.95", timer.p95}, {"0.98", timer.p98},
                                              {"0.99", timer.p99}, {"0.999", timer.p999}}) {
    text += id + "{quantile=\"" + quantile + "\"} " + number_text(value) + "\n";
  }
  text += id + "_count " + std::to_string(timer.count) + "\n";
  Fields fields{{"min", timer.min}, {"mean", timer.mean}, {"max", timer.max}, {"stddev", timer.stddev}};
  const Fields rates = rates_of(timer.rates);
  fields.insert(fields.end(), rates.begin(), rates.end());
  for (const auto& [name, value] : fields) add_gauge(text, id + "_" + name, value);
}

void metrics_prometheus(const Request& request) {
  const Turn& turn = request.turn;
  if (!turn.policy.metrics_prometheus) {
    return request.reply(base::http::Response::text(404, "The Prometheus reporter is disabled (--disable_metrics_prometheus)"));
  }
  const auto named = [&](const std::string& name) { return prometheus_name(turn.policy.metrics_prefix + "." + name); };
  std::string text;
  for (const auto& [name, value] : counters(request.state())) {
    const std::string id = named(name);
    text += "# TYPE " + id + " counter\n" + id + " " + std::to_string(value) + "\n";
  }
  for (const auto& [name, value] : gauges(turn)) add_gauge(text, named(name), value);
  for (const auto& [name, meter] : meters(turn.state)) {
    add_gauge(text, named(name) + "_count", static_cast<double>(meter.count()));
    for (const auto& [rate, value] : rates_of(meter.rates(turn.now.instant))) add_gauge(text, named(name) + "_" + rate, value);
  }
  for (const auto& [name, timer] : timers(turn.state, turn.now.instant)) add_timer(text, named(name), timer);
  auto response = base::http::Response::text(200, std::move(text));
  response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  request.reply(std::move(response));
}

}  // namespace

void handle_metrics(const Request& request) {
  if (request.http.method != "GET" && request.http.method != "HEAD") return method_not_allowed(request, "GET");
  if (request.rest.empty()) return metrics_json(request);
  if (request.rest.size() == 1 && request.rest[0] == "prometheus") return metrics_prometheus(request);
  request.refuse(404, "URI not found: " + request.path);
}

}  // namespace marathon::api
