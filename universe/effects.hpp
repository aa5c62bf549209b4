#pragma once

// What the core asks its shell to do, in order. What must wait for durability is asked for when its Persisted arrives.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/http/message.hpp"
#include "base/time.hpp"

namespace universe {

using CallId = uint64_t;    // one HTTP request under way
using Ticket = uint64_t;    // one commit, fetch or question under way
using TimerName = std::string;

struct Reply {
  CallId call = 0;
  base::http::Response response;
};

struct Write {
  std::string key;
  std::optional<std::string> value;  // absent: erase
};

struct Persist {
  Ticket ticket = 0;
  std::vector<Write> writes;
};

struct SetTimer {
  TimerName timer;
  base::Instant at;
};

struct CancelTimer {
  TimerName timer;
};

/// Get a repository's index: from its source, or what is kept of it on disk. Answered by Fetched.
struct Fetch {
  Ticket ticket = 0;
  std::string uri;
  std::string etag;  // of the copy that we have; empty: none
  bool kept = false;
};

/// The repository is not used any more: drop what is kept of it on disk.
struct Forget {
  std::string uri;
};

enum class Upstream { Marathon, Master };

/// A request to another daemon, with the caller's credentials. Answered by Answered.
struct Ask {
  Ticket ticket = 0;
  Upstream upstream = Upstream::Marathon;
  std::string method, path, body;
  std::string authorization;
};

/// Answer a call with what `url` holds, as it arrives.
struct Relay {
  CallId call = 0;
  std::string url;
};

enum class TraceLevel { Debug, Info, Warning, Error };

/// A sentence for the log.
struct Trace {
  TraceLevel level = TraceLevel::Info;
  std::string text;
};

using Effect = std::variant<Reply, Persist, SetTimer, CancelTimer, Fetch, Forget, Ask, Relay, Trace>;

class Effects {
 public:
  void reply(CallId call, base::http::Response response) { list.push_back(Reply{call, std::move(response)}); }
  void persist(Ticket ticket, std::vector<Write> writes) { list.push_back(Persist{ticket, std::move(writes)}); }
  void set_timer(TimerName timer, base::Instant at) { list.push_back(SetTimer{std::move(timer), at}); }
  void cancel_timer(TimerName timer) { list.push_back(CancelTimer{std::move(timer)}); }
  void fetch(Fetch fetch) { list.push_back(std::move(fetch)); }
  void forget(std::string uri) { list.push_back(Forget{std::move(uri)}); }
  void ask(Ask ask) { list.push_back(std::move(ask)); }
  void relay(CallId call, std::string url) { list.push_back(Relay{call, std::move(url)}); }
  void trace(TraceLevel level, std::string text) { list.push_back(Trace{level, std::move(text)}); }

  std::vector<Effect> list;
};

}  // namespace universe
