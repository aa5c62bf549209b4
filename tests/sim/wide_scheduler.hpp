#pragma once

// A scheduler with roles that change, which takes resources as they are offered, reserved or not, and makes reservations
// and volumes of its own with feedback.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "tests/sim/sim_scheduler.hpp"

namespace sim {

struct WideHabits {
  std::vector<std::string> roles{"*"};  // of which it has some at a time
  double operations = 0;                // of the offers are for making and removing volumes
  double role_changes = 0;              // of the offers are followed by a change of its roles
  double duplicates = 0;                // of the calls that may be repeated are repeated
  double suppressions = 0;
};

class WideScheduler : public SimScheduler {
 public:
  WideScheduler(Context& context, std::string process_name, SimMaster& master, UpdateChecker& updates, Workload workload,
                WideHabits habits);

  bool done() const override { return SimScheduler::done() && (quiet || operations_.empty()); }

  /// Roles stay as they are from now on, and everything is wanted.
  void settle();

  size_t operations_told() const { return told_; }

  struct PendingOperation {
    std::string agent;
    bool unreachable = false;  // the last that was told of it
  };
  const std::map<std::string, PendingOperation>& operations() const { return operations_; }

 protected:
  void describe(mesos::v1::FrameworkInfo& info) const override;
  void answer(const mesos::v1::Offer& offer) override;
  void on_other(const mesos::v1::scheduler::Event& event) override;
  void on_subscribed() override;

 private:
  using Call = mesos::v1::scheduler::Call;
  using Bag = google::protobuf::RepeatedPtrField<mesos::v1::Resource>;

  void send_maybe_twice(Call call);
  void change_roles();
  void add_operations(Call& call, const mesos::v1::Offer& offer, Bag& left);
  mesos::v1::Offer::Operation& add_operation(Call& call, mesos::v1::Offer::Operation::Type type, const mesos::v1::Offer& offer);

  WideHabits habits_;
  std::set<std::string> roles_;
  std::map<std::string, PendingOperation> operations_;  // not ended
  bool quiet = false;
  uint64_t next_operation_ = 0, next_volume_ = 0;
  size_t told_ = 0;
};

}  // namespace sim
