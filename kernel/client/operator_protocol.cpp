#include "kernel/client/operator_protocol.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/zk/url.hpp"
#include "kernel/client/protocol.hpp"

namespace client {

using mesos::v1::master::Event;

OperatorProtocol::OperatorProtocol(OperatorOptions options, base::Random random)
    : options_(std::move(options)), random_(random), heartbeat_(options_.heartbeat_interval) {
  CHECK(!options_.masters.empty());
}

void OperatorProtocol::start(base::Instant now, OperatorEffects& out) {
  if (state_ != State::Idle) return;
  if (detecting()) {
    state_ = State::Waiting;
    if (leader_) on_leader(leader_, now, out);
    return;
  }
  master_ = options_.masters[next_master_];
  connect(now, out);
}

bool OperatorProtocol::detecting() const { return base::zk::is_url(options_.masters.front()); }

void OperatorProtocol::on_leader(const std::optional<std::string>& master, base::Instant now, OperatorEffects& out) {
  leader_ = master;
  if (!leader_ || state_ == State::Idle) return;
  if (master_ == *leader_ && state_ != State::Waiting) return;
  failures_ = 0;
  if (state_ != State::Waiting) lose("another master leads: " + *leader_, now, out);
  master_ = *leader_;
  redirects_ = 0;
  connect(now, out);
}

void OperatorProtocol::connect(base::Instant now, OperatorEffects& out) {
  state_ = State::Connecting;
  subscribed_ = false;
  decoder_ = base::RecordDecoder(options_.max_record_bytes);
  mesos::v1::master::Call call;
  call.set_type(mesos::v1::master::Call::SUBSCRIBE);
  const std::string media(api::media_type(options_.content));
  base::http::Headers fields{{"Content-Type", media}, {"Accept", media}};
  if (!options_.authorization.empty()) fields.add("Authorization", options_.authorization);
  out.push_back(operator_effects::OpenStream{master_, options_.path, std::move(fields), api::encode(options_.content, call)});
  // The answer's head has its own time limit in the shell; this one covers a shell that never answers.
  out.push_back(operator_effects::SetTimer{now + base::seconds(60)});
}

void OperatorProtocol::lose(const std::string& reason, base::Instant now, OperatorEffects& out) {
  if (state_ != State::Connecting && state_ != State::Streaming) return;
  const bool was_subscribed = subscribed_;
  subscribed_ = false;
  out.push_back(operator_effects::CloseStream{});
  if (was_subscribed) {
    out.push_back(operator_effects::Lost{reason});
  } else if (std::string& told = last_trouble_[master_]; told != reason) {
    // Said once for each cause, not at each attempt.
    told = reason;
    out.push_back(operator_effects::Note{"no event stream from " + master_ + ": " + reason});
  }
  state_ = State::Waiting;
  if (detecting()) {
    if (leader_) master_ = *leader_;
  } else {
    next_master_ = (next_master_ + 1) % options_.masters.size();
    master_ = options_.masters[next_master_];
  }
  redirects_ = 0;
  base::Duration wait = options_.first_backoff;
  for (int i = 0; i < failures_ && wait < options_.longest_backoff; ++i) wait *= 2;
  wait = std::min(wait, options_.longest_backoff);
  ++failures_;
  // At least half of it, so that many subscribers do not come back at one moment.
  out.push_back(operator_effects::SetTimer{now + wait / 2 + random_.jitter(wait / 2)});
}

void OperatorProtocol::on_head(int status, const base::http::Headers& fields, base::Instant now,
                               OperatorEffects& out) {
  if (state_ != State::Connecting) return;
  if (status == 200) {
    const auto type = api::parse_media_type(fields.get_or("Content-Type", ""));
    if (!type) return lose("the answer is neither JSON nor protobuf", now, out);
    answer_ = *type;
    state_ = State::Streaming;
    redirects_ = 0;
    out.push_back(operator_effects::SetTimer{now + options_.snapshot_limit});
    return;
  }
  if (status == 307 || status == 308 || status == 302) {
    const auto leader = leader_of_location(fields.get_or("Location", ""));
    if (leader && ++redirects_ <= options_.max_redirects) {
      out.push_back(operator_effects::Note{"the leading master is " + *leader});
      master_ = *leader;
      out.push_back(operator_effects::CloseStream{});
      return connect(now, out);
    }
    return lose("it redirects without end", now, out);
  }
  lose("it answers " + std::to_string(status) + " " + std::string(base::http::reason_phrase(status)), now, out);
}

void OperatorProtocol::on_data(std::string_view bytes, base::Instant now, OperatorEffects& out) {
  if (state_ != State::Streaming) return;
  std::vector<std::string> records;
  const base::Status framing = decoder_.feed(bytes, records);
  for (const std::string& record : records) {
    on_record(record, now, out);
    if (state_ != State::Streaming) return;
  }
  if (!framing) return lose("the stream is garbled: " + framing.error().message, now, out);
  if (subscribed_) out.push_back(operator_effects::SetTimer{now + heartbeat_ * options_.missed_heartbeats});
}

void OperatorProtocol::on_record(const std::string& record, base::Instant now, OperatorEffects& out) {
  auto event = std::make_shared<Event>();
  if (const base::Status status = api::decode(answer_, record, *event); !status) {
    return lose("an event does not decode: " + status.error().message, now, out);
  }
  if (event->type() == Event::SUBSCRIBED) {
    const double seconds = event->subscribed().heartbeat_interval_seconds();
    if (seconds > 0 && seconds < 3600) heartbeat_ = base::Duration(static_cast<int64_t>(seconds * 1e9));
    subscribed_ = true;
    failures_ = 0;
    last_trouble_.clear();
    out.push_back(operator_effects::Snapshot{master_, std::move(event)});
    return;
  }
  // Heartbeats may come before the snapshot; a change must not: there is nothing that it changes.
  if (event->type() == Event::HEARTBEAT || event->type() == Event::UNKNOWN) return;
  if (!subscribed_) return lose("a change came before the snapshot", now, out);
  out.push_back(operator_effects::Change{std::move(event)});
}

void OperatorProtocol::on_end(const std::string& error, base::Instant now, OperatorEffects& out) {
  lose(error.empty() ? "the master closed the stream" : error, now, out);
}

void OperatorProtocol::on_timer(base::Instant now, OperatorEffects& out) {
  switch (state_) {
    case State::Waiting:
      if (!master_.empty()) connect(now, out);
      return;
    case State::Connecting: return lose("no answer", now, out);
    case State::Streaming: return lose(subscribed_ ? "no heartbeat" : "no snapshot", now, out);
    case State::Idle: return;
  }
}

}  // namespace client
