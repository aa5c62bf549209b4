#pragma once

// A framework of the kernel's API, written as its documentation asks: acknowledges, reconciles
// after each subscription, launches anew what was lost on the way. It runs a number of tasks to
// their end.

#include <functional>
#include <map>
#include <string>

#include "tests/sim/checkers.hpp"
#include "tests/sim/sim_master.hpp"

namespace sim {

struct Workload {
  unsigned tasks = 20;
  int seconds_max = 20;  // each runs 1 to this long
  double kill = 0.1;     // of the tasks are killed while they run
  double failover_timeout = 1e6;
};

class SimScheduler : public Process {
 public:
  SimScheduler(Context& context, std::string process_name, SimMaster& master,
               UpdateChecker& updates, Workload workload);

  /// One of several masters.
  SimScheduler(Context& context, std::string process_name, FindMaster find, UpdateChecker& updates,
               Workload workload);

  /// Another master leads.
  void leader_changed();

  virtual bool done() const { return ended_ == workload_.tasks; }
  std::string progress() const;
  const std::string& framework_id() const { return framework_id_; }

 protected:
  void on_boot() override;
  void on_crash() override {}

  // What kinds of schedulers differ in.
  virtual void describe(mesos::v1::FrameworkInfo& info) const;
  virtual void suppress(mesos::v1::scheduler::Call::Subscribe&) const {}
  virtual void answer(const mesos::v1::Offer& offer);
  virtual void on_other(const mesos::v1::scheduler::Event&) {}
  virtual void on_subscribed() {}  // and with each heartbeat
  virtual void on_refused(int) { disconnect(); }  // 400 and 403: the master does not know this stream any more

  void send(mesos::v1::scheduler::Call call);
  void disconnect();
  bool wants_more() const { return live_ + ended_ < workload_.tasks; }

  /// A new task on `agent` without resources yet; it counts as launched.
  void add_task(mesos::v1::Offer::Operation::Launch& launch, const mesos::v1::AgentID& agent);

 private:
  enum class Phase { Launched, Over };
  struct TaskRecord {
    std::string agent;
    Phase phase = Phase::Launched;
    bool kill = false;
    bool unreachable = false;
  };

  void connect();
  void on_event(const mesos::v1::scheduler::Event& event);
  void on_offers(const mesos::v1::scheduler::Event::Offers& offers);
  void on_update(const mesos::v1::TaskStatus& status);
  void reconcile();
  void give_up_unless_back(const std::string& task);
  void relaunch();

  FindMaster find_;
  SimMaster* master_ = nullptr;  // of the present subscription

 protected:
  UpdateChecker& updates_;
  Workload workload_;

 private:
  std::string framework_id_, stream_id_;
  StreamId events_ = 0, calls_ = 0;
  uint64_t connection_ = 0;  // counts connections: late callbacks of an old one are void
  base::Instant last_event_{};
  std::map<std::string, TaskRecord> tasks_;
  unsigned live_ = 0, ended_ = 0, next_task_ = 0;
};

}  // namespace sim
