#include "base/http/server.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/http/connection.hpp"
#include "base/log.hpp"

namespace base::http {

namespace {

constexpr size_t kMaxRefusals = 256;  // connections beyond the limit that get a 503; further ones are just closed

std::string address_text(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address);
    ::inet_ntop(AF_INET, &v4.sin_addr, text.data(), text.size());
    return std::string(text.data()) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, text.data(), text.size());
    return "[" + std::string(text.data()) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return "unix";
}

/// One listening socket.
class Listener : public Poller::Watcher, public std::enable_shared_from_this<Listener> {
 public:
  Listener(std::shared_ptr<ServerState> server, Fd fd, std::string unlink_path)
      : server_(std::move(server)), fd_(std::move(fd)), unlink_path_(std::move(unlink_path)) {}

  Status start() {
    ASSIGN_OR_RETURN(ticket_, server_->poller.add(fd_.get(), shared_from_this()));
    return {};
  }

  void stop() {
    if (!fd_) return;
    if (retry_ != 0) server_->loop.cancel(retry_);
    server_->poller.remove(fd_.get(), ticket_);
    fd_.reset();
    if (!unlink_path_.empty()) ::unlink(unlink_path_.c_str());
  }

  void on_ready(bool, bool) override { accept(); }

 private:
  void accept() {
    auto self = shared_from_this();
    while (fd_) {
      sockaddr_storage address{};
      socklen_t size = sizeof(address);
      Fd peer(::accept4(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size,
                        SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!peer) {
        if (errno == EINTR || errno == ECONNABORTED) continue;
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        // No descriptor or memory is left: those who wait stay in the kernel's queue meanwhile.
        LOG_WARNING("cannot accept a connection: {}", strerror(errno));
        if (retry_ == 0) {
          retry_ = server_->loop.after(milliseconds(100), [self] {
            self->retry_ = 0;
            self->accept();
          });
        }
        return;
      }
      size_t count = server_->connections.size();
      size_t limit = server_->options.max_connections;
      if (count >= limit + kMaxRefusals) continue;
      int on = 1;
      if (address.ss_family != AF_UNIX) {
        ::setsockopt(peer.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      }
      auto channel = plain_channel_or_tls(std::move(peer), address.ss_family);
      if (!channel) continue;
      auto connection = std::make_shared<Connection>(server_, std::move(channel), address_text(address));
      connection->start(count >= limit);
    }
  }

  std::unique_ptr<Channel> plain_channel_or_tls(Fd peer, sa_family_t family) {
    const auto& tls = server_->options.tls;
    if (!tls || !tls->enabled() || family == AF_UNIX) return plain_channel(std::move(peer));
    auto channel = tls->accept(std::move(peer));
    if (!channel) LOG_WARNING("cannot take a TLS connection: {}", channel.error().message);
    return channel ? std::move(*channel) : nullptr;
  }

  std::shared_ptr<ServerState> server_;
  Fd fd_;
  uint64_t ticket_ = 0;
  std::string unlink_path_;
  Loop::TimerId retry_ = 0;
};

std::string listen_reason(int error) {
  if (error == EADDRINUSE) return "the address is already in use";
  if (error == EADDRNOTAVAIL) return "this machine has no such address";
  return strerror(error);
}

}  // namespace

struct Server::Impl {
  std::shared_ptr<ServerState> state;
  std::vector<std::shared_ptr<Listener>> listeners;
  Loop::TimerId sweep = 0;
  Loop::TimerId drain_timer = 0;

  void close_all(bool notify) {
    std::vector<std::shared_ptr<Connection>> all;
    for (auto& [key, connection] : state->connections) all.push_back(connection);
    for (auto& connection : all) connection->close(notify);
  }

  void check_time() {
    Instant now = state->loop.now().instant;
    std::vector<std::shared_ptr<Connection>> all;
    all.reserve(state->connections.size());
    for (auto& [key, connection] : state->connections) all.push_back(connection);
    for (auto& connection : all) {
      if (!connection->closed()) connection->check_time(now);
    }
  }

  Status listen_on(Fd fd, const std::string& what, const std::string& unlink_path) {
    if (::listen(fd.get(), 4096) != 0) {
      return Error{Code::Io, "cannot listen on " + what + ": " + listen_reason(errno)};
    }
    auto listener = std::make_shared<Listener>(state, std::move(fd), unlink_path);
    RETURN_IF_ERROR(listener->start());
    listeners.push_back(std::move(listener));
    return {};
  }

  void stop_listening() {
    for (auto& listener : listeners) listener->stop();
    listeners.clear();
  }
};

Server::Server(Loop& loop, ServerOptions options, Handler handler)
    : impl_(std::make_shared<Impl>()) {
  Duration period = std::clamp<Duration>(options.idle_timeout / 4, milliseconds(5), seconds(1));
  impl_->state = std::make_shared<ServerState>(loop, std::move(options), std::move(handler));
  impl_->sweep = loop.every(period, [impl = impl_.get()] { impl->check_time(); });
}

Server::~Server() {
  auto& state = *impl_->state;
  state.loop.cancel(impl_->sweep);
  if (impl_->drain_timer != 0) state.loop.cancel(impl_->drain_timer);
  state.on_connection_closed = nullptr;
  impl_->stop_listening();
  impl_->close_all(false);
}

Result<uint16_t> Server::listen(const std::string& address, uint16_t port) {
  sockaddr_storage storage{};
  socklen_t size = 0;
  auto& v4 = reinterpret_cast<sockaddr_in&>(storage);
  auto& v6 = reinterpret_cast<sockaddr_in6&>(storage);
  std::string what = address + ":" + std::to_string(port);
  if (::inet_pton(AF_INET, address.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    size = sizeof(v4);
  } else if (::inet_pton(AF_INET6, address.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    size = sizeof(v6);
    what = "[" + address + "]:" + std::to_string(port);
  } else {
    return invalid("cannot listen on " + what + ": '" + address + "' is not an IP address");
  }
  Fd fd(::socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error("cannot listen on " + what, errno);
  int on = 1;
  ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), size) != 0) {
    return Error{Code::Io, "cannot listen on " + what + ": " + listen_reason(errno)};
  }
  size = sizeof(storage);
  ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&storage), &size);
  RETURN_IF_ERROR(impl_->listen_on(std::move(fd), what, ""));
  return ntohs(storage.ss_family == AF_INET ? v4.sin_port : v6.sin6_port);
}

Status Server::listen_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address.sun_path)) {
    return invalid("cannot listen on '" + path + "': a socket's path has 1 to 107 characters");
  }
  std::copy(path.begin(), path.end(), address.sun_path);
  auto* raw = reinterpret_cast<sockaddr*>(&address);
  {
    // A socket that nobody serves is left from a crash.
    Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    if (::connect(probe.get(), raw, sizeof(address)) == 0) {
      return Error{Code::Io, "cannot listen on " + path + ": another process serves it"};
    }
    if (errno == ECONNREFUSED) ::unlink(path.c_str());
  }
  Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error("cannot listen on " + path, errno);
  if (::bind(fd.get(), raw, sizeof(address)) != 0 || ::chmod(path.c_str(), 0600) != 0) {
    return Error{Code::Io, "cannot listen on " + path + ": " + listen_reason(errno)};
  }
  return impl_->listen_on(std::move(fd), path, path);
}

void Server::drain(Duration limit, std::function<void()> done) {
  auto state = impl_->state;
  impl_->stop_listening();
  state->draining = true;
  std::vector<std::shared_ptr<Connection>> all;
  for (auto& [key, connection] : state->connections) all.push_back(connection);
  for (auto& connection : all) connection->drain();
  auto finished = std::make_shared<std::function<void()>>(std::move(done));
  auto finish = [impl = impl_.get(), finished] {
    impl->state->loop.cancel(impl->drain_timer);
    impl->state->on_connection_closed = nullptr;
    if (*finished) impl->state->loop.post(std::exchange(*finished, nullptr));
  };
  if (state->connections.empty()) return finish();
  state->on_connection_closed = [impl = impl_.get(), finish] {
    if (!impl->state->connections.empty()) return;
    auto call = finish;  // it replaces the function that is running
    call();
  };
  impl_->drain_timer = state->loop.after(limit, [impl = impl_.get(), finish] {
    impl->state->on_connection_closed = nullptr;
    impl->close_all(true);
    finish();
  });
}

size_t Server::connections() const { return impl_->state->connections.size(); }

}  // namespace base::http
