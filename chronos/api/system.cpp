// The graph as text, the daemon's own state, metrics, the page at the root.

#include <fmt/format.h>

#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "chronos/api/api.hpp"

namespace chronos::api {
namespace {

using base::http::Response;

Response plain(std::string text) {
  Response response = Response::text(200, std::move(text));
  response.headers.set("Content-Type", "text/plain");
  return response;
}

void write_number(base::json::Writer& w, const std::string& name, const char* key, uint64_t value) {
  w.key(name);
  w.begin_object();
  w.field(key, value);
  w.end_object();
}

}  // namespace

void graph_dot(Turn& turn, const Request& request) {
  std::map<JobName, size_t> numbers;
  std::string text = "digraph G {\n";
  for (const auto& [name, job] : turn.state.jobs) {
    const size_t number = numbers.size() + 1;
    numbers.emplace(name, number);
    text += fmt::format("  {} [ label=\"{}\" ];\n", number, name);
  }
  for (const auto& [name, job] : turn.state.jobs) {
    for (const JobName& parent : job.job.parents) {
      text += fmt::format("  {} -> {};\n", numbers.at(parent), numbers.at(name));
    }
  }
  turn.out.reply(request.call, plain(text + "}\n"));
}

void graph_csv(Turn& turn, const Request& request) {
  std::string text;
  for (const auto& [name, job] : turn.state.jobs) {
    text += fmt::format("node,{},{},{}\n", name, status_of(job), state_of(turn.state, job));
  }
  for (const auto& [name, job] : turn.state.jobs) {
    for (const JobName& parent : job.job.parents) text += fmt::format("link,{},{}\n", parent, name);
  }
  turn.out.reply(request.call, plain(std::move(text)));
}

void ping(Turn& turn, const Request& request) { turn.out.reply(request.call, plain("pong")); }

void leader(Turn& turn, const Request& request) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("leader", request.address);
  w.end_object();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void health(Turn& turn, const Request& request) {
  const State& state = turn.state;
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("role", "leader");
  w.field("leader", request.address);
  w.field("store", state.unsaved.empty() ? "ok" : "refusing commits");
  w.field("kernel", state.subscribed ? "subscribed" : "disconnected");
  w.field("master", state.master);
  w.field("frameworkId", state.framework_id);
  w.field("jobs", state.jobs.size());
  w.field("queued", state.queue.size());
  w.field("running", state.runs.size());
  w.end_object();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void metrics(Turn& turn, const Request& request) {
  const State& state = turn.state;
  size_t high = 0;
  for (const auto& [place, name] : state.queue) high += place.first == 0;
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("version", "3.0.0");
  w.key("gauges");
  w.begin_object();
  const std::string prefix = "org.apache.mesos.chronos.scheduler.jobs.TaskManager.";
  write_number(w, prefix + "queueSize", "value", state.queue.size() - high);
  write_number(w, prefix + "highQueueSize", "value", high);
  write_number(w, "chronos.jobs", "value", state.jobs.size());
  write_number(w, "chronos.runs", "value", state.runs.size());
  write_number(w, "chronos.subscribed", "value", state.subscribed ? 1 : 0);
  w.end_object();
  w.key("counters");
  w.begin_object();
  for (const auto& [name, value] : state.counters) write_number(w, "chronos." + name, "count", value);
  for (const auto& [name, job] : state.jobs) {
    if (job.counters.successes > 0) {
      write_number(w, "jobs.run.success." + name, "count", static_cast<uint64_t>(job.counters.successes));
    }
    if (job.counters.errors > 0) {
      write_number(w, "jobs.run.failure." + name, "count", static_cast<uint64_t>(job.counters.errors));
    }
  }
  w.end_object();
  w.key("histograms");
  w.begin_object();
  for (const auto& [name, job] : state.jobs) {
    const Distribution d = job.history.distribution();
    if (d.count == 0) continue;
    w.key("jobs.run.time." + name);
    w.begin_object();
    w.field("count", d.count);
    w.field("mean", d.mean);
    w.field("p50", d.median);
    w.field("p75", d.p75);
    w.field("p95", d.p95);
    w.field("p98", d.p98);
    w.field("p99", d.p99);
    w.end_object();
  }
  w.end_object();
  w.key("meters");
  w.begin_object();
  w.end_object();
  w.key("timers");
  w.begin_object();
  w.end_object();
  w.end_object();
  turn.out.reply(request.call, Response::json(200, std::move(body)));
}

void front_page(Turn& turn, const Request& request) {
  Response response = Response::text(200, fmt::format(
      "<!doctype html><title>chronos</title><h1>chronos</h1><p>{} jobs, {} runs under way, {} waiting for an offer.</p>"
      "<ul><li><a href=\"scheduler/jobs/summary\">jobs</a><li><a href=\"scheduler/graph/csv\">graph</a>"
      "<li><a href=\"metrics\">metrics</a><li><a href=\"health\">health</a></ul>\n",
      turn.state.jobs.size(), turn.state.runs.size(), turn.state.queue.size()));
  response.headers.set("Content-Type", "text/html; charset=utf-8");
  turn.out.reply(request.call, std::move(response));
}

}  // namespace chronos::api
