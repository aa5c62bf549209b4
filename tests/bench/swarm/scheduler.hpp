#pragma once

// A scheduler over HTTP in protobuf: fills offers with equal tasks, acknowledges every update.

#include <functional>
#include <string>
#include <vector>

#include "base/recordio.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "tests/bench/swarm/http.hpp"

namespace swarm {

class Scheduler {
 public:
  struct Options {
    double cpus = 1, mem_mb = 32;  // of a task
    uint64_t tasks = 0;            // to launch in all
    size_t per_offer = 16;         // at most
    double refuse_seconds = 0;     // of what is left of an offer
  };

  Scheduler(Sockets& sockets, uint16_t master_port, Options options);

  /// Subscribes, again with the same id when it has one. `done` runs with each SUBSCRIBED.
  void subscribe();
  bool subscribed() const { return subscribed_; }

  uint64_t launched() const { return launched_; }
  uint64_t ended() const { return ended_; }      // TASK_FINISHED seen
  uint64_t refused() const { return refused_; }  // calls that were not answered by 202
  const std::string& last_refusal() const { return last_refusal_; }
  uint64_t running() const { return running_; }
  uint64_t offers() const { return offers_; }    // since the last subscription
  base::Instant offered_at() const { return offered_at_; }  // when the last OFFERS event came

  void set_tasks(uint64_t tasks) { options_.tasks = tasks; }

  /// A call that changes nothing but goes all the way: a decline of an offer that does not exist.
  void probe(std::function<void()> answered);

  /// Takes offers that came and were not needed then, and asks for more.
  void revive();

 private:
  void on_record(const std::string& record);
  void accept(const mesos::v1::Offer& offer);
  void call(mesos::v1::scheduler::Call call, std::function<void()> answered = {});

  Sockets& sockets_;
  uint16_t master_port_;
  Options options_;
  Http events_, calls_;
  base::RecordDecoder decoder_;
  std::string stream_id_, framework_id_;
  bool subscribed_ = false;
  uint64_t launched_ = 0, running_ = 0, ended_ = 0, refused_ = 0, offers_ = 0;
  std::string last_refusal_;
  base::Instant offered_at_{};
};

}  // namespace swarm
