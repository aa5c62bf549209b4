#pragma once

// A world around one core, for tests: a store that may fail, timers on virtual time, and a master with agents that
// offers, launches and kills at once or when told to.

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "marathon/core.hpp"

namespace mesos::v1 {
class CheckStatusInfo;
class Offer;
class Offer_Operation;
class Resource;
class ExecutorInfo;
class TaskInfo;
}
namespace mesos::v1::scheduler {
class Call;
class Event;
}

namespace marathon::testing {

/// A disk beside the root disk.
struct Disk {
  bool mount = false;
  std::string root;
  double size = 0;
  std::string profile{};
};

struct Agent {
  std::string id, hostname;
  double cpus = 8, mem = 8192, disk = 8192;
  std::map<std::string, std::string> attributes;
  std::vector<std::shared_ptr<mesos::v1::Resource>> reserved{};  // volumes among them
  std::string region{};
  std::vector<Disk> disks{};
};

struct Task {
  std::string agent;
  std::string state;  // "TASK_STAGING" until told otherwise
  std::shared_ptr<mesos::v1::TaskInfo> info;
  double cpus = 0, mem = 0;
  std::shared_ptr<mesos::v1::ExecutorInfo> executor{};  // of a container of a pod
};

class World {
 public:
  explicit World(Policy policy = {}, std::vector<Agent> agents = {{"A1", "host1"}, {"A2", "host2"}});
  ~World();

  /// Subscribes; with `offers` the agents are offered at once.
  void subscribe(bool offers = true);
  void disconnect();

  /// One request; runs until it is answered. Status 0: it was not.
  base::http::Response request(const std::string& method, const std::string& target,
                               const std::string& body = "", base::http::Headers headers = {});
  base::http::Response get(const std::string& target) { return request("GET", target); }
  base::http::Response post_app(const std::string& body) { return request("POST", "/v2/apps", body); }

  /// Task updates, as the master sends them.
  void update(const std::string& task, const std::string& state, const std::string& message = "",
              std::optional<bool> healthy = std::nullopt);
  /// Running, and its check has said something.
  void update_check(const std::string& task, const mesos::v1::CheckStatusInfo& check);

  /// Moves time on, firing timers in order.
  void advance(base::Duration duration);

  /// Offers what every agent has left.
  void offer_all();

  /// kill -9 and a new start on the same store. The master keeps its tasks.
  void restart();

  /// Tasks of an app that have not ended, in order of their ids.
  std::vector<std::string> tasks_of(const std::string& app) const;
  size_t running(const std::string& app) const;

  /// The other tasks of its group that have not ended.
  std::vector<std::string> siblings(const std::string& task) const;
  size_t events_of(const std::string& type) const;
  const State& state() const { return core->state(); }

  // How the world behaves.
  std::string master_region;
  std::string offer_role;    // empty: the flag's
  bool auto_offer = true;    // a REVIVE is answered with offers
  bool auto_run = true;      // launched tasks run at once
  bool auto_kill = true;     // killed tasks end at once
  bool auto_reconcile = true;
  bool store_works = true;
  bool store_answers = true;   // false: commits stay under way until release_store()
  void release_store();
  void answer_commit(size_t index, bool works);  // of those under way, oldest first
  size_t commits_under_way() const { return commits_.size(); }
  int probe_status = 200;      // what health endpoints answer; 0: connection refused
  std::map<int, int> probe_status_by_port;
  std::shared_ptr<const Viewer> viewer;  // of the requests; null: they see everything
  bool auto_probe = true;      // false: probes are kept until answer_probe()
  void answer_probe(const Probe& probe, int status, const std::string& error = "");

  // What it has seen.
  std::unique_ptr<Core> core;
  std::map<std::string, std::string> store;
  std::map<std::string, Task> tasks;
  std::vector<Publish> published;
  std::vector<std::string> calls;  // type names, in order
  std::set<std::string> acknowledged;  // uuids
  std::vector<Exit> exits;
  std::set<std::string> roles;             // of the last UPDATE_FRAMEWORK
  std::vector<std::string> role_calls;     // "REVIVE a,b" and "SUPPRESS a"
  std::vector<Probe> probes;   // all that were sent
  std::vector<Agent> agents;
  base::Now now;

 private:
  void on(Event event);
  void perform(Effect& effect);
  void launch(const mesos::v1::TaskInfo& info, const std::shared_ptr<mesos::v1::ExecutorInfo>& executor);
  void end_commit(size_t index, bool works);
  void convert(Agent& agent, const mesos::v1::Offer_Operation& operation);
  bool holds(const std::string& agent, const mesos::v1::Resource& wanted) const;
  void on_call(const mesos::v1::scheduler::Call& call);
  void offer_disks(const Agent& agent, mesos::v1::Offer& offer) const;
  void send(std::shared_ptr<mesos::v1::scheduler::Event> event);
  void drain();

  Policy policy_;
  std::deque<Event> queue_;
  bool busy_ = false;
  std::map<CallId, base::http::Response> replies_;
  std::map<CallId, std::string> methods_;
  std::map<TimerName, base::Instant> timers_;
  std::deque<Persist> commits_;
  std::map<std::string, std::string> offers_;  // id -> agent
  CallId next_call_ = 1;
  uint64_t next_offer_ = 1, next_uuid_ = 1, seed_ = 1;
  bool connected_ = false;
};

}  // namespace marathon::testing
