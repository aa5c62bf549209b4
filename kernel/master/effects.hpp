#pragma once

// What the core asks its shell to do, in order. An effect that follows a Persist of the same event does not wait for it:
// what must wait is asked for when Persisted arrives.

#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "kernel/api/internal/agent_link.pb.h"
#include "kernel/api/mesos/v1/master/master.pb.h"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"
#include "kernel/master/ids.hpp"

namespace master {

struct SendToAgent {
  LinkId link = 0;
  dcos::internal::v1::MasterMessage message;
};

struct CloseLink {
  LinkId link = 0;
};

struct SendToScheduler {
  ConnectionId connection = 0;
  mesos::v1::scheduler::Event event;
};

/// After what was sent before.
struct CloseConnection {
  ConnectionId connection = 0;
};

/// Answers a call; `body` is plain text, empty for most.
struct Reply {
  CallId call = 0;
  int status = 200;
  std::string body;
};

struct Write {
  std::string key;
  std::optional<std::string> value;  // absent: erase
  bool operator==(const Write&) const = default;
};

struct Persist {
  Ticket ticket = 0;
  std::vector<Write> writes;
};

struct SetTimer {
  TimerId timer = 0;
  base::Instant at;
};

struct CancelTimer {
  TimerId timer = 0;
};

/// News for the subscribers of the operator API.
struct Publish {
  mesos::v1::master::Event event;
  std::string user{};  // with a TASK_UPDATED: the task's, when it has one of its own
};

/// Send TurnEnded when the events that wait now are handled.
struct WantTurnEnd {};

enum class TraceLevel { Debug, Info, Warning, Error };

/// A sentence for the log.
struct Trace {
  TraceLevel level = TraceLevel::Info;
  std::string text;
};

using Effect = std::variant<SendToAgent, CloseLink, SendToScheduler, CloseConnection, Reply, Persist, SetTimer, CancelTimer,
                            Publish, WantTurnEnd, Trace>;

class Effects {
 public:
  /// `debug`: whether debug traces are worth making. `publish`: whether anybody listens to operator events.
  explicit Effects(bool debug = false, bool publish = false) : debug_(debug), publish_(publish) {}

  void send(LinkId link, dcos::internal::v1::MasterMessage message) { list_.emplace_back(SendToAgent{link, std::move(message)}); }
  void close_link(LinkId link) { list_.emplace_back(CloseLink{link}); }
  void send(ConnectionId to, mesos::v1::scheduler::Event event) { list_.emplace_back(SendToScheduler{to, std::move(event)}); }
  void close(ConnectionId connection) { list_.emplace_back(CloseConnection{connection}); }
  void reply(CallId call, int status, std::string body = {}) { list_.emplace_back(Reply{call, status, std::move(body)}); }
  void persist(Ticket ticket, std::vector<Write> writes) { list_.emplace_back(Persist{ticket, std::move(writes)}); }
  void set_timer(TimerId timer, base::Instant at) { list_.emplace_back(SetTimer{timer, at}); }
  void cancel_timer(TimerId timer) { list_.emplace_back(CancelTimer{timer}); }
  void publish(mesos::v1::master::Event event, std::string user = {}) {
    list_.emplace_back(Publish{std::move(event), std::move(user)});
  }
  void want_turn_end() { list_.emplace_back(WantTurnEnd{}); }
  void trace(TraceLevel level, std::string text) { list_.emplace_back(Trace{level, std::move(text)}); }

  bool debug() const { return debug_; }
  bool publishing() const { return publish_; }

  std::vector<Effect>& list() { return list_; }
  const std::vector<Effect>& list() const { return list_; }
  void clear() { list_.clear(); }

 private:
  std::vector<Effect> list_;
  bool debug_, publish_;
};

}  // namespace master
