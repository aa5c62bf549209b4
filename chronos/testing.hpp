#pragma once

// A world around one core, for tests: a store that may fail, timers on virtual time, and a master with agents that
// offers, launches and kills at once or when told to.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "chronos/core.hpp"

namespace mesos::v1 {
class TaskInfo;
}
namespace mesos::v1::scheduler {
class Call;
class Event;
}

namespace chronos::testing {

/// A few zones with the rules that tests need, from the machine's data.
const base::TimeZones& zones();

struct Agent {
  std::string id, hostname;
  double cpus = 8, mem = 8192, disk = 100'000;
  std::map<std::string, std::string> attributes;
};

struct Task {
  std::string agent, job;
  std::string state;  // "TASK_STAGING" until told otherwise
  std::shared_ptr<mesos::v1::TaskInfo> info;
  double cpus = 0, mem = 0, disk = 0;
  base::Time launched, started, ended;
};

class World {
 public:
  explicit World(Policy policy = {}, std::vector<Agent> agents = {{"A1", "host1"}, {"A2", "host2"}},
                 const std::string& time = "2024-01-10T12:00:00Z");
  ~World();

  /// Subscribes; the agents are offered at once.
  void subscribe();
  void disconnect();

  /// One request; runs until it is answered. Status 0: it was not.
  base::http::Response request(const std::string& method, const std::string& target, const std::string& body = "",
                               const std::string& content_type = "application/json");
  base::http::Response get(const std::string& target) { return request("GET", target); }

  /// POST /v1/scheduler/iso8601 and /dependency of JSON with ' for ". The status.
  int schedule(const std::string& body) { return post("iso8601", body); }
  int depend(const std::string& body) { return post("dependency", body); }

  /// Task updates, as the master sends them.
  void update(const std::string& task, const std::string& state, const std::string& message = "");

  /// Moves time on, firing timers in order and ending tasks whose time is over.
  void advance(base::Duration duration);

  /// Sets the wall clock, without any time passing.
  void jump(base::Duration by, bool notice = true);

  void offer_all();

  /// kill -9 and a new start on the same store. The master keeps its tasks.
  void restart();

  /// Tasks of a job in the order of their launch; all, or those in a state.
  std::vector<std::string> tasks_of(const std::string& job, const std::string& state = "") const;
  const JobState& job(const std::string& name) const { return core->state().jobs.at(name); }

  // How the world behaves.
  bool auto_offer = true;    // a REVIVE is answered with offers
  bool auto_run = true;      // launched tasks run at once
  bool drop_launches = false;  // an ACCEPT never arrives
  base::Duration runs_for = base::seconds(1);  // then a task finishes
  std::map<std::string, base::Duration> runs_for_job;
  std::function<std::string(const std::string& job, const std::string& task)> outcome;  // "" or no function: finished
  bool store_works = true;
  bool store_answers = true;  // false: commits stay under way until release_store()
  void release_store();
  std::function<void(const std::vector<Write>&)> on_commit;  // told of each commit, before it counts as done

  // What it has seen.
  std::unique_ptr<Core> core;
  std::map<std::string, std::string> store;
  std::map<std::string, Task> tasks;
  std::vector<std::string> launches;  // task ids in order
  std::vector<std::string> calls;     // type names, in order
  std::set<std::string> acknowledged;
  std::vector<Notify> notices;
  std::vector<Exit> exits;
  std::vector<std::string> traces;
  std::vector<Agent> agents;
  base::Now now;
  size_t steps = 0;  // events of the core

 private:
  int post(const std::string& where, std::string body);
  void on(Event event);
  void perform(Effect& effect);
  void on_call(const mesos::v1::scheduler::Call& call);
  void launch(const mesos::v1::TaskInfo& info);
  void send(std::shared_ptr<mesos::v1::scheduler::Event> event);
  void drain();

  Policy policy_;
  std::deque<Event> queue_;
  bool busy_ = false;
  std::map<CallId, base::http::Response> replies_;
  std::map<TimerName, base::Instant> timers_;
  std::multimap<base::Instant, std::string> ends_;  // when running tasks end
  std::deque<Persist> commits_;
  std::map<std::string, std::string> offers_;  // id -> agent
  CallId next_call_ = 1;
  uint64_t next_offer_ = 1, next_uuid_ = 1;
  bool connected_ = false;
};

}  // namespace chronos::testing
