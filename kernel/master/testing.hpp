#pragma once

// A core with a clock, a store and a network that do what a test says; commands and effects are text.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/master/core.hpp"

namespace master::testing {

mesos::v1::MasterInfo master_info(const std::string& id = "M");

/// Everything an agent of ours can do.
void add_all_capabilities(google::protobuf::RepeatedPtrField<AgentInfo::Capability>* list);

AgentInfo agent_info(const std::string& hostname, int port, const std::string& resources);

/// The books: what is available of an agent must be its total less what tasks, executors and offers hold, to the unit. Says
/// what is not; nothing when all is right.
std::optional<std::string> find_imbalance(const Core& core);

class Conversation {
 public:
  explicit Conversation(Policy policy = {});

  /// Runs one command; effects gather until taken. See the files in testdata/ for the commands.
  void command(const std::string& line);
  std::string take_effects();

  Core& core() { return *core_; }

 private:
  using Words = std::vector<std::string>;

  void feed(Event event);
  void settle();
  void show(const Effect& effect);
  std::string argument(const Words& words, const std::string& name, const std::string& fallback = {}) const;
  void agent_command(const Words& words);
  void reregister(LinkId link, const Words& words);
  void subscribe(const Words& words);
  void call(const Words& words);
  void accept(mesos::v1::scheduler::Call& call, const Words& words);
  void operator_command(const Words& words);
  void advance(base::Duration by);

  Policy policy_;
  std::unique_ptr<Core> core_;
  base::Now now_{base::Instant{base::seconds(1000)}, base::Time{base::seconds(1'000'000)}};
  std::map<TimerId, base::Instant> timers_;
  std::vector<Persist> held_;
  bool hold_ = false, publish_ = false;
  bool healthy_ = false;  // agents answer pings; neither those nor heartbeats are shown
  std::map<std::string, std::string> store_;
  std::map<ConnectionId, std::string> frameworks_;
  CallId next_call_ = 1;
  std::string effects_;
};

}  // namespace master::testing
