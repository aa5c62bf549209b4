#include "tests/sim/sim_daemon.hpp"

namespace sim {

mesos::v1::FrameworkInfo scheduler_info(const std::string& name, const std::string& id, const std::string& role) {
  using Info = mesos::v1::FrameworkInfo;
  Info info;
  info.set_user("root");
  info.set_name(name);
  if (!id.empty()) info.mutable_id()->set_value(id);
  info.set_failover_timeout(604'800);
  info.set_checkpoint(true);
  info.add_roles(role);
  for (const auto capability : {Info::Capability::PARTITION_AWARE, Info::Capability::REGION_AWARE, Info::Capability::MULTI_ROLE,
                                Info::Capability::RESERVATION_REFINEMENT, Info::Capability::TASK_KILLING_STATE})
    info.add_capabilities()->set_type(capability);
  return info;
}

}  // namespace sim
