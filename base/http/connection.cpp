#include "base/http/connection.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "base/http/gzip.hpp"
#include "base/strings.hpp"

// Reading and parsing; what goes out is in connection_output.cpp.

namespace base::http {

namespace {

constexpr size_t kMaxPipelined = 16;                 // requests of one connection answered at a time
constexpr size_t kMaxOutputBehind = size_t{1} << 20; // no new request is read behind so much output
constexpr int kReadsPerTurn = 8;
constexpr Duration kLinger = seconds(2);
constexpr Duration kHandshake = seconds(15);         // for all of it

}  // namespace

Connection::Connection(std::shared_ptr<ServerState> server, std::unique_ptr<Channel> channel,
                       std::string remote_address)
    : server_(std::move(server)),
      channel_(std::move(channel)),
      remote_address_(std::move(remote_address)),
      parser_(server_->options.max_header_bytes),
      last_progress_(server_->loop.now().instant),
      message_began_(last_progress_) {}

bool Connection::start(bool refuse) {
  auto ticket = server_->poller.add(channel_->fd(), shared_from_this());
  if (!ticket) return false;
  ticket_ = *ticket;
  server_->connections.emplace(this, shared_from_this());
  established_ = !channel_->secure();
  if (refuse) {
    reject(503, "too many connections");
    flush();
  }
  return true;
}

void Connection::on_ready(bool ended, bool hung_up) {
  if (closed_) return;
  if (hung_up) return close(true);
  peer_ended_ = peer_ended_ || ended;
  pump();
}

Connection::Slot* Connection::find(uint64_t id) {
  if (slots_.empty() || id < slots_.front().id) return nullptr;
  size_t index = id - slots_.front().id;
  return index < slots_.size() ? &slots_[index] : nullptr;
}

/// True when there is nothing (more) to agree on before messages are exchanged.
bool Connection::shake_hands() {
  if (established_) return true;
  auto done = channel_->handshake();
  if (!done) {
    if (!done.error().message.empty()) server_->log_refusal(remote_address_, done.error().message);
    close(false);
    return false;
  }
  established_ = *done;
  if (established_) last_progress_ = message_began_ = server_->loop.now().instant;
  return established_;
}

/// Reads what there is, parses it, writes what came of it. Never nested.
void Connection::pump() {
  if (closed_ || in_pump_) return;
  auto self = shared_from_this();
  if (!shake_hands()) return;
  auto server = server_;
  in_pump_ = true;
  input_blocked_ = false;
  out_.lend(server->spare);
  Instant now = server->loop.now().instant;
  if (!leftover_.empty()) feed({});
  for (int turn = 0; !closed_ && !end_seen_; ++turn) {
    if (!lingering_ && !may_parse()) break;
    if (turn == kReadsPerTurn) {
      later();
      break;
    }
    char* buffer = server->poller.read_buffer();
    ssize_t n = channel_->read(buffer, Poller::kReadBytes);
    if (n == Channel::kWouldBlock) break;
    if (n < 0) {
      close(true);
      break;
    }
    if (n == 0) {
      on_end_of_input();
      break;
    }
    if (!input_closed_) last_progress_ = now;
    if (!in_message_) message_began_ = now;
    if (!lingering_ && !input_closed_) feed({buffer, static_cast<size_t>(n)});
    if (closed_) break;
    // Edge-triggered: a short read has emptied the socket, and what comes later is announced.
    if (channel_->short_read_is_all() && !peer_ended_ && static_cast<size_t>(n) < Poller::kReadBytes) break;
  }
  in_pump_ = false;
  if (closed_) return;
  input_blocked_ = !lingering_ && !may_parse();
  for (Slot& slot : slots_) slot.fresh = false;
  flush();
}

/// pump() on a later turn: reading never happens inside somebody's callback.
void Connection::later() {
  if (posted_ || closed_) return;
  posted_ = true;
  server_->loop.post([self = shared_from_this()] {
    self->posted_ = false;
    self->pump();
  });
}

bool Connection::may_parse() {
  if (closed_) return false;
  if (input_closed_) return true;  // to discard, and to see the end
  if (slots_.empty()) return true;
  const Slot& last = slots_.back();
  // What follows may be another protocol.
  if (last.upgrade && !last.raw && !last.complete && last.body_done) return false;
  if (!last.body_done) {
    // In the middle of a request: its body may be unwanted just now.
    if (last.raw || last.streams_body) {
      if (!last.on_body || last.paused) return last.pending_body.empty();
    }
    return true;
  }
  return slots_.size() < kMaxPipelined && out_.bytes() < kMaxOutputBehind;
}

void Connection::feed(std::string_view data) {
  if (leftover_.empty()) {
    parse(data);
    if (!data.empty() && !closed_ && !input_closed_) leftover_.assign(data);
    return;
  }
  leftover_.append(data);
  std::string local = std::exchange(leftover_, {});
  std::string_view rest = local;
  parse(rest);
  if (rest.empty() || closed_ || input_closed_) return;
  local.erase(0, local.size() - rest.size());
  leftover_ = std::move(local);
}

void Connection::parse(std::string_view& data) {
  while (!closed_ && !input_closed_ && may_parse()) {
    if (!slots_.empty() && slots_.back().raw) {
      if (data.empty()) return;
      slots_.back().pending_body.append(data);
      data = {};
      deliver(slots_.back().id);
      return;
    }
    ParseEvent event = parser_.next(data);
    in_message_ = parser_.started();
    switch (event) {
      case ParseEvent::NeedMore: return;
      case ParseEvent::Head: on_head(); break;
      case ParseEvent::Body: on_piece(parser_.piece()); break;
      case ParseEvent::Done: on_message_end(); break;
      case ParseEvent::Failed: {
        ParseFailure failure = parser_.failure();
        reject(failure.status, failure.message);
        return;
      }
    }
  }
}

void Connection::on_head() {
  const MessageInfo& info = parser_.info();
  const auto& options = server_->options;
  Request& request = parser_.head();
  request.remote_address = remote_address_;
  Slot slot;
  slot.id = ++last_slot_;
  slot.is_head = request.method == "HEAD";
  slot.http10 = info.http10;
  slot.keep_alive = info.keep_alive;
  slot.upgrade = info.upgrade;
  if (options.gzip_min_bytes > 0) {
    slot.takes_gzip = accepts_gzip(request.headers.get_or("Accept-Encoding", ""));
  }
  bool has_body = info.chunked || info.content_length.value_or(0) > 0;
  slot.streams_body = !info.upgrade && options.streams_body && options.streams_body(request);
  slots_.push_back(std::move(slot));
  Slot& added = slots_.back();
  if (has_body && !added.streams_body) {
    if (info.content_length.value_or(0) > options.max_body_bytes) {
      return reject(413, "the body is larger than " + std::to_string(options.max_body_bytes) + " bytes");
    }
    request.body.reserve(std::min<size_t>(info.content_length.value_or(0), 64 << 10));
  }
  if (info.expects_continue && has_body && !info.http10) {
    if (added.streams_body) {
      added.wants_continue = true;
    } else {
      queue_of(added).append(std::string_view("HTTP/1.1 100 Continue\r\n\r\n"));
    }
  }
  if (added.streams_body) {
    added.body_done = !has_body;  // an early answer need not close then
    dispatch(added);
  }
}

void Connection::on_piece(std::string_view piece) {
  if (slots_.empty()) return;
  Slot& slot = slots_.back();
  if (!slot.streams_body) {
    std::string& body = parser_.head().body;
    if (body.size() + piece.size() > server_->options.max_body_bytes) {
      return reject(413, "the body is larger than " +
                             std::to_string(server_->options.max_body_bytes) + " bytes");
    }
    body.append(piece);
    return;
  }
  if (slot.on_body && !slot.paused && slot.pending_body.empty()) {
    auto call = slot.on_body;  // the call may complete the request, and with it end the slot
    (*call)(piece, false);
    return;
  }
  slot.pending_body.append(piece);
}

void Connection::on_message_end() {
  in_message_ = false;
  if (slots_.empty()) return;
  Slot& slot = slots_.back();
  slot.body_done = true;
  if (slot.streams_body) {
    uint64_t id = slot.id;
    parser_.begin();
    return deliver(id);
  }
  dispatch(slot);
  parser_.begin();
}

void Connection::dispatch(Slot& slot) {
  slot.dispatched = true;
  auto server = server_;  // the handler may destroy the server
  server->handler(std::move(parser_.head()),
                  Responder(std::make_shared<Responder::Impl>(shared_from_this(), slot.id)));
}

/// Hands over body data that has waited, and the end.
void Connection::deliver(uint64_t id) {
  Slot* slot = find(id);
  if (!slot || !slot->on_body || slot->paused || !(slot->streams_body || slot->raw)) return;
  auto call = slot->on_body;
  if (!slot->pending_body.empty()) {
    std::string data = std::exchange(slot->pending_body, {});
    (*call)(data, false);
    slot = find(id);  // anything may have happened
    if (!slot || slot->paused || !slot->on_body) return;
  }
  if (slot->body_done && !slot->body_ended) {
    slot->body_ended = true;
    (*call)({}, true);
  }
}

/// Answers what cannot be understood or accepted, and closes: where the next request begins is not known.
void Connection::reject(int status, const std::string& message) {
  input_closed_ = true;
  in_message_ = false;
  leftover_.clear();
  if (slots_.empty() || slots_.back().body_done) {
    Slot slot;
    slot.id = ++last_slot_;
    slots_.push_back(std::move(slot));
  }
  Slot& slot = slots_.back();
  if (slot.answered) return close(true);
  bool tell = slot.dispatched;
  auto disconnected = std::move(slot.on_disconnect);
  slot.keep_alive = false;
  slot.body_done = true;
  slot.body_ended = true;
  slot.on_body = nullptr;
  auto server = server_;
  if (tell && disconnected) server->loop.post(std::move(disconnected));
  reply(slot.id, Response::text(status, message + "\n"));
}

void Connection::on_end_of_input() {
  end_seen_ = true;
  if (lingering_) return close(false);
  if (input_closed_ && slots_.empty() && out_.empty()) return close(false);
  input_closed_ = true;
  if (in_message_ && !slots_.empty() && !slots_.back().body_done && !slots_.back().raw) {
    // Half a request: nobody can answer it.
    if (slots_.back().dispatched) return close(true);
    slots_.pop_back();
  }
  in_message_ = false;
  for (Slot& slot : slots_) {
    if (slot.raw) {
      uint64_t id = slot.id;
      slot.body_done = true;
      return deliver(id);
    }
    // A reader of a stream that closes its side is gone; one that closed it while asking waits for the answer.
    if (slot.streaming && !slot.fresh) return close(true);
  }
  closing_ = slots_.empty();
}

void Connection::close(bool notify) {
  if (closed_) return;
  closed_ = true;
  auto self = shared_from_this();
  auto server = std::exchange(server_, nullptr);
  server->poller.remove(channel_->fd(), ticket_);
  auto slots = std::exchange(slots_, {});
  out_.clear();
  leftover_ = {};
  if (notify) {
    for (Slot& slot : slots) {
      for (Call* call : {&slot.on_disconnect, &slot.on_stream_disconnect}) {
        if (*call) server->loop.post(std::move(*call));
      }
    }
  }
  server->connections.erase(this);
  channel_.reset();
  if (server->on_connection_closed) server->on_connection_closed();
}

void Connection::cut(uint64_t slot) {
  if (!is_streaming(slot)) return;
  size_t written = 0;
  if (slot == slots_.front().id) out_.write_to(*channel_, written);
  close(false);
}

void Connection::check_time(Instant now) {
  Duration limit = server_->options.idle_timeout;
  Duration idle = now - last_progress_;
  if (!established_) {
    if (idle > std::min(kHandshake, limit)) close(false);
    return;
  }
  if (lingering_) {
    if (idle > std::min(kLinger, limit)) close(false);
    return;
  }
  if (!out_.empty()) {
    if (idle > limit) close(true);  // the peer does not read
    return;
  }
  if (in_message_) {
    // A header has to arrive as a whole within the limit, a body has to progress.
    bool in_head = slots_.empty() || slots_.back().body_done;
    bool held_by_us = !in_head && slots_.back().streams_body &&
                      (!slots_.back().on_body || slots_.back().paused);
    if (held_by_us) return;
    if (in_head ? now - message_began_ > limit : idle > limit) {
      reject(408, "the request did not arrive in time");
      if (!closed_) flush();
    }
    return;
  }
  if (slots_.empty() && idle > limit) close(false);
}

void Connection::drain() {
  if (!established_ || (slots_.empty() && !in_message_ && out_.empty())) close(false);
}

}  // namespace base::http
