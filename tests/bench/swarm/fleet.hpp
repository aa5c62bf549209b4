#pragma once

// Many agents without machines: they find the master's link, register, run tasks by saying so, and come back with their
// tasks when the link ends.

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"
#include "tests/bench/swarm/http.hpp"
#include "tests/bench/swarm/link.hpp"

namespace swarm {

class Fleet {
 public:
  struct Options {
    size_t agents = 100;
    size_t first = 0;  // number of the first one: its name and port come from it
    double cpus = 16, mem_mb = 16'384;
    bool finish = false;  // a task ends when its TASK_RUNNING is acknowledged; else it runs until finish_one() or a kill
  };

  Fleet(Sockets& sockets, Options options);
  ~Fleet();

  /// All connect to that master; when they lose it they come back to it, over as long a time as it said.
  void start(const Endpoint& master);

  /// One agent learns that another master leads: it leaves the one it has, and connects to that one.
  void follow(size_t agent, const Endpoint& master);

  /// Agents that the master has confirmed since they last connected.
  size_t registered() const { return registered_; }
  size_t tasks() const { return tasks_; }
  uint64_t finished() const { return finished_; }  // TASK_FINISHED acknowledged

  /// Ends one running task of that agent. False when it has none.
  bool finish_one(size_t agent);

  /// The end of the task's time at the agent: when the last finish_one() was sent.
  base::Instant finish_sent() const { return finish_sent_; }

 private:
  class Agent;
  friend class Agent;

  /// Not after this fleet's end.
  void later(base::Duration delay, std::function<void()> call);

  Sockets& sockets_;
  Options options_;
  base::Random random_{1};
  std::map<std::string, mesos::v1::FrameworkInfo> frameworks_;
  size_t registered_ = 0, tasks_ = 0;
  uint64_t finished_ = 0;
  base::Instant finish_sent_{};
  const std::shared_ptr<const bool> here_ = std::make_shared<bool>(true);
  std::vector<std::unique_ptr<Agent>> agents_;
};

}  // namespace swarm
