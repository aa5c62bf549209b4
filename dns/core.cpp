#include "dns/core.hpp"

#include <fmt/format.h>

#include "kernel/api/mesos/v1/master/master.pb.h"

namespace dns {
namespace {

constexpr base::Duration kSweep = base::seconds(1);

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace

void Core::on_cluster(const ClusterSeen& event, base::Now now, Effects& out) {
  const auto& state = event.event->subscribed().get_state();
  records_.replace(state, event.leader, now.instant);
  out.push_back(Trace{false, fmt::format("the master at {} has {} agents ({} expected back), {} frameworks and {} tasks",
                                         event.leader, state.get_agents().agents_size(),
                                         state.get_agents().recovered_agents_size(),
                                         state.get_frameworks().frameworks_size(), state.get_tasks().tasks_size())});
}

void Core::on(const Event& event, base::Now now, Effects& out) {
  const auto refused = [&](size_t count) {
    if (count > 0) out.push_back(Trace{true, fmt::format("{} virtual addresses with impossible names or addresses are left out", count)});
  };
  std::visit(Overloaded{
                 [&](const ClusterSeen& e) { on_cluster(e, now, out); },
                 [&](const ClusterChanged& e) { records_.apply(*e.event, now.instant); },
                 [&](const VipsSeen& e) { refused(records_.replace_vips(e.vips)); },
                 [&](const VipsChanged& e) { refused(records_.change_vips(e.added, e.removed)); },
                 [&](const HostResolved& e) { records_.resolved(e.host, e.addresses); },
                 [&](const CommitDue&) {
                   commit_asked_ = false;
                   if (auto zone = records_.commit(now.time)) out.push_back(Publish{std::move(zone)});
                 },
                 [&](const TimerFired&) { timer_set_ = false; },
             },
             event);
  for (std::string& host : records_.take_unresolved()) out.push_back(Resolve{std::move(host)});
  if (!timer_set_ && records_.expire(now.instant)) {
    timer_set_ = true;
    out.push_back(SetTimer{now.instant + kSweep});
  }
  if (records_.dirty() && !commit_asked_) {
    commit_asked_ = true;
    out.push_back(CommitSoon{});
  }
}

}  // namespace dns
