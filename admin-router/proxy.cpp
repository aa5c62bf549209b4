#include "admin-router/proxy.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "admin-router/engine.hpp"
#include "base/http/channel.hpp"
#include "base/log.hpp"

namespace admin_router {
namespace {

constexpr base::Duration kSweep = base::milliseconds(250);
constexpr base::Duration kNameLifetime = base::seconds(30);
constexpr size_t kMaxNames = 4096;

void set_option(int fd, int layer, int name, int value) {
  ::setsockopt(fd, layer, name, &value, sizeof value);
}

base::Result<std::string> look_up(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  int error = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0)
    return base::unavailable(
        fmt::format("the name {} is not known ({})", host, gai_strerror(error)));
  SocketAddress address;
  std::memcpy(&address.storage, found->ai_addr, found->ai_addrlen);
  ::freeaddrinfo(found);
  return address.text();
}

}  // namespace

class Proxy::Engine::Listener : public Poller::Watch {
 public:
  Listener(Engine& engine, int descriptor, std::string ip, bool secure)
      : fd(descriptor), local(std::move(ip)), tls(secure), engine_(engine) {}
  ~Listener() override { ::close(fd); }
  void on_ready(uint32_t) override {
    if (!paused) engine_.accept(*this);
  }
  const int fd;
  const std::string local;
  const bool tls;
  bool paused = false;

 private:
  Engine& engine_;
};

Proxy::Engine::Engine(base::Loop& l, Gateway& g, base::Metrics& metrics, ProxyOptions o)
    : loop(l),
      gateway(g),
      options(o),
      poller(l),
      accepted(metrics.counter("gateway/connections_accepted")),
      refused(metrics.counter("gateway/connections_refused")),
      requests(metrics.counter("gateway/requests")),
      bad_requests(metrics.counter("gateway/requests_malformed")),
      forwarded(metrics.counter("gateway/requests_forwarded")),
      upstream_failures(metrics.counter("gateway/upstream_failures")),
      upstream_connects(metrics.counter("gateway/upstream_connects")) {
  metrics.gauge("gateway/connections", [this] { return static_cast<double>(clients.size()); });
  metrics.gauge("gateway/upstream_connections",
                [this] { return static_cast<double>(upstreams.size()); });
  poller.set_after_turn([this] { reap(); });
  timer = loop.every(kSweep, [this] { sweep(); });
}

Proxy::Engine::~Engine() {
  loop.cancel(timer);
  for (size_t i = clients.size(); i > 0; --i) clients[i - 1]->close();
}

base::Result<uint16_t> Proxy::Engine::listen(const std::string& ip, uint16_t port, bool tls) {
  auto address = SocketAddress::parse(ip, port);
  if (!address) return base::invalid(fmt::format("\"{}\" is not an IP address", ip));
  int fd = ::socket(address->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return base::errno_error("socket", errno);
  auto listener = std::make_unique<Listener>(*this, fd, ip, tls);
  set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  // Accepted sockets inherit these.
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set_option(fd, IPPROTO_TCP, TCP_KEEPINTVL, 15);
  if (::bind(fd, address->raw(), address->size) != 0 || ::listen(fd, 4096) != 0) {
    int error = errno;
    if (error == EADDRINUSE)
      return base::conflict(fmt::format("cannot listen on {}:{}: the port is taken", ip, port));
    return base::errno_error(fmt::format("cannot listen on {}:{}", ip, port), error);
  }
  address->size = sizeof address->storage;
  ::getsockname(fd, address->raw(), &address->size);
  if (!poller.add(fd, *listener, false)) return base::errno_error("epoll", errno);
  listeners.push_back(std::move(listener));
  return address->port();
}

void Proxy::Engine::accept(Listener& listener) {
  for (int i = 0; i < 128; ++i) {
    SocketAddress from;
    from.size = sizeof from.storage;
    int fd = ::accept4(listener.fd, from.raw(), &from.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EINTR || errno == ECONNABORTED) continue;
      if (errno == EAGAIN) return;
      // Out of descriptors: stop listening to the event until the next sweep instead of spinning on
      // it.
      LOG_ERROR("cannot accept connections: {}", std::strerror(errno));
      listener.paused = true;
      poller.remove(listener.fd);
      return;
    }
    if (clients.size() >= options.max_connections) {
      refused.increment();
      if (listener.tls) {
        ::close(fd);
        continue;
      }
      constexpr std::string_view kBusy =
          "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n"
          "Connection: close\r\nRetry-After: 1\r\n\r\n";
      [[maybe_unused]] auto sent =
          ::send(fd, kBusy.data(), kBusy.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      ::close(fd);
      continue;
    }
    accepted.increment();
    auto client = std::make_unique<Client>(*this, fd, Peer{from.text(), listener.local, listener.tls});
    if (listener.tls) {
      auto channel = options.tls->accept(base::Fd(fd));
      if (!channel) {
        LOG_ERROR("{}", channel.error().message);
        continue;
      }
      client->secure(std::move(*channel));
    }
    client->slot = clients.size();
    bool attached = client->attach();
    clients.push_back(std::move(client));
    if (!attached) clients.back()->close();
  }
}

void Proxy::Engine::bury(Client& client) {
  std::erase_if(resolving, [&](const auto& entry) { return entry.second == &client; });
  size_t slot = client.slot;
  graves.push_back(std::move(clients[slot]));
  if (slot + 1 < clients.size()) {
    clients[slot] = std::move(clients.back());
    clients[slot]->slot = slot;
  }
  clients.pop_back();
}

void Proxy::Engine::bury(Upstream& upstream) {
  auto pool = idle.find(upstream.address());
  if (pool != idle.end()) {
    std::erase(pool->second, &upstream);
    if (pool->second.empty()) idle.erase(pool);
  }
  upstream.close_now();
  size_t slot = upstream.slot;
  graves.push_back(std::move(upstreams[slot]));
  if (slot + 1 < upstreams.size()) {
    upstreams[slot] = std::move(upstreams.back());
    upstreams[slot]->slot = slot;
  }
  upstreams.pop_back();
}

void Proxy::Engine::reap() {
  if (!graves.empty()) graves.clear();
}

Upstream* Proxy::Engine::take_idle(const Address& address) {
  auto pool = idle.find(address);
  if (pool == idle.end() || pool->second.empty()) return nullptr;
  Upstream* upstream =
      pool->second.back();  // the most recently used: least likely to be closed just now
  pool->second.pop_back();
  upstream->reused = true;
  return upstream;
}

void Proxy::Engine::put_idle(Upstream& upstream) {
  upstream.client = nullptr;
  char byte = 0;
  size_t got = 0;
  auto& pool = idle[upstream.address()];
  bool quiet = upstream.read(&byte, 1, got) == Socket::Read::Nothing && !upstream.peer_finished();
  if (!quiet || pool.size() >= options.max_idle_per_upstream || draining) return bury(upstream);
  upstream.idle_since = now();
  pool.push_back(&upstream);
}

base::Result<Upstream*> Proxy::Engine::connect(const Address& address, const std::string& ip) {
  auto target = SocketAddress::parse(ip, address.port);
  if (!target) return base::invalid(fmt::format("\"{}\" is not an IP address", ip));
  int fd = ::socket(target->storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return base::errno_error("socket", errno);
  auto upstream = std::make_unique<Upstream>(*this, fd, address);
  set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(fd, IPPROTO_TCP, TCP_KEEPIDLE, 60);
  upstream->set_writable(false);
  upstream->connecting = true;
  upstream_connects.increment();
  if (::connect(fd, target->raw(), target->size) != 0 && errno != EINPROGRESS)
    return base::errno_error("connect", errno);
  if (address.tls) {
    auto& tls = address.checked ? options.tls : options.unchecked_tls;
    if (!tls) return base::unsupported("it speaks TLS, for which this gateway is not set up");
    ASSIGN_OR_RETURN(auto channel, tls->connect(base::Fd(fd), address.host, address.port));
    upstream->secure(std::move(channel));
  }
  if (!upstream->attach()) return base::errno_error("epoll", errno);
  upstream->slot = upstreams.size();
  upstreams.push_back(std::move(upstream));
  return upstreams.back().get();
}

bool Proxy::Engine::known_ip(const std::string& host, std::string& ip) {
  if (SocketAddress::parse(host, 0)) {
    ip = host;
    return true;
  }
  auto it = names.find(host);
  if (it == names.end() || it->second.until < now()) return false;
  ip = it->second.ip;
  return true;
}

void Proxy::Engine::resolve(Client& client, const std::string& host) {
  if (!resolver) resolver = std::make_unique<base::Pool>(loop, 1, 256);
  uint64_t id = next_resolve++;
  resolving[id] = &client;
  bool queued = resolver->run_for([host] { return look_up(host); },
                                  [this, id, host](base::Result<std::string> ip) {
                                    if (names.size() >= kMaxNames) names.clear();
                                    if (ip) names[host] = {*ip, now() + kNameLifetime};
                                    auto it = resolving.find(id);
                                    if (it == resolving.end()) return;
                                    Client* waiting = it->second;
                                    resolving.erase(it);
                                    waiting->on_resolved(std::move(ip));
                                    reap();
                                  });
  if (queued) return;
  resolving.erase(id);
  client.on_connect_failed("too many names are being resolved");
}

void Proxy::Engine::sweep() {
  base::Instant at = now();
  for (auto& listener : listeners)
    if (listener->paused && poller.add(listener->fd, *listener, false)) listener->paused = false;
  for (size_t i = clients.size(); i > 0; --i)
    if (i <= clients.size()) clients[i - 1]->sweep(at);
  std::vector<Upstream*> old;
  for (auto& [address, pool] : idle)
    for (Upstream* upstream : pool)
      if (at - upstream->idle_since > options.upstream_idle) old.push_back(upstream);
  for (Upstream* upstream : old) bury(*upstream);
  reap();
  if (draining && drained && (clients.empty() || at > drain_until)) {
    auto call = std::move(drained);
    drained = nullptr;
    call();
  }
}

Proxy::Proxy(base::Loop& loop, Gateway& gateway, base::Metrics& metrics, ProxyOptions options)
    : engine_(std::make_unique<Engine>(loop, gateway, metrics, options)) {}

Proxy::~Proxy() = default;

base::Result<uint16_t> Proxy::listen(const std::string& ip, uint16_t port, bool tls) {
  return engine_->listen(ip, port, tls);
}

void Proxy::wake() {
  for (size_t i = engine_->clients.size(); i > 0; --i)
    if (i <= engine_->clients.size() && engine_->clients[i - 1]->parked())
      engine_->clients[i - 1]->proceed();
  engine_->reap();
}

void Proxy::drain(base::Duration limit, std::function<void()> done) {
  engine_->draining = true;
  engine_->drain_until = engine_->now() + limit;
  engine_->drained = std::move(done);
  engine_->listeners.clear();
  engine_->sweep();
}

size_t Proxy::connections() const {
  return engine_->clients.size();
}

}  // namespace admin_router
