#include "admin-router/socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/http/channel.hpp"

namespace admin_router {
namespace {

constexpr size_t kKeepCapacity = 16 << 10;

ssize_t send_pieces(int fd, base::http::Channel* channel, std::string_view a, std::string_view b) {
  if (channel != nullptr) {
    iovec pieces[2] = {{const_cast<char*>(a.data()), a.size()}, {const_cast<char*>(b.data()), b.size()}};
    int first = a.empty() ? 1 : 0;
    ssize_t sent = channel->write(pieces + first, b.empty() ? 1 - first : 2 - first);
    if (sent >= 0) return sent;
    errno = sent == base::http::Channel::kWouldBlock ? EAGAIN : EPIPE;
    return -1;
  }
  if (b.empty()) return ::send(fd, a.data(), a.size(), MSG_NOSIGNAL);
  iovec pieces[2] = {{const_cast<char*>(a.data()), a.size()},
                     {const_cast<char*>(b.data()), b.size()}};
  msghdr message{};
  message.msg_iov = pieces;
  message.msg_iovlen = 2;
  return ::sendmsg(fd, &message, MSG_NOSIGNAL);
}

}  // namespace

std::optional<SocketAddress> SocketAddress::parse(const std::string& ip, uint16_t port) {
  SocketAddress address;
  if (ip.starts_with('/')) {
    auto* local = reinterpret_cast<sockaddr_un*>(&address.storage);
    if (ip.size() >= sizeof local->sun_path) return std::nullopt;
    local->sun_family = AF_UNIX;
    std::memcpy(local->sun_path, ip.data(), ip.size());
    address.size = sizeof(sockaddr_un);
    return address;
  }
  auto* v4 = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (::inet_pton(AF_INET, ip.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
    address.size = sizeof(sockaddr_in);
    return address;
  }
  if (::inet_pton(AF_INET6, ip.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
    address.size = sizeof(sockaddr_in6);
    return address;
  }
  return std::nullopt;
}

std::string SocketAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  const void* from = nullptr;
  if (storage.ss_family == AF_INET)
    from = &reinterpret_cast<const sockaddr_in*>(&storage)->sin_addr;
  if (storage.ss_family == AF_INET6)
    from = &reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_addr;
  if (from == nullptr || ::inet_ntop(storage.ss_family, from, buffer, sizeof buffer) == nullptr)
    return "unknown";
  return buffer;
}

uint16_t SocketAddress::port() const {
  if (storage.ss_family == AF_INET6)
    return ntohs(reinterpret_cast<const sockaddr_in6*>(&storage)->sin6_port);
  return ntohs(reinterpret_cast<const sockaddr_in*>(&storage)->sin_port);
}

Socket::Socket(Poller& poller, int fd) : poller_(poller), fd_(fd) {}
Socket::~Socket() { close_now(); }

void Socket::secure(std::unique_ptr<base::http::Channel> channel) {
  channel_ = std::move(channel);
  established_ = false;
}

bool Socket::is_secure() const { return channel_ && channel_->secure(); }

base::Result<bool> Socket::shake_hands() {
  if (established_ || fd_ < 0) return true;
  ASSIGN_OR_RETURN(established_, channel_->handshake());
  return established_;
}

void Socket::note(uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) readable_ = true;
  if (events & (EPOLLRDHUP | EPOLLHUP)) peer_finished_ = true;
  if (events & (EPOLLERR | EPOLLHUP)) reset_ = true;
  if (events & EPOLLOUT) writable_ = true;
}

Socket::Read Socket::read(char* buffer, size_t capacity, size_t& bytes) {
  bytes = 0;
  if (fd_ < 0) return Read::Failed;
  if (!readable_ || !established_) return Read::Nothing;
  if (channel_) {
    // What TLS has read from the kernel and holds raises no edge: read until there is nothing.
    ssize_t got = channel_->read(buffer, capacity);
    if (got > 0) {
      bytes = static_cast<size_t>(got);
      return Read::Data;
    }
    readable_ = false;
    if (got == base::http::Channel::kWouldBlock) return Read::Nothing;
    peer_finished_ = true;
    return got == 0 ? Read::End : Read::Failed;
  }
  while (true) {
    ssize_t got = ::recv(fd_, buffer, capacity, 0);
    if (got > 0) {
      bytes = static_cast<size_t>(got);
      // A short read empties the queue, and the next byte raises an edge. Only the end of the
      // stream, which was told already, would not be told again.
      if (bytes < capacity && !peer_finished_) readable_ = false;
      return Read::Data;
    }
    if (got == 0) {
      peer_finished_ = true;
      readable_ = false;
      return Read::End;
    }
    if (errno == EINTR) continue;
    readable_ = false;
    return errno == EAGAIN || errno == EWOULDBLOCK ? Read::Nothing : Read::Failed;
  }
}

bool Socket::write(std::string_view a, std::string_view b) {
  if (fd_ < 0 || write_failed_) return false;
  if (pending() == 0 && writable_ && established_) {
    ssize_t sent;
    do {
      sent = send_pieces(fd_, channel_.get(), a, b);
    } while (sent < 0 && errno == EINTR);
    if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
      write_failed_ = true;
      return false;
    }
    size_t taken = sent < 0 ? 0 : static_cast<size_t>(sent);
    if (taken == a.size() + b.size()) return true;
    writable_ = false;
    size_t of_a = std::min(taken, a.size());
    a.remove_prefix(of_a);
    b.remove_prefix(taken - of_a);
  }
  out_.append(a).append(b);
  return true;
}

bool Socket::flush() {
  if (fd_ < 0 || write_failed_) return false;
  while (writable_ && established_ && pending() > 0) {
    ssize_t sent = send_pieces(fd_, channel_.get(), std::string_view(out_).substr(out_at_), {});
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
      writable_ = false;
      break;
    }
    if (sent < 0) {
      write_failed_ = true;
      return false;
    }
    out_at_ += static_cast<size_t>(sent);
  }
  if (pending() == 0 && out_at_ > 0) {
    out_at_ = 0;
    out_.clear();
    if (out_.capacity() > kKeepCapacity) std::string().swap(out_);
    if (finish_) shut_down();
  } else if (out_at_ > (size_t{1} << 20)) {
    out_.erase(0, out_at_);
    out_at_ = 0;
  }
  return true;
}

void Socket::finish_writing() {
  if (finish_) return;
  finish_ = true;
  if (fd_ >= 0 && pending() == 0) shut_down();
}

void Socket::shut_down() {
  if (channel_ && established_) {
    channel_->finish();
  } else {
    ::shutdown(fd_, SHUT_WR);
  }
}

void Socket::close_now() {
  if (fd_ < 0) return;
  if (channel_) {
    channel_.reset();
    fd_ = -1;
    return;
  }
  ::close(fd_);  // leaves the epoll set by itself: no other descriptor refers to this socket
  fd_ = -1;
}

}  // namespace admin_router
