#include "tests/sim/flooding_scheduler.hpp"

namespace sim {

using mesos::v1::FrameworkInfo;
using mesos::v1::scheduler::Call;

FloodingScheduler::FloodingScheduler(Context& context, std::string process_name, SimMaster& master, UpdateChecker& updates)
    : SimScheduler(context, std::move(process_name), master, updates, Workload{.tasks = 0}) {}

void FloodingScheduler::describe(FrameworkInfo& info) const {
  info.set_principal(kPrincipal);
  info.add_roles("*");
  info.add_capabilities()->set_type(FrameworkInfo::Capability::MULTI_ROLE);
}

void FloodingScheduler::suppress(Call::Subscribe& subscribe) const { subscribe.add_suppressed_roles("*"); }

void FloodingScheduler::on_refused(int status) {
  if (status != 429) disconnect();
}

void FloodingScheduler::flood(base::Duration duration) {
  for (base::Duration at{0}; at < duration; at += base::milliseconds(100)) {
    context_.world.after(at, [this] {
      if (!alive || framework_id().empty()) return;
      Call call;
      call.set_type(Call::SUPPRESS);
      call.mutable_suppress();
      send(std::move(call));
    });
  }
}

}  // namespace sim
