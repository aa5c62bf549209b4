// The upstream's side of the relay: answers, tunnels, and what happens when a server goes away.

#include <sys/epoll.h>

#include <fmt/compile.h>
#include <fmt/format.h>

#include <cerrno>
#include <cstring>

#include "admin-router/engine.hpp"
#include "admin-router/relay.hpp"

namespace admin_router {
namespace {

constexpr size_t kHighWater =
    256 << 10;                  // waiting for a slow reader; beyond it the writer is not read
constexpr size_t kJoin = 4096;  // a piece of a body that is copied behind its head

}  // namespace

Poller& Upstream::poller_of(Proxy::Engine& engine) {
  return engine.poller;
}

void Upstream::on_ready(uint32_t events) {
  if (!is_open()) return;
  note(events);
  if (client == nullptr)
    return engine_.bury(*this);  // an idle server has nothing to say but goodbye
  Client& owner = *client;
  if (connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    reached = reached || (error == 0 && (events & EPOLLOUT) != 0);
    if (error != 0) {
      owner.on_connect_failed(std::strerror(error));
    } else if (!reached) {
      return;
    } else if (auto done = shake_hands(); !done) {
      owner.on_connect_failed(done.error().message);
    } else if (*done) {
      connecting = false;
      owner.on_connected();
      if (is_open() && pending() > 0) flush();
    } else {
      return;
    }
  }
  if (is_open() && !connecting && (events & EPOLLOUT) != 0 && pending() > 0) flush();
  owner.proceed();
}

void Client::on_connected() {
  touch();
}

void Client::pump_response() {
  while (in_exchange() && upstream_ != nullptr && !upstream_->connecting &&
         pending() <= kHighWater) {
    size_t got = 0;
    switch (upstream_->read(engine_.buffer.data(), engine_.buffer.size(), got)) {
      case Socket::Read::Nothing:
        return;
      case Socket::Read::Data:
        touch();
        on_upstream_data(std::string_view(engine_.buffer.data(), got));
        break;
      case Socket::Read::End:
        on_upstream_end(false);
        break;
      case Socket::Read::Failed:
        on_upstream_end(true);
        break;
    }
  }
}

void Client::on_upstream_data(std::string_view data) {
  if (answered_) return relay_response({}, data);
  std::string& held = upstream_->unread();
  std::string joined;
  if (!held.empty()) {
    joined.swap(held);
    joined.append(data);
    data = joined;
  }
  size_t end = find_head_end(data, 0);
  if (end != std::string_view::npos && end <= engine_.options.max_header_bytes)
    return on_response_head(data, end);
  if (data.size() > engine_.options.max_header_bytes) {
    engine_.upstream_failures.increment();
    return fail(502, fmt::format("{} sends a header longer than allowed.", forward_.what));
  }
  held = data;
}

void Client::on_response_head(std::string_view bytes, size_t head_bytes) {
  ResponseHead& head = engine_.response;
  std::string_view rest = bytes.substr(head_bytes);
  if (Fault bad = parse_response(bytes.substr(0, head_bytes), to_head_, head)) {
    engine_.upstream_failures.increment();
    return fail(502, fmt::format("{}: {}.", forward_.what, bad.sentence));
  }
  bool switching = head.status == 101;
  if (head.status < 200 && !switching) {
    // Interim answers: the client got its own "continue" from here.
    if (!rest.empty()) {
      std::string copy(rest);
      on_upstream_data(copy);
    }
    return;
  }
  if (switching && !upgrade_)
    return fail(502,
                fmt::format("{} switches to a protocol that was not asked for.", forward_.what));

  response_ = head.body;
  response_keep_alive_ = head.keep_alive;
  mode_ = Mode::Raw;
  bool streams =
      response_.kind == Framing::Kind::Chunked || response_.kind == Framing::Kind::UntilClose;
  if (minor_ == 0 && streams) {
    keep_alive_ = false;
    if (response_.kind == Framing::Kind::Chunked) mode_ = Mode::Unchunk;
  } else if (response_.kind == Framing::Kind::UntilClose) {
    mode_ = Mode::Enchunk;
  }
  if (engine_.draining) keep_alive_ = false;
  ClientFraming framing{streams && minor_ == 1 && !switching, keep_alive_, minor_};
  std::string& text = engine_.text;
  text.clear();
  write_client_head(head, forward_, host_, framing, text);
  answered_ = true;
  if (!switching) return relay_response(text, rest);

  if (!write(text, rest)) return close();
  state_ = State::Tunnel;
  up_done_ = down_done_ = false;
}

void Client::relay_response(std::string_view head, std::string_view data) {
  std::string_view out;
  size_t taken = 0;
  bool done = false;
  std::string& payload = engine_.payload;
  switch (response_.kind) {
    case Framing::Kind::None:
      done = true;
      break;
    case Framing::Kind::Length:
      taken = static_cast<size_t>(std::min<uint64_t>(response_.length, data.size()));
      response_.length -= taken;
      done = response_.length == 0;
      out = data.substr(0, taken);
      break;
    case Framing::Kind::Chunked:
      payload.clear();
      taken = response_chunks_.scan(data, mode_ == Mode::Unchunk ? &payload : nullptr);
      done = response_chunks_.state() == ChunkScanner::State::Done;
      out = mode_ == Mode::Unchunk ? std::string_view(payload) : data.substr(0, taken);
      break;
    case Framing::Kind::UntilClose:
      taken = data.size();
      out = data;
      if (mode_ == Mode::Enchunk && !data.empty()) {
        payload.clear();
        fmt::format_to(std::back_inserter(payload), FMT_COMPILE("{:x}\r\n"), data.size());
        payload.append(data).append("\r\n");
        out = payload;
      }
      break;
  }
  if (response_chunks_.state() == ChunkScanner::State::Bad) {
    engine_.upstream_failures.increment();
    if (!head.empty()) answered_ = false;  // nothing was sent yet: a clear error is still possible
    return fail(502, fmt::format("{} sends a malformed chunked body.", forward_.what));
  }
  extra_bytes_ = extra_bytes_ || taken < data.size();
  bool good = true;
  if (head.empty()) {
    good = out.empty() || write(out);
  } else if (out.size() <= kJoin) {
    engine_.text.append(out);  // where `head` is: one piece is cheaper to send than two
    good = write(engine_.text);
  } else {
    good = write(head, out);
  }
  if (!good) return close();
  if (done) finish();
}

void Client::on_upstream_end(bool failed) {
  if (!answered_) {
    if (retry()) return;
    engine_.upstream_failures.increment();
    return fail(502, fmt::format("{} closed the connection without an answer.", forward_.what));
  }
  if (response_.kind != Framing::Kind::UntilClose || failed) {
    engine_.upstream_failures.increment();
    return close();  // cut short: the client must be able to tell
  }
  response_keep_alive_ = false;
  if (mode_ == Mode::Enchunk && !write("0\r\n\r\n")) return close();
  finish();
}

// A pooled connection may have been closed by the server just as it was taken: a request that can
// be sent twice is.
bool Client::retry() {
  if (!upstream_->reused || !repeatable_ || !upstream_->unread().empty()) return false;
  drop_upstream();
  connect_upstream();
  return true;
}

void Client::finish() {
  bool reusable = response_keep_alive_ && request_done_ && !extra_bytes_ &&
                  upstream_->unread().empty() && upstream_->pending() == 0 &&
                  !upstream_->write_failed();
  if (reusable) {
    Upstream& done = *upstream_;
    upstream_ = nullptr;
    engine_.put_idle(done);
  } else {
    drop_upstream();
  }
  if (keep_alive_ && request_done_ && !engine_.draining) {
    state_ = State::Head;
    scanned_ = 0;
    head_started_ = activity_;
  } else {
    begin_linger();
  }
}

void Client::drop_upstream() {
  if (upstream_ == nullptr) return;
  Upstream& gone = *upstream_;
  upstream_ = nullptr;
  gone.client = nullptr;
  engine_.bury(gone);
}

void Client::pump_tunnel() {
  if (!up_done_ && !move_tunnel(*this, *upstream_, in_)) return close();
  if (!down_done_ && !move_tunnel(*upstream_, *this, upstream_->unread())) return close();
  if (up_done_ && down_done_ && pending() == 0 && upstream_->pending() == 0) close();
}

// False: one side is broken. Sets the direction's flag when its source has ended.
bool Client::move_tunnel(Socket& from, Socket& to, std::string& unread) {
  if (!unread.empty()) {
    if (!to.write(unread)) return false;
    std::string().swap(unread);
  }
  while (to.pending() <= kHighWater) {
    size_t got = 0;
    switch (from.read(engine_.buffer.data(), engine_.buffer.size(), got)) {
      case Socket::Read::Nothing:
        return true;
      case Socket::Read::Failed:
        return false;
      case Socket::Read::Data:
        touch();
        if (!to.write(std::string_view(engine_.buffer.data(), got))) return false;
        break;
      case Socket::Read::End:
        (&from == this ? up_done_ : down_done_) = true;
        to.finish_writing();
        return true;
    }
  }
  return true;
}

}  // namespace admin_router
