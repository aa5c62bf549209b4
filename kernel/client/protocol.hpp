#pragma once

// The scheduler's side of the v1 API as a state machine (pure): subscribing, finding the leading master, noticing that
// it is gone, subscribing again with the same framework id, and sending calls in order.
//
//   Idle -> Connecting -> Streaming -> (lost) Waiting -> Connecting ...        Stopped after an ERROR event

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/http/message.hpp"
#include "base/random.hpp"
#include "base/recordio.hpp"
#include "base/time.hpp"
#include "base/tls_settings.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/mesos/v1/scheduler/scheduler.pb.h"

namespace client {

struct ProtocolOptions {
  std::vector<std::string> masters;  // "host:port", tried in turn; or one "zk://...": whoever on_leader names
  std::string path = "/api/v1/scheduler";
  api::ContentType content = api::ContentType::Protobuf;
  base::Duration first_backoff = base::milliseconds(100);
  base::Duration longest_backoff = base::seconds(5);
  int missed_heartbeats = 5;                       // so many intervals without a byte: the stream is dead
  base::Duration heartbeat_interval = base::seconds(15);  // until the master says its own
  int max_redirects = 10;
  size_t max_queued_calls = 100'000;
  std::string authorization;                       // value of the header; empty: none
  bool https = false;
  base::TlsSettings tls{};                         // with https: authorities, and a certificate of one's own
};

// What the shell is asked to do, in order.

/// POST and stream the answer; a stream that is open is closed first.
struct OpenStream {
  std::string master;  // "host:port"
  std::string path;
  base::http::Headers headers;
  std::string body;
};

struct CloseStream {};

/// POST; answered by on_call_done with the same number.
struct PostCall {
  uint64_t id = 0;
  std::string master;
  std::string path;
  base::http::Headers headers;
  std::string body;
};

/// The one timer; a later one replaces it.
struct SetTimer {
  base::Instant at;
};

/// For the framework.
struct DeliverEvent {
  std::shared_ptr<const mesos::v1::scheduler::Event> event;
};

/// For the framework: not subscribed any more, trying again unless `final`.
struct Disconnected {
  std::string reason;
  bool final = false;
};

/// For the log.
struct Note {
  std::string text;
};

using Effect = std::variant<OpenStream, CloseStream, PostCall, SetTimer, DeliverEvent, Disconnected, Note>;
using Effects = std::vector<Effect>;

class Protocol {
 public:
  Protocol(ProtocolOptions options, mesos::v1::FrameworkInfo framework, base::Random random);

  void start(base::Instant now, Effects& out);

  /// The answer to OpenStream: its head, its bytes, its end (always the last; an error or "").
  void on_head(int status, const base::http::Headers& headers, base::Instant now, Effects& out);
  void on_data(std::string_view bytes, base::Instant now, Effects& out);
  void on_end(const std::string& error, base::Instant now, Effects& out);

  /// `status` 0: no answer came, `text` says why.
  void on_call_done(uint64_t id, int status, const std::string& text, base::Instant now, Effects& out);

  void on_timer(base::Instant now, Effects& out);

  /// ZooKeeper says who leads: a subscription elsewhere ends, and a pause in between too. Nothing: nobody is known, what
  /// we have may go on.
  void on_leader(const std::optional<std::string>& master, base::Instant now, Effects& out);

  /// Queues a call; the framework id is filled in. Of UPDATE_FRAMEWORK the roles count: the rest is filled in, and the next
  /// subscription has them too. False when not subscribed, or when the queue is full: the call is
  /// dropped, as it would be by a master that failed over, and reconciliation finds out.
  bool send(mesos::v1::scheduler::Call call, Effects& out);

  bool subscribed() const { return state_ == State::Streaming && subscribed_; }
  const std::string& framework_id() const { return framework_.id().value(); }
  const std::string& master() const { return master_; }

 private:
  enum class State { Idle, Connecting, Streaming, Waiting, Stopped };

  struct Lane {
    std::deque<std::string> queue;
    size_t in_flight = 0;
    size_t window = 1;
  };

  void connect(base::Instant now, Effects& out);
  bool detecting() const;
  const std::string& next_master();
  void lose(const std::string& reason, bool at_once, base::Instant now, Effects& out);
  void on_event(std::shared_ptr<const mesos::v1::scheduler::Event> event, base::Instant now, Effects& out);
  void pump(Lane& lane, bool acknowledgements, Effects& out);
  base::http::Headers headers() const;
  void expect_heartbeat(base::Instant now, Effects& out);

  ProtocolOptions options_;
  mesos::v1::FrameworkInfo framework_;
  base::Random random_;
  State state_ = State::Idle;
  bool subscribed_ = false;
  std::string master_;
  size_t next_master_ = 0;
  std::optional<std::string> leader_{};  // as ZooKeeper has it
  int redirects_ = 0;
  int failures_ = 0;
  std::string stream_id_;
  std::string last_trouble_;
  base::RecordDecoder decoder_;
  api::ContentType answer_ = api::ContentType::Protobuf;
  base::Duration heartbeat_;
  Lane ordered_{{}, 0, 1};           // everything whose order matters
  Lane acknowledgements_{{}, 0, 8};  // these may overtake each other
  uint64_t next_call_ = 1;
  uint64_t epoch_first_call_ = 1;    // answers to calls of an earlier subscription mean nothing
  std::deque<uint64_t> ack_calls_;
};

/// The "host:port" of a Location header such as "//host:5050/api/v1/scheduler" or "http://host:5050/...".
std::optional<std::string> leader_of_location(std::string_view location);

/// "host:port", "http(s)://host:port/" and lists of these become "host:port" entries; port 5050 when left out. A
/// "zk://..." URL is kept as the only entry; errors do not repeat it, it may hold a password.
base::Result<std::vector<std::string>> parse_masters(std::string_view text);

/// Whether such a text has an "https://" entry; then all masters are reached so.
bool masters_by_https(std::string_view text);

}  // namespace client
