#pragma once

// What a job scheduler's core asks its shell to do, in order. What must wait for durability is asked for when its Persisted
// arrives. A scheduler may have effects of its own beside these.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/http/message.hpp"
#include "base/time.hpp"

namespace mesos::v1::scheduler {
class Call;
}

namespace jobs {

using CallId = uint64_t;   // one HTTP request under way
using Ticket = uint64_t;   // one commit under way
using TimerName = std::string;

struct Reply {
  CallId call = 0;
  base::http::Response response;
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

struct SendCall {
  std::shared_ptr<const mesos::v1::scheduler::Call> call;
};

struct SetTimer {
  TimerName timer;
  base::Instant at;
};

struct CancelTimer {
  TimerName timer;
};

/// End the process in an orderly way: the supervisor starts it again.
struct Exit {
  int code = 0;
  std::string reason;
};

enum class TraceLevel { Debug, Info, Warning, Error };

/// A sentence for the log.
struct Trace {
  TraceLevel level = TraceLevel::Info;
  std::string text;
};

/// `Own`: the effects that one scheduler alone has.
template <class... Own>
class EffectList {
 public:
  using Effect = std::variant<Reply, Persist, SendCall, SetTimer, CancelTimer, Exit, Trace, Own...>;

  void reply(CallId call, base::http::Response response) { list.push_back(Reply{call, std::move(response)}); }
  void persist(Ticket ticket, std::vector<Write> writes) { list.push_back(Persist{ticket, std::move(writes)}); }
  void send(std::shared_ptr<const mesos::v1::scheduler::Call> call) { list.push_back(SendCall{std::move(call)}); }
  void set_timer(TimerName timer, base::Instant at) { list.push_back(SetTimer{std::move(timer), at}); }
  void cancel_timer(TimerName timer) { list.push_back(CancelTimer{std::move(timer)}); }
  void exit(int code, std::string reason) { list.push_back(Exit{code, std::move(reason)}); }
  void trace(TraceLevel level, std::string text) { list.push_back(Trace{level, std::move(text)}); }

  std::vector<Effect> list;
};

}  // namespace jobs
