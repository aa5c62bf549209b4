#pragma once

// A scheduler that calls far more often than its principal may, wants nothing and does not mind being refused.

#include "tests/sim/sim_scheduler.hpp"

namespace sim {

class FloodingScheduler : public SimScheduler {
 public:
  static constexpr const char* kPrincipal = "flood";

  FloodingScheduler(Context& context, std::string process_name, SimMaster& master, UpdateChecker& updates);

  /// Calls for so long.
  void flood(base::Duration duration);

 protected:
  void describe(mesos::v1::FrameworkInfo& info) const override;
  void suppress(mesos::v1::scheduler::Call::Subscribe& subscribe) const override;
  void on_refused(int status) override;
};

}  // namespace sim
