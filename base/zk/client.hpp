#pragma once

// ZooKeeper as our code sees it: one session, calls with callbacks, watches. Two implementations: the C client on the
// loop (real.cpp) and an in-memory server for unit tests and simulation (fake.hpp). Pure: the library's header is
// included in real.cpp alone.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace base::zk {

/// What a call came to; only what some caller reacts to has a name of its own.
enum class Rc {
  Ok,
  NoNode,
  NodeExists,
  BadVersion,
  NotEmpty,
  NoAuth,
  ConnectionLoss,  // whether the call was performed is not known
  SessionExpired,  // likewise; this client can do nothing more
  AuthFailed,      // the credentials were refused; this client can do nothing more
  Refused,         // anything else: the server's or the library's complaint about the call
};

std::string_view describe(Rc rc);

struct Stat {
  int32_t version = 0;
  int32_t children_version = 0;
  int64_t ephemeral_owner = 0;  // the session that owns the node; 0: the node stays
};

enum class SessionState {
  Connecting,  // not connected; the client tries every server in turn and keeps its session while it can
  Connected,
  Expired,     // the last state
  AuthFailed,  // the last state
};

/// One step of an atomic change.
struct Op {
  enum class Kind { Create, Set, Remove, Check };
  Kind kind = Kind::Check;
  std::string path;
  std::string data{};
  int32_t version = -1;  // Set, Remove, Check: the node's version must be this; -1: any
};

enum class CreateMode { Persistent, EphemeralSequential };

/// One session. Calls are answered in order, never inside the call, and not at all after the client's destruction,
/// which closes the session: its ephemeral nodes go at once when the server can be reached.
class Client {
 public:
  using Watch = std::function<void()>;

  virtual ~Client() = default;

  virtual SessionState state() const = 0;

  /// Valid once Connected.
  virtual int64_t session() const = 0;

  /// What the server granted; what was asked for before.
  virtual Duration session_timeout() const = 0;

  /// Answers with the name that the node got.
  virtual void create(const std::string& path, const std::string& data, CreateMode mode,
                      std::function<void(Rc, std::string path)> done) = 0;
  void get(const std::string& path, std::function<void(Rc, std::string data, Stat)> done) {
    get(path, nullptr, std::move(done));
  }

  /// `watch` (may be null) is called once, when the data changes or the node goes. Of a change that an answer reflects,
  /// watches are told before it.
  virtual void get(const std::string& path, Watch watch, std::function<void(Rc, std::string data, Stat)> done) = 0;

  /// `watch` (may be null) is called once, when a child comes or goes, or the node itself goes.
  virtual void children(const std::string& path, Watch watch,
                        std::function<void(Rc, std::vector<std::string> names)> done) = 0;

  /// All steps or none. `failed`: index of the step that was not possible.
  virtual void multi(std::vector<Op> ops, std::function<void(Rc, size_t failed)> done) = 0;

  /// After it, reads of this client see everything that was written before.
  virtual void sync(const std::string& path, std::function<void(Rc)> done) = 0;
};

/// Who may do what with nodes that this client makes.
enum class Access {
  Open,           // everybody everything: when there are no credentials
  EveryoneReads,  // others may read
  Private,        // nobody else
};

struct ClientOptions {
  Duration session_timeout = seconds(10);
  Access access = Access::EveryoneReads;  // with credentials; without, always Open
};

/// What code over a ZooKeeper needs from where it runs: sessions and time. A value, so that the simulator has its own.
struct Host {
  using OnSession = std::function<void(SessionState)>;

  /// A new session. States are told later, never inside the call.
  std::function<std::unique_ptr<Client>(ClientOptions options, OnSession on_session)> connect;
  std::function<Instant()> now;
  std::function<uint64_t(Duration delay, std::function<void()> call)> after;
  std::function<void(uint64_t timer)> cancel;
};

}  // namespace base::zk
