// What /metrics/snapshot shows: the core's counters under the original's names, and gauges read from its state.

#include <google/protobuf/descriptor.h>
#include <sys/resource.h>

#include <set>

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

std::string lower_name(TaskState state) { return base::to_lower(mesos::v1::TaskState_Name(state)); }

/// Counts by enum value under "<prefix>/<name>", each name of the enum but UNKNOWN, and their sum under `prefix`.
template <class Name>
void add_counts(const std::map<int, uint64_t>& counts, const google::protobuf::EnumDescriptor& type, const std::string& prefix,
                Name name, std::map<std::string, double>& out) {
  double sum = 0;
  for (int i = 0; i < type.value_count(); ++i) {
    const auto* value = type.value(i);
    if (value->name() == "UNKNOWN") continue;
    const auto found = counts.find(value->number());
    const double count = found == counts.end() ? 0 : static_cast<double>(found->second);
    out[prefix + "/" + name(value->name())] = count;
    sum += count;
  }
  out[prefix] = sum;
}

/// master/frameworks/<name>/<id>/...
void add_framework(const Framework& framework, std::map<std::string, double>& out) {
  const std::string prefix = "master/frameworks/" + base::percent_encode(framework.info->name()) + "/" + framework.id + "/";
  out[prefix + "subscribed"] = framework.connected;
  out[prefix + "offers/sent"] = static_cast<double>(framework.offers_sent);
  out[prefix + "offers/accepted"] = static_cast<double>(framework.offers_accepted);
  out[prefix + "offers/declined"] = static_cast<double>(framework.offers_declined);
  out[prefix + "offers/rescinded"] = static_cast<double>(framework.offers_rescinded);
  add_counts(framework.calls, *mesos::v1::scheduler::Call::Type_descriptor(), prefix + "calls", base::to_lower, out);
  add_counts(framework.events, *mesos::v1::scheduler::Event::Type_descriptor(), prefix + "events", base::to_lower, out);
  add_counts(framework.operations_sent, *mesos::v1::Offer::Operation::Type_descriptor(), prefix + "operations", base::to_lower, out);
  const auto* states = mesos::v1::TaskState_descriptor();
  for (int i = 0; i < states->value_count(); ++i) {
    const auto state = static_cast<TaskState>(states->value(i)->number());
    const auto ended = framework.ended_tasks.find(state);
    const bool terminal = is_terminal(state);
    out[prefix + (terminal ? "tasks/terminal/" : "tasks/active/") + lower_name(state)] =
        terminal && ended != framework.ended_tasks.end() ? static_cast<double>(ended->second) : 0;
  }
  const auto add_active = [&](const auto& tasks) {
    for (const auto& [id, task] : tasks) {
      const TaskState state = task->proto->state();
      if (!is_terminal(state)) ++out[prefix + "tasks/active/" + lower_name(state)];
    }
  };
  add_active(framework.tasks);
  add_active(framework.unreachable_tasks);
  for (const std::string& role : framework.roles) {
    out[prefix + "roles/" + role + "/suppressed"] = framework.suppressed_roles.count(role) ? 1 : 0;
  }
}

void add_frameworks(const State& state, bool each, std::map<std::string, double>& out) {
  double connected = 0, active = 0;
  for (const auto& [id, framework] : state.frameworks) {
    connected += framework->connected;
    active += framework->active;
    if (each) add_framework(*framework, out);
  }
  const double all = static_cast<double>(state.frameworks.size());
  out["master/frameworks_connected"] = connected;
  out["master/frameworks_disconnected"] = all - connected;
  out["master/frameworks_active"] = active;
  out["master/frameworks_inactive"] = all - active;
}

/// master/operations/<state> and master/operations/<type>/<state>: those that we remember.
void add_operations(const State& state, std::map<std::string, double>& out) {
  using Operation_ = mesos::v1::Offer::Operation;
  const auto state_name = [](mesos::v1::OperationState value) {
    return base::to_lower(mesos::v1::OperationState_Name(value).substr(sizeof("OPERATION_") - 1));
  };
  const auto* types = Operation_::Type_descriptor();
  std::vector<std::string> prefixes{"master/operations/"};
  for (int i = 0; i < types->value_count(); ++i) {
    const auto type = static_cast<Operation_::Type>(types->value(i)->number());
    if (type == Operation_::UNKNOWN || type == Operation_::LAUNCH || type == Operation_::LAUNCH_GROUP) continue;
    prefixes.push_back("master/operations/" + base::to_lower(types->value(i)->name()) + "/");
  }
  for (const std::string& prefix : prefixes) {
    for (const char* name :
         {"total", "pending", "recovering", "unreachable", "finished", "failed", "error", "dropped", "gone_by_operator"}) {
      out[prefix + name] = 0;
    }
  }
  for (const auto& [id, agent] : state.agents) {
    for (const auto& [uuid, operation] : agent->operations) {
      const mesos::v1::Operation& proto = *operation->proto;
      const std::string type = base::to_lower(Operation_::Type_Name(proto.info().type())) + "/";
      for (const std::string& prefix : {std::string("master/operations/"), "master/operations/" + type}) {
        ++out[prefix + "total"];
        ++out[prefix + state_name(proto.latest_status().state())];
      }
    }
  }
}

/// allocator/mesos/...: what roles have and may have.
void add_roles(const allocator::Allocator& allocator, std::map<std::string, double>& out) {
  for (const allocator::RoleState& role : allocator.roles()) {
    out["allocator/mesos/roles/" + role.role + "/shares/dominant"] = role.share;
    if (!role.frameworks.empty()) {
      out["allocator/mesos/offer_filters/roles/" + role.role + "/active"] = static_cast<double>(role.filters);
    }
    const std::string prefix = "allocator/mesos/quota/roles/" + role.role + "/resources/";
    for (const auto& [name, amount] : role.consumed_quota.list()) out[prefix + name + "/consumed"] = amount.value();
    if (!role.quota) continue;
    std::set<std::string> names;
    for (const auto& [name, amount] : role.quota->guarantees.list()) {
      out[prefix + name + "/guarantee"] = amount.value();
      names.insert(name);
    }
    for (const auto& [name, amount] : role.quota->limits.list()) {
      out[prefix + name + "/limit"] = amount.value();
      names.insert(name);
    }
    for (const std::string& name : names) out[prefix + name + "/offered_or_allocated"] = role.allocated.get(name).value();
  }
}

/// What is in use or offered, beside what there is.
void add_allocator_totals(const State& state, const Totals& totals, std::map<std::string, double>& out) {
  for (const char* name : {"cpus", "mem", "disk"}) {
    double offered = 0;
    for (const auto& [id, offer] : state.offers) offered += offer->resources.scalar(name).value();
    const std::string prefix = std::string("allocator/mesos/resources/") + name;
    out[prefix + "/total"] = totals.total.scalar(name).value();
    out[prefix + "/offered_or_allocated"] = totals.used.scalar(name).value() + offered;
  }
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
  // The allocator is asked in the core's turn: nothing waits for it.
  metrics_.gauge("allocator/mesos/event_queue_dispatches", [] { return 0.0; });
  metrics_.gauge("allocator/event_queue_dispatches", [] { return 0.0; });
  metrics_.gauge("registrar/queued_operations", [this] { return static_cast<double>(core_->waiting().writes); });
  metrics_.gauge("registrar/registry_size_bytes", [this] { return static_cast<double>(registry_bytes_); });
  metrics_.gauge("registrar/log/recovered", [&state] { return state.recovered ? 1.0 : 0.0; });
  metrics_.gauge("registrar/log/ensemble_size", [] { return 1.0; });
  metrics_.counter("master/http_cache_hits");
}

std::map<std::string, double> Shell::metrics_snapshot() const {
  std::map<std::string, double> out = metrics_.snapshot();
  const State& state = core_->state();
  const Totals totals = collect(state);
  add_resources(totals, out);
  add_frameworks(state, flags_.publish_per_framework_metrics, out);
  add_operations(state, out);
  add_roles(core_->allocator(), out);
  add_allocator_totals(state, totals, out);
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
