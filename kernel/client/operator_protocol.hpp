#pragma once

// The subscriber's side of the operator API's event stream as a state machine (pure): finding the leading master,
// subscribing, noticing that the stream is dead, subscribing again.
//
//   Idle -> Connecting -> Streaming -> (lost) Waiting -> Connecting ...
//
// Every stream begins with a snapshot of the whole state (SUBSCRIBED); what follows is exact until the stream ends. A
// stream that skipped something is not possible: the master ends it, and the next one begins with a new snapshot.

#include <cstdint>
#include <map>
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
#include "kernel/api/mesos/v1/master/master.pb.h"

namespace client {

struct OperatorOptions {
  std::vector<std::string> masters;  // "host:port", tried in turn; or one "zk://...": whoever on_leader names
  std::string path = "/api/v1";
  api::ContentType content = api::ContentType::Protobuf;
  base::Duration first_backoff = base::milliseconds(100);
  base::Duration longest_backoff = base::seconds(5);
  int missed_heartbeats = 3;                              // so many intervals without a byte: the stream is dead
  base::Duration heartbeat_interval = base::seconds(15);  // until the master says its own
  base::Duration snapshot_limit = base::minutes(2);       // from the answer's head to SUBSCRIBED
  int max_redirects = 10;
  size_t max_record_bytes = size_t{1} << 30;              // a snapshot of a big cluster is one record
  std::string authorization;                              // value of the header; empty: none
  bool https = false;
  base::TlsSettings tls{};                                // with https: authorities, and a certificate of one's own
};

namespace operator_effects {

/// POST and stream the answer; a stream that is open is closed first.
struct OpenStream {
  std::string master;  // "host:port"
  std::string path;
  base::http::Headers headers;
  std::string body;
};

struct CloseStream {};

/// The one timer; a later one replaces it.
struct SetTimer {
  base::Instant at;
};

/// The whole state, as the master at `master` has it.
struct Snapshot {
  std::string master;
  std::shared_ptr<const mesos::v1::master::Event> event;
};

/// A change after the snapshot.
struct Change {
  std::shared_ptr<const mesos::v1::master::Event> event;
};

/// The stream is gone; what was known stays the best knowledge until the next Snapshot.
struct Lost {
  std::string reason;
};

/// For the log.
struct Note {
  std::string text;
};

}  // namespace operator_effects

using OperatorEffect =
    std::variant<operator_effects::OpenStream, operator_effects::CloseStream, operator_effects::SetTimer,
                 operator_effects::Snapshot, operator_effects::Change, operator_effects::Lost, operator_effects::Note>;
using OperatorEffects = std::vector<OperatorEffect>;

class OperatorProtocol {
 public:
  OperatorProtocol(OperatorOptions options, base::Random random);

  void start(base::Instant now, OperatorEffects& out);

  /// The answer to OpenStream: its head, its bytes, its end (always the last; an error or "").
  void on_head(int status, const base::http::Headers& headers, base::Instant now, OperatorEffects& out);
  void on_data(std::string_view bytes, base::Instant now, OperatorEffects& out);
  void on_end(const std::string& error, base::Instant now, OperatorEffects& out);

  void on_timer(base::Instant now, OperatorEffects& out);

  /// ZooKeeper says who leads; as of Protocol.
  void on_leader(const std::optional<std::string>& master, base::Instant now, OperatorEffects& out);

  /// A snapshot was delivered and its stream still runs.
  bool subscribed() const { return state_ == State::Streaming && subscribed_; }
  const std::string& master() const { return master_; }

 private:
  enum class State { Idle, Connecting, Streaming, Waiting };

  void connect(base::Instant now, OperatorEffects& out);
  bool detecting() const;
  void lose(const std::string& reason, base::Instant now, OperatorEffects& out);
  void on_record(const std::string& record, base::Instant now, OperatorEffects& out);

  OperatorOptions options_;
  base::Random random_;
  State state_ = State::Idle;
  bool subscribed_ = false;
  std::string master_;
  size_t next_master_ = 0;
  std::optional<std::string> leader_{};  // as ZooKeeper has it
  int redirects_ = 0;
  int failures_ = 0;
  std::map<std::string, std::string> last_trouble_;  // by master
  base::RecordDecoder decoder_;
  api::ContentType answer_ = api::ContentType::Protobuf;
  base::Duration heartbeat_;
};

}  // namespace client
