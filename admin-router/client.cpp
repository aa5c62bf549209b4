// The client's side of the relay: reading requests, deciding, answering, time limits.

#include <sys/epoll.h>

#include <fmt/format.h>

#include "admin-router/engine.hpp"
#include "admin-router/relay.hpp"
#include "base/log.hpp"

namespace admin_router {
namespace {

constexpr base::Duration kLinger = base::seconds(2);

// Empty lines before a request line are skipped, as some old clients send one after a body.
std::string_view skip_blank_lines(std::string_view bytes) {
  while (bytes.starts_with("\r\n")) bytes.remove_prefix(2);
  return bytes;
}

bool repeatable_method(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "OPTIONS" || method == "PUT" ||
         method == "DELETE";
}

}  // namespace

Client::Client(Proxy::Engine& engine, int fd, Peer peer)
    : Socket(engine.poller, fd), engine_(engine), peer_(std::move(peer)), activity_(engine.now()) {}

base::Instant Client::turn_now() const {
  return engine_.now();
}

void Client::on_ready(uint32_t events) {
  if (state_ == State::Closed) return;
  note(events);
  if (!established()) {
    auto done = shake_hands();
    if (!done) {
      if (!done.error().message.empty()) log_refusal(done.error().message);
      return close();
    }
    if (!*done) return;
    peer_.tls = is_secure();
    touch();
  }
  if ((events & EPOLLOUT) != 0 && pending() > 0 && !flush()) return close();
  if (state_ == State::Exchange) {
    if (peer_finished() && request_done_ && !half_closed_) {
      half_closed_ = true;
      half_closed_at_ = turn_now();
    }
  }
  proceed();
}

void Client::proceed() {
  while (true) {
    switch (state_) {
      case State::Head:
        if (!read_head()) return;
        break;
      case State::Parked: {
        std::string bytes;
        bytes.swap(in_);
        state_ = State::Head;
        take_head(bytes, find_head_end(bytes, 0));
        if (state_ == State::Parked) return;
        break;
      }
      case State::Exchange:
        if (reset()) return close();
        pump_request();
        if (in_exchange()) pump_response();
        if (in_exchange()) return;
        break;
      case State::Tunnel:
        pump_tunnel();
        return;
      case State::Linger:
        drain_input();
        return;
      case State::Closed:
        return;
    }
  }
}

// False: nothing more to do until the next event.
bool Client::read_head() {
  size_t limit = engine_.options.max_header_bytes;
  while (true) {
    if (!in_.empty()) {
      size_t end = find_head_end(in_, scanned_);
      if (end != std::string_view::npos && end <= limit) {
        std::string bytes;
        bytes.swap(in_);
        scanned_ = 0;
        take_head(bytes, end);
        return true;
      }
      scanned_ = in_.size();
      if (in_.size() > limit) {
        fault({431, "the request's header is longer than allowed"});
        return true;
      }
    }
    size_t got = 0;
    switch (read(engine_.buffer.data(), engine_.buffer.size(), got)) {
      case Read::Nothing:
        return false;
      case Read::End:
      case Read::Failed:
        close();
        return false;
      case Read::Data:
        break;
    }
    touch();
    std::string_view bytes(engine_.buffer.data(), got);
    if (!in_.empty()) {
      in_.append(bytes);
      continue;
    }
    bytes = skip_blank_lines(bytes);
    if (bytes.empty()) continue;
    size_t end = find_head_end(bytes, 0);
    if (end != std::string_view::npos && end <= limit) {
      take_head(bytes, end);
      return true;
    }
    in_ = bytes;
    scanned_ = 0;
    head_started_ = activity_;
  }
}

void Client::take_head(std::string_view bytes, size_t head_bytes) {
  RequestHead& head = engine_.request;
  engine_.requests.increment();
  if (Fault bad = parse_request(bytes.substr(0, head_bytes), head)) return fault(bad);
  std::string_view rest = bytes.substr(head_bytes);
  to_head_ = head.is_head();
  minor_ = head.minor;
  keep_alive_ = head.keep_alive && !engine_.draining;
  form_ = error_form(head);
  request_ = head.body;
  request_done_ = request_.kind == Framing::Kind::None;
  answered_ = false;
  if (request_.length > engine_.options.max_body_bytes)
    return fail(413, "the request's body is larger than allowed.");

  Decision& decision = engine_.decision;
  engine_.gateway.decide(head, peer_, engine_.loop.now(), !engine_.draining, decision);
  switch (decision.kind) {
    case Decision::Kind::Wait:
      in_ = bytes;
      state_ = State::Parked;
      return;
    case Decision::Kind::Reply:
      in_ = rest;
      scanned_ = 0;
      return answer(decision.reply);
    case Decision::Kind::Send:
      return start_exchange(head, rest);
  }
}

void Client::start_exchange(const RequestHead& head, std::string_view rest) {
  engine_.forwarded.increment();
  forward_ = std::move(engine_.decision.forward);
  host_ = head.host;
  upgrade_ = may_upgrade(head);
  request_chunks_.reset();
  response_chunks_.reset();
  half_closed_ = extra_bytes_ = resolving_ = false;
  repeatable_ = request_done_ && repeatable_method(head.method);
  if (head.expects_continue && !request_done_ && rest.empty())
    write("HTTP/1.1 100 Continue\r\n\r\n");
  in_ = rest;
  state_ = State::Exchange;
  std::string& text = engine_.text;
  text.clear();
  write_upstream_head(head, forward_, peer_, text);
  upstream_ = engine_.take_idle(forward_.address);
  if (upstream_ == nullptr) {
    sent_head_ = text;
    return connect_upstream();
  }
  upstream_->client = this;
  if (repeatable_) sent_head_ = text;
  upstream_->write(text);
}

// Sends what is in sent_head_ over a new connection.
void Client::connect_upstream() {
  std::string ip;
  if (!engine_.known_ip(forward_.address.host, ip)) {
    resolving_ = true;
    return engine_.resolve(*this, forward_.address.host);
  }
  auto upstream = engine_.connect(forward_.address, ip);
  if (!upstream) return on_connect_failed(upstream.error().message);
  upstream_ = *upstream;
  upstream_->client = this;
  upstream_->write(sent_head_);
  touch();
}

void Client::on_resolved(base::Result<std::string> ip) {
  resolving_ = false;
  if (!ip) {
    fail(502, fmt::format("{} cannot be reached: {}.", forward_.what, ip.error().message));
  } else {
    connect_upstream();
  }
  proceed();
}

// At most one a second: a scan of ports must not fill the log.
void Client::log_refusal(const std::string& why) {
  base::Instant now = turn_now();
  if (now - engine_.refusal_logged < base::seconds(1)) return;
  engine_.refusal_logged = now;
  LOG_WARNING("refused a connection from {}: {}", peer_.address, why);
}

void Client::on_connect_failed(const std::string& why) {
  engine_.upstream_failures.increment();
  fail(502, fmt::format("{} cannot be reached: {}.", forward_.what, why));
}

void Client::answer(const LocalAnswer& local) {
  // A body that was not read would be taken for the next request.
  bool keep = keep_alive_ && request_done_;
  std::string& text = engine_.text;
  text.clear();
  write_local(local, to_head_, minor_, keep, text);
  drop_upstream();
  if (!write(text)) return close();
  touch();
  head_started_ = activity_;
  if (keep) {
    state_ = State::Head;
  } else {
    begin_linger();
  }
}

void Client::fail(int status, const std::string& text) {
  if (answered_) return close();
  std::string tried = state_ == State::Exchange ? forward_.address.text() : std::string();
  answer(error_answer(form_, status, text, tried));
}

void Client::fault(const Fault& bad) {
  engine_.bad_requests.increment();
  to_head_ = false;
  minor_ = 1;
  keep_alive_ = false;
  request_done_ = false;
  answer(error_answer(ErrorForm::Text, bad.status, std::string(bad.sentence) + "."));
}

void Client::pump_request() {
  constexpr size_t kHighWater = 256 << 10;
  while (in_exchange() && !request_done_ && upstream_ != nullptr &&
         upstream_->pending() <= kHighWater) {
    if (!in_.empty()) {
      std::string data;
      data.swap(in_);
      relay_request(data);
      continue;
    }
    size_t got = 0;
    switch (read(engine_.buffer.data(), engine_.buffer.size(), got)) {
      case Read::Nothing:
        return;
      case Read::End:
      case Read::Failed:
        return close();
      case Read::Data:
        break;
    }
    touch();
    relay_request(std::string_view(engine_.buffer.data(), got));
  }
}

void Client::relay_request(std::string_view data) {
  size_t taken = 0;
  if (request_.kind == Framing::Kind::Length) {
    taken = static_cast<size_t>(std::min<uint64_t>(request_.length, data.size()));
    request_.length -= taken;
    request_done_ = request_.length == 0;
  } else {
    taken = request_chunks_.scan(data);
    if (request_chunks_.state() == ChunkScanner::State::Bad) {
      engine_.bad_requests.increment();
      return fail(400, "the request's chunked body is malformed.");
    }
    request_done_ = request_chunks_.state() == ChunkScanner::State::Done;
  }
  // An upstream that does not want the rest may have answered already: its answer is read, the rest
  // is thrown away.
  upstream_->write(data.substr(0, taken));
  if (taken < data.size()) in_ = data.substr(taken);
}

void Client::begin_linger() {
  drop_upstream();
  state_ = State::Linger;
  head_started_ = turn_now();
  finish_writing();
  if (pending() == 0 && request_done_ && in_.empty() && !readable()) close();
}

// Takes what still comes, so that the kernel does not answer it with a reset that could destroy our
// last words.
void Client::drain_input() {
  std::string().swap(in_);
  while (true) {
    size_t got = 0;
    Read result = read(engine_.buffer.data(), engine_.buffer.size(), got);
    if (result == Read::Data) continue;
    if (result == Read::Failed || (peer_finished() && pending() == 0)) close();
    return;
  }
}

void Client::close() {
  if (state_ == State::Closed) return;
  drop_upstream();
  state_ = State::Closed;
  close_now();
  engine_.bury(*this);
}

bool Client::streaming() const {
  if (state_ == State::Tunnel) return true;
  return state_ == State::Exchange && answered_ &&
         (response_.kind == Framing::Kind::Chunked || response_.kind == Framing::Kind::UntilClose);
}

void Client::sweep(base::Instant now) {
  const ProxyOptions& options = engine_.options;
  if (pending() == 0 || pending() != last_pending_) stuck_since_ = now;
  last_pending_ = pending();
  // Whoever reads a stream may stand still for as long as the connection lasts (a terminal that was stopped, a paused
  // viewer): what waits here is bounded, and the upstream is not read meanwhile.
  if (streaming())
    reads_stream_ = true;
  else if (pending() == 0)
    reads_stream_ = false;
  if (!reads_stream_ && now - stuck_since_ > options.write_timeout) return close();
  base::Duration quiet = now - activity_;
  switch (state_) {
    case State::Head:
      if (!established()) {
        if (engine_.draining || quiet > options.connect_timeout) close();
        return;
      }
      if (engine_.draining && in_.empty() && pending() == 0) return close();
      if (in_.empty() && quiet > options.idle_timeout) return close();
      if (!in_.empty() && now - head_started_ > options.header_timeout) {
        fault({408, "the request's header took too long"});
        proceed();
      }
      return;
    case State::Parked:
      return proceed();
    case State::Exchange:
      // A session that has ended takes its streams with it.
      if (!engine_.gateway.goes_on(forward_, engine_.loop.now())) return close();
      break;
    case State::Tunnel:
      if (!engine_.gateway.goes_on(forward_, engine_.loop.now())) close();
      return;
    case State::Linger:
      if (pending() == 0 && now - head_started_ > kLinger) close();
      return;
    case State::Closed:
      return;
  }
  if (answered_) {
    const bool stream = streaming();
    if (!stream && quiet > options.body_timeout) return close();
    if (stream && half_closed_ && now - half_closed_at_ > options.half_closed_timeout) close();
    return;
  }
  bool connecting = upstream_ == nullptr || upstream_->connecting;
  if (connecting && quiet > options.connect_timeout) {
    fail(504, fmt::format("{} does not take the connection.", forward_.what));
  } else if (quiet > forward_.head_timeout) {
    if (request_done_)
      fail(504,
           fmt::format("{} did not answer within {} seconds.", forward_.what,
                       std::chrono::duration_cast<base::seconds>(forward_.head_timeout).count()));
    else
      fail(408, "the request's body stopped coming.");
  } else {
    return;
  }
  proceed();
}

}  // namespace admin_router
