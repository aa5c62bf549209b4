#include <fmt/format.h>

#include "base/json/writer.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "marathon/core.hpp"
#include "marathon/events_out.hpp"
#include "marathon/instances.hpp"
#include "marathon/launching.hpp"
#include "marathon/records.hpp"
#include "marathon/residency.hpp"

namespace marathon {
namespace {

namespace pb = mesos::v1;

constexpr int kExitFrameworkRemoved = 110;
constexpr int kExitDriverError = 106;

std::string master_address(const pb::MasterInfo& info) {
  const std::string& host = !info.address().hostname().empty() ? info.address().hostname()
                            : !info.hostname().empty()         ? info.hostname()
                                                               : info.address().ip();
  return fmt::format("{}:{}", host, info.has_address() ? static_cast<uint32_t>(info.address().port()) : info.port());
}

void on_subscribed(Turn& turn, const pb::scheduler::Event_Subscribed& subscribed) {
  State& state = turn.state;
  const bool again = state.framework_id == subscribed.framework_id().value();
  state.framework_id = subscribed.framework_id().value();
  state.subscribed = true;
  state.suppressed.clear();
  state.filters_set = again;  // the master keeps those of the subscription before
  state.demand = !state.launchable.empty() || !state.releases.empty();
  state.master = master_address(subscribed.master_info());
  state.region = subscribed.master_info().domain().fault_domain().region().name();
  if (!again) store_framework_id(turn);
  turn.out.trace(TraceLevel::Info,
                 fmt::format("subscribed to the master at {} as framework {}", state.master, state.framework_id));
  publish(turn, again ? "scheduler_reregistered_event" : "scheduler_registered_event",
          [&](base::json::Writer& w) {
            if (!again) w.field("frameworkId", state.framework_id);
            w.field("master", state.master);
          });
  reconcile(turn, true);
  pump_kills(turn, true);
  if (state.launchable.empty()) turn.out.set_timer("suppress", turn.now.instant + base::seconds(2));
}

void on_error(Turn& turn, const std::string& message) {
  turn.out.trace(TraceLevel::Error, "the master reports: " + message);
  if (message.find("Framework has been removed") != std::string::npos) {
    // Its tasks are gone, and the id can never be used again: the next start begins anew.
    std::vector<Write> writes{{kFrameworkIdKey, std::nullopt}};
    for (const auto& [app, run] : turn.state.apps) {
      for (const auto& [id, instance] : run.instances) writes.push_back({instance_key(id), std::nullopt});
    }
    commit(turn, std::move(writes), [message](Turn& later, const base::Status&) {
      later.out.exit(kExitFrameworkRemoved, message);
    });
  } else if (message.find("failed over") != std::string::npos) {
    turn.out.exit(kExitDriverError, "another scheduler has subscribed with this framework id");
  }
}

void on_message(Turn& turn, const pb::scheduler::Event_Message& message) {
  publish_to_all_seeing(turn, "framework_message_event", [&](base::json::Writer& w) {
    w.field("slaveId", message.agent_id().value());
    w.field("executorId", message.executor_id().value());
    w.key("message");
    w.begin_array();
    for (char byte : message.data()) w.value(static_cast<int>(static_cast<signed char>(byte)));
    w.end_array();
  });
}

}  // namespace

void on_master_event(Turn& turn, const pb::scheduler::Event& event) {
  switch (event.type()) {
    case pb::scheduler::Event::SUBSCRIBED: return on_subscribed(turn, event.subscribed());
    case pb::scheduler::Event::OFFERS: return on_offers(turn, event.offers());
    case pb::scheduler::Event::UPDATE: return on_task_status(turn, event.update().status());
    case pb::scheduler::Event::UPDATE_OPERATION_STATUS:
      return on_operation_status(turn, event.update_operation_status().status());
    case pb::scheduler::Event::MESSAGE: return on_message(turn, event.message());
    case pb::scheduler::Event::ERROR: return on_error(turn, event.error().message());
    // A rescinded offer that we are about to use comes back as TASK_DROPPED.
    default: return;
  }
}

}  // namespace marathon
