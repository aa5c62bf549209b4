#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "marathon/api/api.hpp"
#include "marathon/app_json.hpp"
#include "marathon/records.hpp"

namespace marathon::api {
namespace {

using base::json::Writer;

constexpr const char* kPrefix = "marathon.";

bool is_get(const Request& request) {
  return request.http.method == "GET" || request.http.method == "HEAD";
}

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
        "deployments.reverted"}) {
    all[name] = 0;
  }
  for (const auto& [name, value] : state.counters) all[name] = value;
  std::map<std::string, uint64_t> named;
  for (const auto& [name, value] : all) {
    named[kPrefix + (name.ends_with(".counter") ? name : name + ".counter")] = value;
  }
  return named;
}

void metrics_json(const Request& request) {
  std::string body;
  Writer w(body);
  w.begin_object();
  w.field("version", "4.0.0");
  w.key("counters");
  w.begin_object();
  for (const auto& [name, value] : counters(request.state())) {
    w.key(name);
    w.begin_object();
    w.field("count", value);
    w.end_object();
  }
  w.end_object();
  w.key("gauges");
  w.begin_object();
  for (const auto& [name, value] : gauges(request.turn)) {
    w.key(kPrefix + name);
    w.begin_object();
    w.key("value");
    write_number(w, value);
    w.end_object();
  }
  w.end_object();
  for (const char* empty : {"histograms", "meters", "timers"}) {
    w.key(empty);
    w.begin_object();
    w.end_object();
  }
  w.end_object();
  request.reply_json(200, std::move(body));
}

std::string prometheus_name(std::string name) {
  for (char& c : name) {
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return name;
}

void metrics_prometheus(const Request& request) {
  std::string text;
  for (const auto& [name, value] : counters(request.state())) {
    const std::string id = prometheus_name(name);
    text += "# TYPE " + id + " counter\n" + id + " " + std::to_string(value) + "\n";
  }
  for (const auto& [name, value] : gauges(request.turn)) {
    const std::string id = prometheus_name(kPrefix + name);
    std::string number;
    Writer w(number);
    write_number(w, value);
    text += "# TYPE " + id + " gauge\n" + id + " " + number + "\n";
  }
  auto response = base::http::Response::text(200, std::move(text));
  response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
  request.reply(std::move(response));
}

}  // namespace

void handle_info(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  const State& state = request.state();
  std::string body;
  Writer w(body);
  w.begin_object();
  w.field("name", "marathon");
  w.field("version", request.identity.version);
  w.field("buildref", "unknown");
  w.field("elected", true);
  w.field("leader", request.identity.leader);
  w.key("frameworkId");
  if (state.framework_id.empty()) {
    w.null();
  } else {
    w.value(state.framework_id);
  }
  w.key("marathon_config");
  w.raw(request.identity.marathon_config);
  w.key("zookeeper_config");
  w.raw(request.identity.zookeeper_config);
  w.key("http_config");
  w.raw(request.identity.http_config);
  w.end_object();
  request.reply_json(200, std::move(body));
}

void handle_leader(const Request& request) {
  if (is_get(request)) {
    std::string body;
    Writer w(body);
    w.begin_object();
    w.field("leader", request.identity.leader);
    w.end_object();
    return request.reply_json(200, std::move(body));
  }
  if (request.http.method != "DELETE") return method_not_allowed(request, "GET, DELETE");
  std::vector<Write> orders;
  for (const auto& [option, key] : {std::pair("backup", kBackupOrderKey), std::pair("restore", kRestoreOrderKey)}) {
    const auto uri = request.query.get(option);
    if (!uri) continue;
    if (!uri->starts_with("file:///")) {
      return request.refuse(422, std::string(option) + " wants the URI of a file, such as file:///var/backups/marathon; others "
                                                       "are not supported");
    }
    orders.push_back({key, *uri});
  }
  commit(request.turn, std::move(orders), [call = request.call](Turn& turn, const base::Status& status) {
    if (!status) return turn.out.reply(call, render(marathon::refuse(503, status.error().message)));
    turn.out.reply(call, base::http::Response::json(200, R"({"message":"Leadership abdicated"})"));
    turn.out.exit(103, "leadership was given up on request");
  });
}

void handle_config(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  std::string body;
  Writer w(body);
  w.begin_object();
  w.key("marathon");
  w.raw(request.identity.marathon_config);
  w.key("zookeeper");
  w.raw(request.identity.zookeeper_config);
  w.key("http");
  w.raw(request.identity.http_config);
  w.end_object();
  request.reply_json(200, std::move(body));
}

void handle_plugins(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  if (!request.rest.empty()) return request.refuse(404, "no plugin is loaded");
  request.reply_json(200, R"({"plugins":[]})");
}

void handle_ping(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  request.reply(answer_ping(request.http));
}

void handle_metrics(const Request& request) {
  if (!is_get(request)) return method_not_allowed(request, "GET");
  if (request.rest.empty()) return metrics_json(request);
  if (request.rest.size() == 1 && request.rest[0] == "prometheus") return metrics_prometheus(request);
  request.refuse(404, "URI not found: " + request.path);
}

}  // namespace marathon::api

base::http::Response marathon::answer_ping(const base::http::Request& request) {
  const std::string_view accept = request.headers.get_or("Accept", "*/*");
  const auto accepts = [&](std::string_view type) { return accept.find(type) != std::string_view::npos; };
  if (accepts("*/*") || accepts("text/")) return base::http::Response::text(200, "pong");
  if (accepts("application/json")) return base::http::Response::json(200, "\"pong\"");
  base::http::Response response;
  response.status = 204;
  return response;
}
