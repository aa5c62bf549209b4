#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <utility>

#include "base/http/connection.hpp"
#include "base/http/gzip.hpp"
#include "base/log.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

// What a connection writes, and the handles through which handlers answer.

namespace base::http {

namespace {

constexpr size_t kSmallOutput = 16 << 10;   // goes out at once, whatever else is being written
constexpr size_t kMostAtOnce = 128 << 10;   // of one connection
constexpr size_t kMostPerTurn = 256 << 10;  // of all together

/// Fields that the connection decides about, not the handler.
bool is_hop_by_hop(std::string_view name) {
  switch (name.size()) {
    case 7: return iequals(name, "Upgrade") || iequals(name, "Trailer");
    case 10: return iequals(name, "Connection") || iequals(name, "Keep-Alive");
    case 16: return iequals(name, "Proxy-Connection");
    case 17: return iequals(name, "Transfer-Encoding");
    default: return false;
  }
}

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ");
  // A line break in a value would let a handler's input write headers of its own.
  if (value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos) {
    out.append(value);
  } else {
    for (char c : value) out += c == '\r' || c == '\n' || c == '\0' ? ' ' : c;
  }
  out.append("\r\n");
}

void append_number(std::string& out, size_t value, int base = 10) {
  std::array<char, 24> text;
  auto end = std::to_chars(text.data(), text.data() + text.size(), value, base).ptr;
  out.append(text.data(), static_cast<size_t>(end - text.data()));
}

bool is_compressible(std::string_view type) {
  return type.starts_with("text/") || type.find("json") != std::string_view::npos ||
         type.find("javascript") != std::string_view::npos ||
         type.find("xml") != std::string_view::npos;
}

bool has_no_body(int status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

ServerState::ServerState(Loop& on, ServerOptions with, Handler call)
    : loop(on), poller(Poller::of(on)), options(std::move(with)), handler(std::move(call)) {}

const std::string& ServerState::date() {
  int64_t second = loop.now().time.nanos() / 1'000'000'000;
  if (second != date_second_) {
    date_second_ = second;
    time_t now = second;
    tm parts{};
    ::gmtime_r(&now, &parts);
    std::array<char, 64> text;
    size_t size = ::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    date_.assign(text.data(), size);
  }
  return date_;
}

void ServerState::log_refusal(const std::string& address, const std::string& why) {
  const Instant now = loop.now().instant;
  if (refusal_logged != Instant{} && now - refusal_logged < seconds(1)) {
    ++refusals_unlogged;
    return;
  }
  refusal_logged = now;
  const uint64_t more = std::exchange(refusals_unlogged, 0);
  LOG_WARNING("refused a connection from {}: {}{}", address, why, more == 0 ? "" : " (and " + std::to_string(more) + " others before)");
}

size_t ServerState::output_left() const {
  return std::min(kMostAtOnce, kMostPerTurn - std::min(kMostPerTurn, written_in_turn_));
}

void ServerState::count_output(size_t bytes) {
  if (bytes == 0) return;
  written_in_turn_ += bytes;
  next_turn();
}

void ServerState::await_output(std::weak_ptr<Connection> connection) {
  outputs_.push_back(std::move(connection));
  next_turn();
}

void ServerState::next_turn() {
  if (turn_posted_) return;
  turn_posted_ = true;
  loop.post([self = shared_from_this()] { self->serve_outputs(); });
}

/// Between two of these the loop looks at what has come in.
void ServerState::serve_outputs() {
  turn_posted_ = false;
  written_in_turn_ = 0;
  while (!outputs_.empty() && output_left() > 0) {
    const std::shared_ptr<Connection> connection = outputs_.front().lock();
    outputs_.pop_front();
    if (connection) connection->write_on();
  }
  if (!outputs_.empty()) next_turn();
}

void Connection::write_on() {
  awaits_output_ = false;
  flush();
}

void Connection::render_head(Slot& slot, const Response& response, BodyKind kind, size_t body_bytes) {
  std::string_view connection = response.headers.get_or("Connection", "");
  bool is_last = server_->draining && &slot == &slots_.back() && !in_message_;
  if (iequals(connection, "close") || is_last || !slot.body_done) slot.keep_alive = false;
  if (kind == BodyKind::UntilClose) slot.keep_alive = false;
  OutQueue& queue = queue_of(slot);
  std::string& out = queue.tail();
  size_t before = out.size();
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<size_t>(response.status));
  out.append(" ").append(reason_phrase(response.status)).append("\r\n");
  bool has_date = false;
  std::string_view length;
  for (const auto& [name, value] : response.headers.all()) {
    if (iequals(name, "Content-Length")) {
      length = value;
      continue;
    }
    if (is_hop_by_hop(name) && !(kind == BodyKind::Raw && iequals(name, "Upgrade"))) continue;
    if (name.empty() || name.find_first_of(": \t\r\n") != std::string::npos) continue;
    has_date = has_date || iequals(name, "Date");
    append_field(out, name, value);
  }
  if (!has_date) append_field(out, "Date", server_->date());
  if (!server_->options.server_name.empty() && !response.headers.has("Server")) {
    append_field(out, "Server", server_->options.server_name);
  }
  if (kind == BodyKind::Raw) {
    out.append("Connection: Upgrade\r\n");
  } else {
    if (kind == BodyKind::Chunked) {
      out.append("Transfer-Encoding: chunked\r\n");
    } else if (kind == BodyKind::Sized && slot.is_head && body_bytes == 0 && !length.empty()) {
      append_field(out, "Content-Length", length);  // what GET would have had
    } else if (kind == BodyKind::Sized && !has_no_body(response.status)) {
      out.append("Content-Length: ");
      append_number(out, body_bytes);
      out.append("\r\n");
    }
    if (!slot.keep_alive) {
      out.append("Connection: close\r\n");
    } else if (slot.http10) {
      out.append("Connection: keep-alive\r\n");
    }
  }
  out.append("\r\n");
  queue.grown(out.size() - before);
}

void Connection::compress(const Slot& slot, Response& response) {
  size_t least = server_->options.gzip_min_bytes;
  if (least == 0 || response.body.size() < least || response.status == 206) return;
  if (!is_compressible(response.headers.get_or("Content-Type", "")) ||
      response.headers.has("Content-Encoding")) {
    return;
  }
  if (!response.headers.has("Vary")) response.headers.add("Vary", "Accept-Encoding");
  if (!slot.takes_gzip) return;
  response.body = gzip(response.body);
  response.headers.add("Content-Encoding", "gzip");
}

void Connection::reply(uint64_t id, Response response) {
  Slot* slot = find(id);
  if (!slot || slot->answered) return;
  slot->answered = true;
  compress(*slot, response);
  size_t body_bytes = has_no_body(response.status) ? 0 : response.body.size();
  render_head(*slot, response, BodyKind::Sized, body_bytes);
  if (body_bytes > 0 && !slot->is_head) queue_of(*slot).append(std::move(response.body));
  slot->complete = true;
  advance();
  flush();
}

bool Connection::begin_stream(uint64_t id, Response head, bool raw) {
  Slot* slot = find(id);
  if (!slot || slot->answered) return false;
  slot->answered = true;
  slot->streaming = true;
  slot->fresh = in_pump_;
  slot->raw = raw;
  if (auto length = head.headers.get("Content-Length"); length && !raw && head.body.empty()) {
    if (auto bytes = parse_uint(*length)) slot->left = *bytes;
  }
  slot->chunked = !raw && !slot->left && !slot->http10 && !has_no_body(head.status);
  if (raw) {
    slot->keep_alive = false;
    slot->body_done = false;
    in_message_ = false;
    parser_.begin();
    render_head(*slot, head, BodyKind::Raw, 0);
  } else if (slot->left) {
    render_head(*slot, head, BodyKind::Sized, *slot->left);
  } else {
    render_head(*slot, head, slot->chunked ? BodyKind::Chunked : BodyKind::UntilClose, 0);
  }
  if (!head.body.empty()) {
    write(id, std::move(head.body));
  } else {
    flush();
  }
  if (raw) later();  // bytes may have come already
  return true;
}

template <class Data>
bool Connection::write_data(uint64_t id, size_t size, Data data) {
  Slot* slot = find(id);
  if (!slot || !slot->streaming || slot->complete) return false;
  if (size == 0 || slot->is_head) return true;
  OutQueue& queue = queue_of(*slot);
  if (slot->left) {
    if (size > *slot->left) return false;  // would be taken for the next answer
    *slot->left -= size;
  }
  if (slot->chunked) {
    std::string& out = queue.tail();
    size_t before = out.size();
    append_number(out, size, 16);
    out.append("\r\n");
    queue.grown(out.size() - before);
    queue.append(std::move(data));
    queue.append(std::string_view("\r\n"));
  } else {
    queue.append(std::move(data));
  }
  flush();
  return !closed_;
}

bool Connection::write(uint64_t id, std::string data) {
  const size_t size = data.size();
  return write_data(id, size, std::move(data));
}

bool Connection::write(uint64_t id, std::shared_ptr<const std::string> data) {
  const size_t size = data->size();
  return write_data(id, size, std::move(data));
}

void Connection::end_stream(uint64_t id) {
  Slot* slot = find(id);
  if (!slot || !slot->streaming || slot->complete) return;
  if (slot->left.value_or(0) > 0 && !slot->is_head) return cut(id);
  if (slot->chunked && !slot->is_head) queue_of(*slot).append(std::string_view("0\r\n\r\n"));
  slot->complete = true;
  if (!slot->body_done) slot->keep_alive = false;
  advance();
  flush();
}

bool Connection::is_streaming(uint64_t id) {
  Slot* slot = find(id);
  return slot && slot->streaming && !slot->complete;
}

size_t Connection::queued_bytes(uint64_t id) {
  Slot* slot = find(id);
  return slot ? queue_of(*slot).bytes() : 0;
}

void Connection::set_on_body(uint64_t id, BodyCall call) {
  Slot* slot = find(id);
  if (!slot) return;
  slot->on_body = call ? std::make_shared<BodyCall>(std::move(call)) : nullptr;
  if (slot->wants_continue && slot->on_body && !slot->answered) {
    slot->wants_continue = false;
    queue_of(*slot).append(std::string_view("HTTP/1.1 100 Continue\r\n\r\n"));
    flush();
  }
  pause_body(id, false);
}

void Connection::pause_body(uint64_t id, bool pause) {
  Slot* slot = find(id);
  if (!slot) return;
  slot->paused = pause;
  if (pause || closed_) return;
  server_->loop.post([self = shared_from_this(), id] {
    if (self->closed_) return;
    self->deliver(id);
    self->pump();
  });
}

void Connection::set_on_disconnect(uint64_t id, Call call, bool of_stream) {
  Slot* slot = find(id);
  if (!slot) return;
  (of_stream ? slot->on_stream_disconnect : slot->on_disconnect) = std::move(call);
}

void Connection::set_on_drained(uint64_t id, Call call) {
  if (Slot* slot = find(id)) slot->on_drained = std::move(call);
}

/// Retires the requests at the front whose answers are queued completely, and lets the next ones out.
void Connection::advance() {
  while (!slots_.empty() && slots_.front().complete) {
    Slot done = std::move(slots_.front());
    bool close_now = !done.keep_alive || !done.body_done;
    slots_.erase(slots_.begin());
    if (close_now) {
      // Requests behind it were read but cannot be answered on this connection.
      auto dropped = std::exchange(slots_, {});
      for (Slot& slot : dropped) {
        for (Call* call : {&slot.on_disconnect, &slot.on_stream_disconnect}) {
          if (*call) server_->loop.post(std::move(*call));
        }
      }
      input_closed_ = true;
      in_message_ = false;
      leftover_.clear();
      closing_ = true;
      break;
    }
    if (!slots_.empty()) out_.append(std::move(slots_.front().waiting));
  }
  if (slots_.empty() && input_closed_) closing_ = true;
}

void Connection::flush() {
  if (closed_ || in_pump_ || !established_) return;
  auto self = shared_from_this();
  const auto await_turn = [&] {
    if (!std::exchange(awaits_output_, true)) server_->await_output(self);
  };
  const bool large = out_.bytes() > kSmallOutput;
  const size_t most = large ? server_->output_left() : SIZE_MAX;
  if (most == 0 || (large && awaits_output_)) return await_turn();
  size_t written = 0;
  if (!out_.write_to(*channel_, written, most)) return close(true);
  if (large) server_->count_output(written);
  if (written > 0) last_progress_ = server_->loop.now().instant;
  if (!out_.empty()) {
    if (written >= most) await_turn();
    return;
  }
  out_.give_back(server_->spare);
  if (!slots_.empty()) {
    Slot& front = slots_.front();
    if (written > 0 && front.streaming && front.on_drained) {
      server_->loop.post([self, id = front.id] {
        Slot* slot = self->find(id);
        if (!slot || !slot->on_drained || slot->complete || !self->queue_of(*slot).empty()) return;
        Call call = slot->on_drained;
        call();
      });
    }
  } else if ((closing_ || (server_->draining && !in_message_)) && !lingering_) {
    return finish();
  }
  if (input_blocked_ && may_parse()) later();
}

/// Everything is written: close so that the peer gets it all, which needs its unread bytes to be read first.
void Connection::finish() {
  if (end_seen_) return close(false);
  input_closed_ = true;
  channel_->finish();
  lingering_ = true;
  later();
}

Responder::Impl::~Impl() {
  connection->reply(slot, Response::text(500, "the request was not answered\n"));
}

void Responder::reply(Response response) const {
  impl_->connection->reply(impl_->slot, std::move(response));
}

Stream Responder::stream(Response head) const {
  bool begun = impl_->connection->begin_stream(impl_->slot, std::move(head), false);
  return Stream(std::make_shared<Stream::Impl>(impl_->connection, begun ? impl_->slot : 0));
}

Stream Responder::upgrade(Response head) const {
  head.status = 101;
  bool begun = impl_->connection->begin_stream(impl_->slot, std::move(head), true);
  return Stream(std::make_shared<Stream::Impl>(impl_->connection, begun ? impl_->slot : 0));
}

void Responder::on_body(std::function<void(std::string_view data, bool end)> call) const {
  impl_->connection->set_on_body(impl_->slot, std::move(call));
}

void Responder::pause_body(bool pause) const {
  impl_->connection->pause_body(impl_->slot, pause);
}

void Responder::on_disconnect(std::function<void()> call) const {
  impl_->connection->set_on_disconnect(impl_->slot, std::move(call), false);
}

bool Responder::secure() const { return impl_->connection->secure(); }

Stream::Impl::~Impl() { connection->cut(slot); }

bool Stream::write(std::string data) const {
  return impl_->connection->write(impl_->slot, std::move(data));
}

bool Stream::write(std::shared_ptr<const std::string> data) const {
  return impl_->connection->write(impl_->slot, std::move(data));
}

size_t Stream::queued_bytes() const { return impl_->connection->queued_bytes(impl_->slot); }
void Stream::close() const { impl_->connection->end_stream(impl_->slot); }

void Stream::abort() const {
  if (impl_->connection->is_streaming(impl_->slot)) impl_->connection->close(false);
}

void Stream::on_disconnect(std::function<void()> call) const {
  impl_->connection->set_on_disconnect(impl_->slot, std::move(call), true);
}

void Stream::on_drained(std::function<void()> call) const {
  impl_->connection->set_on_drained(impl_->slot, std::move(call));
}

bool Stream::connected() const { return impl_->connection->is_streaming(impl_->slot); }

}  // namespace base::http
