#pragma once

// A world around one core, for tests: a store that may fail, timers on virtual time, and a master with one agent that
// offers, launches and kills at once or when told to.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "metronome/core.hpp"

namespace mesos::v1 {
class TaskInfo;
}
namespace mesos::v1::scheduler {
class Call;
class Event;
}

namespace metronome::testing {

struct Task {
  std::string state;  // "TASK_STAGING" until told otherwise
  std::string job;    // by its name
  std::shared_ptr<mesos::v1::TaskInfo> info;
};

class World {
 public:
  explicit World(Policy policy = {}, const std::string& time = "2024-01-10T12:00:00Z");
  ~World();

  /// Subscribes; the agent is offered at once.
  void subscribe();
  void disconnect();

  /// One request with ' for " in its body; runs until nothing is left to do. Status 0: it is not answered yet.
  base::http::Response request(const std::string& method, const std::string& target, const std::string& body = "");
  base::http::Response get(const std::string& target) { return request("GET", target); }

  /// A definition with command "x"; `more`: further members, "" or beginning with ','. The status.
  int add(const std::string& id, const std::string& more = "", const std::string& run_more = "");

  /// POST /v1/jobs/{id}/runs: the run's id, or nothing.
  std::string start(const std::string& job);

  /// The late answer to a request of before, the last one by default.
  base::http::Response late_answer(CallId call = 0);
  CallId last_call() const { return next_call_ - 1; }

  /// Task updates, as the master sends them.
  void update(const std::string& task, const std::string& state);

  /// Moves time on, firing timers in order.
  void advance(base::Duration duration);

  /// Sets the wall clock, without any time passing.
  void jump(base::Duration by);

  void offer();

  /// kill -9 and a new start on the same store. The master keeps its tasks.
  void restart();

  /// Tasks of a job in the order of their launch; all, or those in a state.
  std::vector<std::string> tasks_of(const std::string& job, const std::string& state = "") const;
  const JobState& job(const std::string& id) const { return core->state().jobs.at(id); }

  // How the world behaves.
  bool auto_offer = true;      // a REVIVE is answered with offers
  bool auto_run = true;        // launched tasks run at once
  bool auto_kill = true;       // a KILL is obeyed at once
  bool drop_launches = false;  // an ACCEPT never arrives
  bool store_works = true;
  bool store_answers = true;   // false: commits stay under way until release_store()
  void release_store();
  double cpus = 8;

  // What it has seen.
  std::unique_ptr<Core> core;
  std::map<std::string, std::string> store;
  std::map<std::string, Task> tasks;
  std::vector<std::string> launches;  // task ids in order
  std::vector<std::string> calls;     // type names, in order
  std::set<std::string> acknowledged;
  std::vector<Exit> exits;
  base::Now now;

 private:
  void on(Event event);
  void perform(Effect& effect);
  void on_call(const mesos::v1::scheduler::Call& call);
  void send(std::shared_ptr<mesos::v1::scheduler::Event> event);
  void drain();

  Policy policy_;
  std::deque<Event> queue_{};
  bool busy_ = false;
  std::map<CallId, base::http::Response> replies_{};
  std::map<TimerName, base::Instant> timers_{};
  std::deque<Persist> commits_{};
  CallId next_call_ = 1;
  uint64_t next_offer_ = 1, next_uuid_ = 1, starts_ = 0;
  bool connected_ = false, offered_ = false;
};

}  // namespace metronome::testing
