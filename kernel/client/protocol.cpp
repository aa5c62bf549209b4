#include "kernel/client/protocol.hpp"

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/zk/url.hpp"

namespace client {
namespace {

using mesos::v1::scheduler::Call;
using mesos::v1::scheduler::Event;

constexpr int kOk = 200;
constexpr int kAccepted = 202;
constexpr int kTemporaryRedirect = 307;

bool is_host_port(std::string_view text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return false;
  const auto port = base::parse_uint(text.substr(colon + 1));
  return port && *port > 0 && *port <= 65535;
}

}  // namespace

std::optional<std::string> leader_of_location(std::string_view location) {
  for (std::string_view prefix : {"http://", "https://", "//"}) {
    if (!location.starts_with(prefix)) continue;
    location.remove_prefix(prefix.size());
    std::string host(location.substr(0, location.find('/')));
    if (!is_host_port(host)) host += ":5050";
    if (!is_host_port(host)) return std::nullopt;
    return host;
  }
  return std::nullopt;
}

base::Result<std::vector<std::string>> parse_masters(std::string_view text) {
  std::vector<std::string> masters;
  if (base::zk::is_url(text)) {
    if (auto url = base::zk::parse_url(text); !url) return std::move(url).error();
    return std::vector<std::string>{std::string(base::trim(text))};
  }
  for (std::string_view piece : base::tokenize(text, ',')) {
    piece = base::trim(piece);
    if (piece.starts_with("http://")) piece.remove_prefix(7);
    else if (piece.starts_with("https://")) piece.remove_prefix(8);
    while (piece.ends_with('/')) piece.remove_suffix(1);
    std::string master(piece);
    if (master.find(':') == std::string::npos) master += ":5050";
    if (!is_host_port(master) || master.find('/') != std::string::npos) {
      return base::invalid("'" + std::string(piece) + "' is no master: expected host:port");
    }
    masters.push_back(std::move(master));
  }
  if (masters.empty()) return base::invalid("no master is given: expected host:port");
  return masters;
}

bool masters_by_https(std::string_view text) { return text.find("https://") != std::string_view::npos; }

Protocol::Protocol(ProtocolOptions options, mesos::v1::FrameworkInfo framework, base::Random random)
    : options_(std::move(options)),
      framework_(std::move(framework)),
      random_(random),
      heartbeat_(options_.heartbeat_interval) {
  CHECK(!options_.masters.empty());
}

void Protocol::start(base::Instant now, Effects& out) {
  if (state_ != State::Idle) return;
  if (detecting()) {
    state_ = State::Waiting;
    if (leader_) on_leader(leader_, now, out);
    return;
  }
  master_ = options_.masters[next_master_];
  connect(now, out);
}

bool Protocol::detecting() const { return base::zk::is_url(options_.masters.front()); }

/// After a failure.
const std::string& Protocol::next_master() {
  if (detecting()) return leader_ ? *leader_ : master_;
  next_master_ = (next_master_ + 1) % options_.masters.size();
  return options_.masters[next_master_];
}

void Protocol::on_leader(const std::optional<std::string>& master, base::Instant now, Effects& out) {
  leader_ = master;
  if (!leader_ || state_ == State::Idle || state_ == State::Stopped) return;
  if (master_ == *leader_ && state_ != State::Waiting) return;
  failures_ = 0;
  redirects_ = 0;
  master_ = *leader_;
  if (state_ == State::Waiting) return connect(now, out);
  lose("another master leads: " + master_, true, now, out);
}

base::http::Headers Protocol::headers() const {
  base::http::Headers fields{{"Content-Type", std::string(api::media_type(options_.content))}};
  if (!options_.authorization.empty()) fields.add("Authorization", options_.authorization);
  return fields;
}

void Protocol::connect(base::Instant now, Effects& out) {
  state_ = State::Connecting;
  subscribed_ = false;
  decoder_ = base::RecordDecoder();
  Call call;
  call.set_type(Call::SUBSCRIBE);
  *call.mutable_subscribe()->mutable_framework_info() = framework_;
  if (framework_.has_id()) *call.mutable_framework_id() = framework_.id();
  base::http::Headers fields = headers();
  fields.add("Accept", std::string(api::media_type(options_.content)));
  out.push_back(OpenStream{master_, options_.path, std::move(fields), api::encode(options_.content, call)});
  // The answer's head has its own time limit in the shell; this one covers a shell that never answers.
  out.push_back(SetTimer{now + base::seconds(60)});
}

void Protocol::lose(const std::string& reason, bool at_once, base::Instant now, Effects& out) {
  if (state_ == State::Stopped || state_ == State::Idle) return;
  const bool was_subscribed = subscribed_;
  subscribed_ = false;
  for (Lane* lane : {&ordered_, &acknowledgements_}) {
    lane->queue.clear();
    lane->in_flight = 0;
  }
  ack_calls_.clear();
  epoch_first_call_ = next_call_;
  out.push_back(CloseStream{});
  if (was_subscribed) {
    out.push_back(Disconnected{reason});
  } else if (const std::string text = master_ + ": " + reason; text != last_trouble_) {
    // Said once for each cause, not at each attempt.
    last_trouble_ = text;
    out.push_back(Note{"not subscribed at " + text});
  }
  if (at_once) return connect(now, out);
  state_ = State::Waiting;
  master_ = next_master();
  redirects_ = 0;
  base::Duration wait = options_.first_backoff;
  for (int i = 0; i < failures_ && wait < options_.longest_backoff; ++i) wait *= 2;
  wait = std::min(wait, options_.longest_backoff);
  ++failures_;
  // At least half of it, so that many frameworks do not come back at one moment.
  out.push_back(SetTimer{now + wait / 2 + random_.jitter(wait / 2)});
}

void Protocol::on_head(int status, const base::http::Headers& fields, base::Instant now, Effects& out) {
  if (state_ != State::Connecting) return;
  if (status == kOk) {
    const auto type = api::parse_media_type(fields.get_or("Content-Type", ""));
    if (!type) return lose("the answer is neither JSON nor protobuf", false, now, out);
    answer_ = *type;
    stream_id_ = std::string(fields.get_or("Mesos-Stream-Id", ""));
    state_ = State::Streaming;
    redirects_ = 0;
    return expect_heartbeat(now, out);
  }
  if (status == kTemporaryRedirect || status == 308 || status == 302) {
    const auto leader = leader_of_location(fields.get_or("Location", ""));
    if (leader && ++redirects_ <= options_.max_redirects) {
      out.push_back(Note{"the leading master is " + *leader});
      master_ = *leader;
      out.push_back(CloseStream{});
      return connect(now, out);
    }
    return lose("it redirects without end", false, now, out);
  }
  lose("it answers " + std::to_string(status) + " " + std::string(base::http::reason_phrase(status)), false,
       now, out);
}

void Protocol::expect_heartbeat(base::Instant now, Effects& out) {
  out.push_back(SetTimer{now + heartbeat_ * options_.missed_heartbeats});
}

void Protocol::on_data(std::string_view bytes, base::Instant now, Effects& out) {
  if (state_ != State::Streaming) return;
  std::vector<std::string> records;
  const base::Status framing = decoder_.feed(bytes, records);
  for (const std::string& record : records) {
    auto event = std::make_shared<Event>();
    if (const base::Status status = api::decode(answer_, record, *event); !status) {
      return lose("an event does not decode: " + status.error().message, false, now, out);
    }
    on_event(std::move(event), now, out);
    if (state_ != State::Streaming) return;
  }
  if (!framing) return lose("the stream is garbled: " + framing.error().message, false, now, out);
  expect_heartbeat(now, out);
}

void Protocol::on_event(std::shared_ptr<const Event> event, base::Instant, Effects& out) {
  if (event->type() == Event::SUBSCRIBED) {
    *framework_.mutable_id() = event->subscribed().framework_id();
    const double seconds = event->subscribed().heartbeat_interval_seconds();
    if (seconds > 0 && seconds < 3600) {
      heartbeat_ = base::Duration(static_cast<int64_t>(seconds * 1e9));
    }
    subscribed_ = true;
    failures_ = 0;
    last_trouble_.clear();
  }
  if (event->type() == Event::HEARTBEAT) return;
  const bool fatal = event->type() == Event::ERROR;
  const std::string reason = fatal ? event->error().message() : "";
  out.push_back(DeliverEvent{std::move(event)});
  if (!fatal) return;
  // Subscribing again would take the id from whoever has it now, or be refused for ever: the framework decides.
  state_ = State::Stopped;
  subscribed_ = false;
  out.push_back(CloseStream{});
  out.push_back(Disconnected{reason, true});
}

void Protocol::on_end(const std::string& error, base::Instant now, Effects& out) {
  if (state_ != State::Connecting && state_ != State::Streaming) return;
  lose(error.empty() ? "the master closed the stream" : error, false, now, out);
}

void Protocol::on_timer(base::Instant now, Effects& out) {
  switch (state_) {
    case State::Waiting:
      if (!master_.empty()) connect(now, out);
      return;
    case State::Connecting: return lose("no answer", false, now, out);
    case State::Streaming: return lose("no heartbeat", false, now, out);
    case State::Idle:
    case State::Stopped: return;
  }
}

bool Protocol::send(Call call, Effects& out) {
  if (call.type() == Call::UPDATE_FRAMEWORK) {
    auto& info = *call.mutable_update_framework()->mutable_framework_info();
    framework_.mutable_roles()->Swap(info.mutable_roles());
    info = framework_;
  }
  if (!subscribed()) return false;
  *call.mutable_framework_id() = framework_.id();
  const bool acknowledgement = call.type() == Call::ACKNOWLEDGE;
  Lane& lane = acknowledgement ? acknowledgements_ : ordered_;
  if (lane.queue.size() >= options_.max_queued_calls) return false;
  lane.queue.push_back(api::encode(options_.content, call));
  pump(lane, acknowledgement, out);
  return true;
}

void Protocol::pump(Lane& lane, bool acknowledgements, Effects& out) {
  while (!lane.queue.empty() && lane.in_flight < lane.window) {
    base::http::Headers fields = headers();
    fields.add("Mesos-Stream-Id", stream_id_);
    const uint64_t id = next_call_++;
    if (acknowledgements) ack_calls_.push_back(id);
    out.push_back(PostCall{id, master_, options_.path, std::move(fields), std::move(lane.queue.front())});
    lane.queue.pop_front();
    ++lane.in_flight;
  }
}

void Protocol::on_call_done(uint64_t id, int status, const std::string& text, base::Instant now,
                            Effects& out) {
  if (id < epoch_first_call_ || !subscribed()) return;
  const auto ack = std::find(ack_calls_.begin(), ack_calls_.end(), id);
  const bool acknowledgement = ack != ack_calls_.end();
  if (acknowledgement) ack_calls_.erase(ack);
  Lane& lane = acknowledgement ? acknowledgements_ : ordered_;
  if (lane.in_flight > 0) --lane.in_flight;
  if (status == kAccepted || status == kOk) return pump(lane, acknowledgement, out);
  if (status == kTemporaryRedirect) return lose("the master is no longer leading", false, now, out);
  if (status == 0) return lose("a call failed: " + text, false, now, out);
  if (status == 400 && text.find("Failed to validate") != std::string::npos) {
    // The call was wrong, the subscription is not.
    out.push_back(Note{"the master refused a call: " + text});
    return pump(lane, acknowledgement, out);
  }
  lose("the master answered a call with " + std::to_string(status) + ": " + text, false, now, out);
}

}  // namespace client
