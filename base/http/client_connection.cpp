#include "base/http/client_connection.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "base/netns.hpp"
#include "base/strings.hpp"

namespace base::http {

namespace asio = boost::asio;

namespace {

constexpr size_t kMaxHeaderBytes = 256 << 10;
constexpr int kReadsPerTurn = 8;

bool is_connection_field(std::string_view name) {
  return iequals(name, "Connection") || iequals(name, "Keep-Alive") || iequals(name, "Upgrade") ||
         iequals(name, "Proxy-Connection") || iequals(name, "Transfer-Encoding") ||
         iequals(name, "Content-Length") || iequals(name, "Host") || iequals(name, "Expect");
}

bool may_repeat(std::string_view method) {
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE" ||
         method == "OPTIONS";
}

}  // namespace

struct ClientConnection::Resolver {
  explicit Resolver(asio::io_context& context) : resolver(context) {}
  asio::ip::tcp::resolver resolver;
};

ClientConnection::ClientConnection(std::shared_ptr<Client::Impl> client, std::string key)
    : client_(std::move(client)), key_(std::move(key)), parser_(kMaxHeaderBytes) {}

void ClientConnection::connect(const Call& call) {
  call_ = call;
  call->connection = shared_from_this();
  const Url& url = call->request.url;
  if (url.scheme == "https" && !client_->options.tls) {
    TlsSettings settings;
    settings.ca_file = client_->options.ca_file;
    settings.verify_server = client_->options.verify_tls;
    auto tls = Tls::open(std::move(settings));
    if (!tls) return fail_later(tls.error());
    client_->options.tls = *std::move(tls);
  }
  connect_timer_ = client_->loop.after(
      client_->options.connect_timeout, [weak = weak_from_this()] {
        auto self = weak.lock();
        if (!self || self->state_ == State::Closed) return;
        self->connect_timer_ = 0;
        self->fail(unavailable("cannot connect to " + self->key_ + ": no answer within " +
                               render_duration(self->client_->options.connect_timeout)));
      });
  sockaddr_storage storage{};
  if (url.scheme == "unix") {
    auto& address = reinterpret_cast<sockaddr_un&>(storage);
    address.sun_family = AF_UNIX;
    if (url.host.size() >= sizeof(address.sun_path)) {
      return fail_later(invalid("the socket path '" + url.host + "' is too long"));
    }
    std::copy(url.host.begin(), url.host.end(), address.sun_path);
    addresses_.emplace_back(storage, sizeof(sockaddr_un));
    return try_next_address("no address");
  }
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  if (::inet_pton(AF_INET, url.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(url.port);
    addresses_.emplace_back(storage, sizeof(v4));
  } else if (::inet_pton(AF_INET6, url.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(url.port);
    addresses_.emplace_back(storage, sizeof(v6));
  } else {
    return resolve();
  }
  try_next_address("no address");
}

void ClientConnection::resolve() {
  state_ = State::Resolving;
  resolver_ = std::make_shared<Resolver>(client_->loop.context());
  const Url& url = call_->request.url;
  resolver_->resolver.async_resolve(
      url.host, std::to_string(url.port),
      [self = shared_from_this()](const boost::system::error_code& error,
                                  const asio::ip::tcp::resolver::results_type& results) {
        if (self->state_ != State::Resolving) return;
        if (error) {
          return self->fail(unavailable("cannot find the address of " + self->call_->request.url.host +
                                        ": " + error.message()));
        }
        for (const auto& result : results) {
          sockaddr_storage storage{};
          auto size = result.endpoint().size();
          std::memcpy(&storage, result.endpoint().data(), size);
          self->addresses_.emplace_back(storage, static_cast<socklen_t>(size));
        }
        self->try_next_address("no address");
      });
}

void ClientConnection::try_next_address(const std::string& problem) {
  if (channel_) {
    client_->poller.remove(channel_->fd(), ticket_);
    channel_.reset();
  }
  std::string last_problem = problem;
  state_ = State::Connecting;
  while (next_address_ < addresses_.size()) {
    const auto& [address, size] = addresses_[next_address_++];
    auto made = open_socket(call_->request.network, address.ss_family, SOCK_STREAM | SOCK_NONBLOCK);
    if (!made) return fail_later(made.error());
    Fd fd = std::move(*made);
    if (!fd) {
      last_problem = strerror(errno);
      continue;
    }
    int on = 1;
    if (address.ss_family != AF_UNIX) {
      ::setsockopt(fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    }
    if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 &&
        errno != EINPROGRESS) {
      last_problem = strerror(errno);
      continue;
    }
    if (call_->request.url.scheme == "https") {
      auto channel = client_->options.tls->connect(std::move(fd), call_->request.url.host, call_->request.url.port);
      if (!channel) return fail_later(channel.error());
      channel_ = *std::move(channel);
    } else {
      channel_ = plain_channel(std::move(fd));
    }
    auto ticket = client_->poller.add(channel_->fd(), shared_from_this());
    if (!ticket) {
      channel_.reset();
      return fail_later(ticket.error());
    }
    ticket_ = *ticket;
    return;  // on_ready continues
  }
  fail_later(unavailable("cannot connect to " + key_ + ": " + last_problem));
}

void ClientConnection::on_ready(bool ended, bool hung_up) {
  auto self = shared_from_this();
  auto client = client_;
  if (state_ == State::Connecting) {
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(channel_->fd(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return try_next_address(strerror(error));
    sockaddr_storage peer{};
    size = sizeof(peer);
    if (::getpeername(channel_->fd(), reinterpret_cast<sockaddr*>(&peer), &size) != 0) return;
    state_ = State::Handshaking;
  }
  if (state_ == State::Handshaking) {
    auto established = channel_->handshake();
    if (!established) {
      return fail(unavailable("cannot connect to " + key_ + ": " + established.error().message));
    }
    if (!*established) {
      if (hung_up) fail(unavailable("cannot connect to " + key_ + ": connection closed"));
      return;
    }
    on_connected();
  }
  if (state_ != State::Open) return;
  peer_ended_ = peer_ended_ || ended || hung_up;
  if (!call_) {
    // Idle: the server may have closed it, or say what nobody asked.
    char byte = 0;
    if (hung_up || channel_->read(&byte, 1) != Channel::kWouldBlock) close();
    return;
  }
  pump();
  if (state_ == State::Open && call_) flush();
}

void ClientConnection::on_connected() {
  state_ = State::Open;
  if (connect_timer_ != 0) client_->loop.cancel(std::exchange(connect_timer_, 0));
  render_request();
  flush();
}

void ClientConnection::send(const Call& call) {
  call_ = call;
  call->connection = shared_from_this();
  reused_ = true;
  answer_began_ = false;
  render_request();
  flush();
}

void ClientConnection::render_request() {
  ClientRequest& request = call_->request;
  parser_.begin(request.method == "HEAD");
  out_.lend(client_->spare);
  std::string& out = out_.tail();
  size_t before = out.size();
  out.append(request.method).append(" ").append(request.url.target).append(" HTTP/1.1\r\nHost: ");
  if (auto host = request.headers.get("Host")) {
    out.append(*host);
  } else if (request.url.scheme == "unix") {
    out.append("localhost");
  } else {
    bool v6 = request.url.host.find(':') != std::string::npos;
    out.append(v6 ? "[" : "").append(request.url.host).append(v6 ? "]" : "");
    if (request.url.port != (request.url.scheme == "https" ? 443 : 80)) {
      out.append(":").append(std::to_string(request.url.port));
    }
  }
  out.append("\r\n");
  for (const auto& [name, value] : request.headers.all()) {
    if (!is_connection_field(name)) out.append(name).append(": ").append(value).append("\r\n");
  }
  auto upgrade = request.headers.get("Upgrade");
  call_->upgrade = call_->upload && upgrade.has_value();
  auto length = request.headers.get("Content-Length");
  if (call_->upgrade) {
    out.append("Connection: Upgrade\r\nUpgrade: ").append(*upgrade).append("\r\n");
  } else if (call_->upload && length) {
    uint64_t bytes = 0;
    std::from_chars(length->data(), length->data() + length->size(), bytes);
    call_->upload_left = bytes;
    out.append("Content-Length: ").append(std::to_string(bytes)).append("\r\n");
  } else if (call_->upload) {
    out.append("Transfer-Encoding: chunked\r\n");
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
             request.method == "PATCH") {
    out.append("Content-Length: ").append(std::to_string(request.body.size())).append("\r\n");
  }
  out.append("\r\n");
  out_.grown(out.size() - before);
  if (!call_->upload) {
    out_.append(std::string_view(request.body));
    return;
  }
  if (call_->upgrade) return;  // what was written waits for the answer 101
  for (std::string& piece : call_->upload_waiting.take()) upload(std::move(piece));
  if (call_->upload_ended) end_upload();
}

void ClientConnection::upload(std::string data) {
  if (state_ != State::Open || (call_ && call_->upgrade && !raw_)) {
    call_->upload_waiting.append(std::move(data));
    return;
  }
  if (raw_) {
    out_.append(std::move(data));
  } else if (call_->upload_left) {
    if (data.size() > *call_->upload_left) {
      return fail_later(internal("the body is larger than its Content-Length"));
    }
    *call_->upload_left -= data.size();
    out_.append(std::move(data));
  } else {
    std::array<char, 24> size;
    auto end = std::to_chars(size.data(), size.data() + size.size(), data.size(), 16).ptr;
    out_.append(std::string_view(size.data(), static_cast<size_t>(end - size.data())));
    out_.append(std::string_view("\r\n"));
    out_.append(std::move(data));
    out_.append(std::string_view("\r\n"));
  }
  flush();
}

void ClientConnection::end_upload() {
  if (state_ != State::Open || call_->upgrade) {
    if (raw_ && out_.empty()) channel_->finish();
    return;
  }
  if (call_->upload_left) {
    if (*call_->upload_left > 0) fail_later(internal("the body is smaller than its Content-Length"));
    return;
  }
  out_.append(std::string_view("0\r\n\r\n"));
  flush();
}

void ClientConnection::flush() {
  if (state_ != State::Open || !call_) return;
  size_t written = 0;
  if (!out_.write_to(*channel_, written)) {
    // An answer that came before the failure is still worth reading.
    peer_ended_ = true;
    if (!posted_ && !in_pump_) resume();
    out_.clear();
    return;
  }
  if (!out_.empty() || written == 0) return;
  out_.give_back(client_->spare);
  if (raw_ && call_->upload_ended) channel_->finish();
  if (call_->upload && call_->callbacks && call_->callbacks->on_drained) {
    client_->loop.post([self = shared_from_this(), call = call_] {
      if (call->finished || self->call_ != call || !self->out_.empty()) return;
      auto kept = call->callbacks;
      if (kept && kept->on_drained) kept->on_drained();
    });
  }
}

void ClientConnection::resume() {
  if (posted_) return;
  posted_ = true;
  client_->loop.post([self = shared_from_this()] {
    self->posted_ = false;
    if (self->state_ != State::Open || !self->call_) return;
    self->pump();
    if (self->state_ == State::Open && self->call_) self->flush();
  });
}

void ClientConnection::close() {
  if (state_ == State::Closed) return;
  state_ = State::Closed;
  auto self = shared_from_this();
  if (connect_timer_ != 0) client_->loop.cancel(std::exchange(connect_timer_, 0));
  if (resolver_) resolver_->resolver.cancel();
  if (channel_) {
    client_->poller.remove(channel_->fd(), ticket_);
    channel_.reset();
  }
  out_.clear();
  leftover_ = {};
  if (auto call = std::exchange(call_, nullptr)) call->connection = nullptr;
  client_->release(self, false);
}

void ClientConnection::abandon() {
  auto call = call_;
  close();
  if (call) call->cancel();
}

void ClientConnection::fail(Error error) {
  auto call = call_;
  close();
  if (call) call->finish(std::move(error));
}

void ClientConnection::fail_later(Error error) {
  client_->loop.post([self = shared_from_this(), call = call_, error = std::move(error)] {
    if (self->state_ != State::Closed && self->call_ == call) self->fail(error);
  });
}

/// The connection ended before an answer began. An idle one may have been closed while the request was on its way.
void ClientConnection::on_closed_by_peer(const std::string& how) {
  auto call = call_;
  auto client = client_;
  bool repeat = reused_ && !call->retried && !call->upload && may_repeat(call->request.method);
  close();
  if (repeat) {
    client->retry(call);
  } else {
    call->finish(Error{Code::BadGateway, key_ + " " + how});
  }
}

void ClientConnection::pump() {
  if (in_pump_) return;
  auto self = shared_from_this();
  auto client = client_;
  in_pump_ = true;
  input_blocked_ = false;
  if (!leftover_.empty() && call_ && !call_->paused) feed({});
  for (int turn = 0; state_ == State::Open && call_; ++turn) {
    if (call_->paused) break;  // resume() reads on
    if (turn == kReadsPerTurn) {
      resume();
      break;
    }
    char* buffer = client->poller.read_buffer();
    ssize_t n = channel_->read(buffer, Poller::kReadBytes);
    if (n == Channel::kWouldBlock) break;
    if (n <= 0) {
      on_end_of_input();
      break;
    }
    feed({buffer, static_cast<size_t>(n)});
    if (channel_ && channel_->short_read_is_all() && !peer_ended_ && static_cast<size_t>(n) < Poller::kReadBytes) break;
  }
  in_pump_ = false;
}

void ClientConnection::feed(std::string_view data) {
  if (leftover_.empty()) {
    parse(data);
    if (!data.empty() && state_ == State::Open && call_) leftover_.assign(data);
    return;
  }
  leftover_.append(data);
  std::string local = std::exchange(leftover_, {});
  std::string_view rest = local;
  parse(rest);
  if (!rest.empty() && state_ == State::Open && call_) leftover_.assign(rest);
}

void ClientConnection::parse(std::string_view& data) {
  while (state_ == State::Open && call_ && !call_->paused) {
    if (raw_) {
      if (data.empty()) return;
      std::string_view all = std::exchange(data, {});
      on_piece(all);
      return;
    }
    if (!data.empty()) answer_began_ = true;
    switch (parser_.next(data)) {
      case ParseEvent::NeedMore: return;
      case ParseEvent::Head: on_head(); break;
      case ParseEvent::Body: on_piece(parser_.piece()); break;
      case ParseEvent::Done:
        if (parser_.head().status < 200 && !raw_) {
          parser_.begin(call_->request.method == "HEAD");
          break;
        }
        if (raw_) break;
        if (!data.empty()) peer_ended_ = true;  // more than was asked for: not to be reused
        data = {};
        return on_answer_complete();
      case ParseEvent::Failed:
        return fail(Error{Code::BadGateway, key_ + ": " + parser_.failure().message});
    }
  }
}

void ClientConnection::on_head() {
  Response& head = parser_.head();
  if (head.status == 101 && call_->upgrade) {
    raw_ = true;
  } else if (head.status == 101) {
    return fail(Error{Code::BadGateway, key_ + " changes to a protocol that nobody asked for"});
  } else if (head.status < 200) {
    return;
  }
  if (take_redirect(head)) return;
  if (!call_->streaming) {
    size_t expected = parser_.info().content_length.value_or(0);
    if (expected > call_->request.max_body_bytes) {
      return fail(Error{Code::TooLarge, "the answer of " + key_ + " is larger than " +
                                            std::to_string(call_->request.max_body_bytes) + " bytes"});
    }
    call_->response.status = head.status;
    call_->response.headers = std::move(head.headers);
    call_->response.body.reserve(std::min<size_t>(expected, 1 << 20));
    return;
  }
  auto call = call_;
  if (call->timer != 0) client_->loop.cancel(std::exchange(call->timer, 0));
  if (raw_) {
    out_.append(std::exchange(call->upload_waiting, {}));
    flush();
  }
  auto kept = call->callbacks;
  if (kept && kept->on_head) kept->on_head(head);
}

bool ClientConnection::on_piece(std::string_view piece) {
  auto call = call_;
  if (!call->redirect_to.empty()) return true;
  if (!call->streaming) {
    if (call->response.body.size() + piece.size() > call->request.max_body_bytes) {
      fail(Error{Code::TooLarge, "the answer of " + key_ + " is larger than " +
                                     std::to_string(call->request.max_body_bytes) + " bytes"});
      return false;
    }
    call->response.body.append(piece);
    return true;
  }
  auto kept = call->callbacks;
  if (kept && kept->on_data) kept->on_data(piece);
  return true;
}

/// Whether the answer sends us elsewhere; then its body is skipped.
bool ClientConnection::take_redirect(const Response& head) {
  auto& call = *call_;
  call.redirect_to.clear();
  if (call.redirects <= 0 || call.upload) return false;
  if (head.status != 301 && head.status != 302 && head.status != 303 && head.status != 307 &&
      head.status != 308) {
    return false;
  }
  std::string_view location = trim(head.headers.get_or("Location", ""));
  if (location.empty()) return false;
  const Url& from = call.request.url;
  std::string to(location);
  if (location.starts_with("//")) {
    to = (from.scheme == "unix" ? "http" : from.scheme) + ":" + to;
  } else if (location.starts_with('/')) {
    Url next = from;
    next.target = to.substr(0, to.find('#'));
    to = next.render();
  } else if (location.find("://") == std::string_view::npos && !location.starts_with("unix:")) {
    Url next = from;
    std::string path = from.target.substr(0, from.target.find('?'));
    next.target = path.substr(0, path.find_last_of('/') + 1) + to.substr(0, to.find('#'));
    to = next.render();
  }
  call.redirect_to = std::move(to);
  return true;
}

void ClientConnection::on_answer_complete() {
  auto self = shared_from_this();
  auto client = client_;
  auto call = call_;
  bool sent = out_.empty() && (!call->upload || call->upload_ended);
  bool reusable = sent && parser_.info().keep_alive && !parser_.info().until_close &&
                  !peer_ended_ && !call->upgrade;
  int status = parser_.head().status;
  if (reusable) {
    call_ = nullptr;
    call->connection = nullptr;
    client->release(self, true);
  } else {
    close();
  }
  if (call->finished) return;
  if (call->redirect_to.empty()) return call->finish({});
  auto next = Url::parse(std::exchange(call->redirect_to, {}));
  if (!next) {
    return call->finish(Error{Code::BadGateway, key_ + " redirects to nowhere: " + next.error().message});
  }
  if (next->scheme == "unix" && call->request.url.scheme != "unix") {
    return call->finish(Error{Code::BadGateway, key_ + " redirects to a local socket"});
  }
  --call->redirects;
  auto& request = call->request;
  if (Client::Impl::key_of(request.url) != Client::Impl::key_of(*next)) {
    request.headers.remove("Authorization");
    request.headers.remove("Cookie");
    request.headers.remove("Host");
  }
  if (status == 303 || (status != 307 && status != 308 && request.method == "POST")) {
    if (request.method != "HEAD") request.method = "GET";
    request.body.clear();
    request.headers.remove("Content-Type");
  }
  request.url = *std::move(next);
  call->retried = false;
  client->start(call);
}

void ClientConnection::on_end_of_input() {
  peer_ended_ = true;
  if (raw_) {
    auto call = call_;
    close();
    return call->finish({});
  }
  if (!answer_began_) {
    const std::string problem = channel_->problem();
    return on_closed_by_peer("closed the connection without an answer" + (problem.empty() ? "" : ": " + problem));
  }
  if (parser_.end_of_stream() == ParseEvent::Done) return on_answer_complete();
  fail(Error{Code::BadGateway, key_ + ": " + parser_.failure().message});
}

}  // namespace base::http
