#include "tests/bench/swarm/sockets.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/check.hpp"
#include "base/loop.hpp"
#include "base/numbers.hpp"

namespace swarm {

base::Instant now() { return base::system_clock().now().instant; }

double seconds_since(base::Instant start) { return std::chrono::duration<double>(now() - start).count(); }

Socket::~Socket() { close(); }

Endpoint Endpoint::parse(const std::string& text) {
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos) return 0;
  const auto port = base::parse_uint(std::string_view(text).substr(colon + 1));
  return {text.substr(0, colon), port && *port <= 65'535 ? static_cast<uint16_t>(*port) : uint16_t{0}};
}

void Socket::open(const Endpoint& to) {
  close();
  fd_ = base::Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  CHECK(fd_);  // the limit of descriptors is raised by the benchmark
  int on = 1;
  ::setsockopt(fd_.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(to.port);
  CHECK(::inet_pton(AF_INET, to.ip.c_str(), &address.sin_addr) == 1);
  ::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address));  // its outcome is an event
  generation_ = ++sockets_.last_generation_;
  sockets_.sockets_[generation_] = this;
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
  wanted.data.u64 = generation_;
  CHECK(::epoll_ctl(sockets_.epoll_.get(), EPOLL_CTL_ADD, fd_.get(), &wanted) == 0);
}

void Socket::close() {
  if (!fd_) return;
  sockets_.sockets_.erase(generation_);
  generation_ = 0;
  fd_.reset();
  connected_ = false;
  out_.clear();
  written_ = 0;
  if (dirty_) std::erase(sockets_.dirty_, this);
  dirty_ = false;
}

void Socket::send(std::string_view bytes) {
  if (!fd_) return;
  out_.append(bytes);
  if (dirty_) return;
  dirty_ = true;
  sockets_.dirty_.push_back(this);
}

void Socket::flush() {
  if (!fd_ || !connected_) return;
  while (written_ < out_.size()) {
    const ssize_t n = ::send(fd_.get(), out_.data() + written_, out_.size() - written_, MSG_NOSIGNAL);
    if (n < 0) return;  // full: another event follows; broken: so does its end
    written_ += static_cast<size_t>(n);
  }
  out_.clear();
  written_ = 0;
}

void Socket::ready(uint32_t events) {
  const uint64_t generation = generation_;
  if ((events & (EPOLLERR | EPOLLHUP)) && !(events & EPOLLIN)) {
    close();
    return on_closed();
  }
  if (events & EPOLLOUT) {
    connected_ = true;
    flush();
  }
  if (!reads_ || !(events & (EPOLLIN | EPOLLRDHUP))) return;
  std::vector<char>& buffer = sockets_.buffer_;
  for (;;) {
    const ssize_t n = ::recv(fd_.get(), buffer.data(), buffer.size(), 0);
    if (n > 0) {
      on_data({buffer.data(), static_cast<size_t>(n)});
      if (generation_ != generation) return;
      continue;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    close();
    return on_closed();
  }
}

Sockets::Sockets() : epoll_(::epoll_create1(EPOLL_CLOEXEC)) { CHECK(epoll_); }

void Sockets::after(base::Duration delay, std::function<void()> call) { timers_.emplace(now() + delay, std::move(call)); }

void Sockets::poll(base::Duration longest) {
  base::Instant present = now();
  while (!timers_.empty() && timers_.begin()->first <= present) {
    const auto call = std::move(timers_.begin()->second);
    timers_.erase(timers_.begin());
    call();
  }
  for (Socket* socket : std::exchange(dirty_, {})) {
    socket->dirty_ = false;
    socket->flush();
  }
  if (!timers_.empty()) longest = std::clamp(timers_.begin()->first - now(), base::Duration(0), longest);
  std::array<epoll_event, 1024> events;
  const auto wait = static_cast<int>(std::chrono::ceil<base::milliseconds>(longest).count());
  const int count = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), wait);
  for (int i = 0; i < count; ++i) {
    const auto found = sockets_.find(events[static_cast<size_t>(i)].data.u64);
    if (found != sockets_.end()) found->second->ready(events[static_cast<size_t>(i)].events);
  }
  for (Socket* socket : std::exchange(dirty_, {})) {
    socket->dirty_ = false;
    socket->flush();
  }
}

bool Sockets::run_until(const std::function<bool()>& done, base::Duration limit) {
  const base::Instant end = now() + limit;
  while (!done()) {
    if (now() >= end) return false;
    poll(base::milliseconds(20));
  }
  return true;
}

}  // namespace swarm
