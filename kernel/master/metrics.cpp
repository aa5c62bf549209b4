// What /metrics/snapshot shows: the core's counters under the original's names, and gauges read from its state.

#include <sys/resource.h>

#include "base/strings.hpp"
#include "base/system_stats.hpp"
#include "kernel/master/shell.hpp"

namespace master {

namespace {

struct Totals {
  std::map<mesos::v1::TaskState, double> tasks;
  Resources total, used;
};

/// Everything that needs a walk over the state, walked once per reading.
Totals collect(const State& state) {
  Totals out;
  for (const auto& [id, framework] : state.frameworks) {
    for (const auto& [task_id, task] : framework->tasks) ++out.tasks[task->proto->state()];
    out.tasks[mesos::v1::TASK_UNREACHABLE] += static_cast<double>(framework->unreachable_tasks.size());
  }
  for (const auto& [id, agent] : state.agents) {
    for (const resources::Resource& r : agent->total) out.total.add(r);
    for (const auto& [framework_id, tasks] : agent->tasks) {
      for (const auto& [task_id, task] : tasks) out.used += task->resources;
    }
    for (const auto& [framework_id, executors] : agent->executors) {
      for (const auto& [name, executor] : executors) out.used += executor.resources;
    }
  }
  return out;
}

void add_resources(const Totals& totals, std::map<std::string, double>& out) {
  for (const char* name : {"cpus", "gpus", "mem", "disk"}) {
    const std::string prefix = std::string("master/") + name;
    const auto add = [&](const std::string& infix, const Resources& total, const Resources& used) {
      const double all = total.scalar(name).value(), taken = used.scalar(name).value();
      out[prefix + infix + "_total"] = all;
      out[prefix + infix + "_used"] = taken;
      out[prefix + infix + "_percent"] = all > 0 ? taken / all : 0;
    };
    add("", totals.total.non_revocable(), totals.used.non_revocable());
    add("_revocable", totals.total.revocable(), totals.used.revocable());
  }
}

/// "TASK_LOST" -> "task_lost", "REASON_AGENT_REMOVED" -> "reason_slave_removed".
std::string reason_name(const std::array<int, 3>& key) {
  std::string name = "master/" + base::to_lower(mesos::v1::TaskState_Name(static_cast<TaskState>(key[0])));
  name += "/" + base::to_lower(api::v0_name(static_cast<TaskStatus::Source>(key[1])));
  return name + "/" + base::to_lower(api::v0_name(static_cast<TaskStatus::Reason>(key[2])));
}

void add_frameworks(const State& state, std::map<std::string, double>& out) {
  using mesos::v1::scheduler::Call;
  using mesos::v1::scheduler::Event;
  double connected = 0, active = 0;
  for (const auto& [id, framework] : state.frameworks) {
    connected += framework->connected;
    active += framework->active;
    const std::string prefix =
        "master/frameworks/" + base::percent_encode(framework->info->name()) + "/" + framework->id + "/";
    out[prefix + "subscribed"] = framework->connected;
    out[prefix + "offers/sent"] = static_cast<double>(framework->offers_sent);
    out[prefix + "offers/accepted"] = static_cast<double>(framework->offers_accepted);
    out[prefix + "offers/declined"] = static_cast<double>(framework->offers_declined);
    out[prefix + "offers/rescinded"] = static_cast<double>(framework->offers_rescinded);
    double calls = 0, events = 0;
    for (const auto& [type, count] : framework->calls) {
      out[prefix + "calls/" + base::to_lower(Call::Type_Name(static_cast<Call::Type>(type)))] =
          static_cast<double>(count);
      calls += static_cast<double>(count);
    }
    for (const auto& [type, count] : framework->events) {
      out[prefix + "events/" + base::to_lower(Event::Type_Name(static_cast<Event::Type>(type)))] =
          static_cast<double>(count);
      events += static_cast<double>(count);
    }
    out[prefix + "calls"] = calls;
    out[prefix + "events"] = events;
    for (const std::string& role : framework->roles) {
      out[prefix + "roles/" + role + "/suppressed"] = framework->suppressed_roles.count(role) ? 1 : 0;
    }
  }
  const double all = static_cast<double>(state.frameworks.size());
  out["master/frameworks_connected"] = connected;
  out["master/frameworks_disconnected"] = all - connected;
  out["master/frameworks_active"] = active;
  out["master/frameworks_inactive"] = all - active;
}

/// Principals as the original's: those with frameworks.
void add_principals(const State& state, std::map<std::string, double>& out) {
  for (const auto& [principal, messages] : state.messages) {
    if (principal.empty()) continue;
    const std::string prefix = "frameworks/" + principal + "/messages_";
    out[prefix + "received"] = static_cast<double>(messages.received);
    out[prefix + "processed"] = static_cast<double>(messages.processed);
  }
}

}  // namespace

void Shell::add_gauges() {
  const State& state = core_->state();
  for (size_t i = 0; i < static_cast<size_t>(Metric::Count); ++i) {
    metrics_.gauge(metric_name(static_cast<Metric>(i)), [&state, i] { return static_cast<double>(state.counters[i]); });
  }
  metrics_.gauge("master/uptime_secs", [this, begun = loop_.now().time] {
    return std::chrono::duration<double>(loop_.now().time - begun).count();
  });
  metrics_.gauge("master/elected", [this] { return leading() ? 1.0 : 0.0; });
  metrics_.gauge("master/outstanding_offers", [&state] { return static_cast<double>(state.offers.size()); });
  metrics_.gauge("master/slaves_unreachable", [&state] { return static_cast<double>(state.unreachable_agents.size()); });
  metrics_.gauge("master/operator_event_stream_subscribers", [this] { return static_cast<double>(subscribers_.size()); });
  metrics_.gauge("master/operator_event_streams_cut", [this] { return static_cast<double>(subscribers_.cut()); });
  metrics_.gauge("master/event_queue_messages", [this] { return static_cast<double>(events_.size()); });
  metrics_.gauge("master/event_queue_dispatches", [] { return 0.0; });
  metrics_.gauge("master/event_queue_http_requests", [] { return 0.0; });
  metrics_.gauge("registrar/log/recovered", [&state] { return state.recovered ? 1.0 : 0.0; });
  metrics_.gauge("registrar/log/ensemble_size", [] { return 1.0; });
  metrics_.counter("master/http_cache_hits");
}

std::map<std::string, double> Shell::metrics_snapshot() const {
  std::map<std::string, double> out = metrics_.snapshot();
  const State& state = core_->state();
  const Totals totals = collect(state);
  add_resources(totals, out);
  add_frameworks(state, out);
  add_principals(state, out);
  for (const auto& [name, task_state] :
       {std::pair("staging", mesos::v1::TASK_STAGING), std::pair("starting", mesos::v1::TASK_STARTING),
        std::pair("running", mesos::v1::TASK_RUNNING), std::pair("killing", mesos::v1::TASK_KILLING),
        std::pair("unreachable", mesos::v1::TASK_UNREACHABLE)}) {
    const auto found = totals.tasks.find(task_state);
    out[std::string("master/tasks_") + name] = found == totals.tasks.end() ? 0 : found->second;
  }
  double connected = 0, active = 0;
  for (const auto& [id, agent] : state.agents) {
    connected += agent->connected;
    active += agent->active;
  }
  const double agents = static_cast<double>(state.agents.size());
  out["master/slaves_connected"] = connected;
  out["master/slaves_disconnected"] = agents - connected;
  out["master/slaves_active"] = active;
  out["master/slaves_inactive"] = agents - active;
  for (const auto& [key, count] : state.task_reasons) out[reason_name(key)] = static_cast<double>(count);

  const base::SystemStats machine = base::system_stats();
  out["system/load_1min"] = machine.load_1min;
  out["system/load_5min"] = machine.load_5min;
  out["system/load_15min"] = machine.load_15min;
  out["system/cpus_total"] = static_cast<double>(machine.cpus);
  out["system/mem_total_bytes"] = machine.memory_bytes;
  out["system/mem_free_bytes"] = machine.free_bytes;
  return out;
}

}  // namespace master
