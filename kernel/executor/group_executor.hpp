#pragma once

// What the default executor decides (pure): tasks and groups of tasks become containers inside the executor's own, by
// calls of the agent's API; each task lives as CommandExecutor says, and a group ends with the first of its tasks that
// does not finish well. Told of events, it answers with effects in order; main.cpp of default/ performs them.

#include <deque>
#include <map>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/random.hpp"
#include "base/time.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"
#include "kernel/api/mesos/v1/executor/executor.pb.h"
#include "kernel/executor/command_executor.hpp"

namespace executor {

/// A call of the executor API; its outcome comes back as said(). One at a time.
struct Say {
  mesos::v1::executor::Call call;
};
/// A call of the agent's API; its answer comes back as answered(). A session's when its stream has ended.
struct Ask {
  uint64_t id = 0;
  mesos::v1::agent::Call call;
};
/// Replaces a running timer of that name; comes back as timer().
struct SetTimerNamed {
  std::string name;
  base::Instant at;
};
struct CancelTimerNamed {
  std::string name;
};
/// An HTTP or TCP probe on the pod's network; comes back as probed().
struct ProbeNetwork {
  std::string task;
  ProbeKind kind;
  mesos::v1::TaskInfo info;  // check or health_check say what to probe
};
/// tasks/<task> in the sandbox shows the task's own sandbox, containers/<container>.
struct LinkTask {
  std::string task, container;
};
struct Quit {
  int code = 0;
};

using GroupEffect = std::variant<Say, Ask, SetTimerNamed, CancelTimerNamed, ProbeNetwork, LinkTask, Quit>;
using GroupEffects = std::vector<GroupEffect>;

struct GroupOptions {
  mesos::v1::FrameworkID framework_id;
  mesos::v1::ExecutorID executor_id;
  base::Duration shutdown_grace = base::seconds(5);
};

class GroupExecutor {
 public:
  GroupExecutor(GroupOptions options, base::Random random);

  /// The SUBSCRIBE to send: with what the agent has not acknowledged.
  mesos::v1::executor::Call subscribe() const;

  /// An event of the stream. `address`: this side's address of the stream's connection, by which tasks know where they are.
  void on(const mesos::v1::executor::Event& event, const std::string& address, base::Now now, GroupEffects& out);

  /// The stream has ended; the agent will be found again.
  void lost() { connected_ = false; }

  /// The HTTP status of the outcome of a Say; 0: nobody answered.
  void said(int status, GroupEffects& out);

  /// `status` 0: nobody answered. `text`: the body of an answer that is no message.
  void answered(uint64_t ask, int status, const mesos::v1::agent::Response& response, const std::string& text,
                base::Now now, GroupEffects& out);
  void timer(const std::string& name, base::Now now, GroupEffects& out);
  void probed(const std::string& task, ProbeKind kind, const ProbeResult& result, base::Now now, GroupEffects& out);

 private:
  struct Entry {
    CommandExecutor machine;
    std::string container;    // the last level of its id
    std::string group;        // empty: a task alone
    enum class Stage { Launching, Unsure, Running, Over } stage = Stage::Launching;
    int signal = 0;           // sent and not confirmed; 0: none
    bool waiting = false;     // for its end
    base::Time created{};
    // The command of a check that runs at the moment, per kind: the last level of its container's id.
    std::map<ProbeKind, std::string> guests;
  };

  /// What an Ask was about.
  struct Question {
    enum class Kind { Launch, Wait, Kill, Guest, GuestEnd, Ignored } kind;
    std::string task;
    ProbeKind probe = ProbeKind::Check;
    std::string guest;
  };

  void launch(const google::protobuf::RepeatedPtrField<mesos::v1::TaskInfo>& tasks, bool as_group, base::Now now,
              GroupEffects& out);
  void apply(const std::string& task, Actions actions, base::Now now, GroupEffects& out);
  void report(const std::string& task, Entry& entry, mesos::v1::TaskStatus status, GroupEffects& out);
  void task_over(const std::string& task, Entry& entry, const mesos::v1::TaskStatus& status, base::Now now, GroupEffects& out);
  void send_launch(const std::string& task, Entry& entry, GroupEffects& out);
  void send_wait(const std::string& task, Entry& entry, GroupEffects& out);
  void send_kill(const std::string& task, Entry& entry, int signal, GroupEffects& out);
  void launched(const std::string& task, Entry& entry, int status, const std::string& text, base::Now now, GroupEffects& out);
  void waited(const std::string& task, Entry& entry, int status, const mesos::v1::agent::Response& response, base::Now now,
              GroupEffects& out);
  void start_guest(const std::string& task, Entry& entry, ProbeKind kind, GroupEffects& out);
  void end_guest(const std::string& task, Entry& entry, ProbeKind kind, const ProbeResult& result, base::Now now,
                 GroupEffects& out);
  void ask(Question question, mesos::v1::agent::Call call, GroupEffects& out);
  void send_next(GroupEffects& out);
  void quit_when_done(base::Now now, GroupEffects& out);
  mesos::v1::ContainerID id_of(const Entry& entry) const;

  GroupOptions options_;
  base::Random random_;
  bool connected_ = false, shutting_down_ = false, reports_killing_ = false;
  std::string address_;
  mesos::v1::ContainerID own_;
  std::map<std::string, Entry> tasks_;                       // by task id; those over too, until acknowledged
  std::map<std::string, mesos::v1::TaskInfo> unheard_;        // no update of theirs is acknowledged
  std::deque<mesos::v1::executor::Call::Update> updates_;    // not acknowledged, in order
  size_t sent_ = 0;                                           // how many of them were sent on this connection
  bool saying_ = false;
  std::map<uint64_t, Question> questions_;
  uint64_t next_question_ = 1;
  bool ever_launched_ = false, quitting_ = false;
};

/// TaskInfo as the call that launches its container.
mesos::v1::agent::Call make_launch(const mesos::v1::TaskInfo& task, const mesos::v1::ContainerID& id,
                                   const std::string& address);

}  // namespace executor
