#include "admin-router/fake_net.hpp"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/check.hpp"

namespace admin_router::testing {
namespace {

constexpr int kPatienceSeconds = 5;

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

}  // namespace

Wire::Wire(int fd) : fd_(fd) {
  timeval patience{kPatienceSeconds, 0};
  if (fd_ < 0) return;
  ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
}

Wire::~Wire() {
  close();
}

Wire::Wire(Wire&& other) noexcept : fd_(other.fd_), buffer_(std::move(other.buffer_)) {
  other.fd_ = -1;
}

Wire Wire::connect(uint16_t port) {
  int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(port);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    ::close(fd);
    return Wire(-1);
  }
  return Wire(fd);
}

bool Wire::send(std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

bool Wire::fill() {
  char piece[16384];
  ssize_t got = ::recv(fd_, piece, sizeof piece, 0);
  if (got < 0) failed_ = true;
  if (got <= 0) return false;
  buffer_.append(piece, static_cast<size_t>(got));
  return true;
}

std::string Wire::read_until(std::string_view mark) {
  size_t at;
  size_t from = 0;
  while ((at = buffer_.find(mark, from)) == std::string::npos) {
    from = buffer_.size() > mark.size() ? buffer_.size() - mark.size() : 0;
    if (!fill()) {
      at = buffer_.size();
      mark = "";
      break;
    }
  }
  std::string out = buffer_.substr(0, at + mark.size());
  buffer_.erase(0, out.size());
  return out;
}

std::string Wire::read_bytes(size_t count) {
  while (buffer_.size() < count && fill()) {
  }
  std::string out = buffer_.substr(0, count);
  buffer_.erase(0, out.size());
  return out;
}

std::string Wire::read_all() {
  while (fill()) {
  }
  std::string out;
  out.swap(buffer_);
  return out;
}

std::string Wire::read_message() {
  std::string head = read_until("\r\n\r\n");
  size_t at = head.find("Content-Length: ");
  size_t length = at == std::string::npos ? 0 : std::strtoull(head.c_str() + at + 16, nullptr, 10);
  return head + read_bytes(length);
}

void Wire::finish_writing() {
  ::shutdown(fd_, SHUT_WR);
}

void Wire::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

void Wire::abort() {
  linger now{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

FakeServer::FakeServer(std::function<void(Wire&)> serve) : serve_(std::move(serve)) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  CHECK(::bind(fd_, reinterpret_cast<sockaddr*>(&address), size) == 0 && ::listen(fd_, 64) == 0);
  ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  thread_ = std::thread([this] { run(); });
}

void FakeServer::run() {
  while (!stopped_) {
    pollfd ready{fd_, POLLIN, 0};
    if (::poll(&ready, 1, 20) <= 0) continue;
    int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) continue;
    ++accepted_;
    ++running_;
    std::thread([this, fd] {
      {
        Wire wire(fd);
        serve_(wire);
      }
      --running_;
    }).detach();
  }
}

void FakeServer::stop() {
  stopped_ = true;
  if (thread_.joinable()) thread_.join();
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

FakeServer::~FakeServer() {
  stop();
  while (running_ > 0) ::usleep(1000);
}

}  // namespace admin_router::testing
