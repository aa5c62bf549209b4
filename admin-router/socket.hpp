#pragma once

// One non-blocking TCP socket of the relay: readiness flags, direct reads and writes, and the bytes
// that the kernel did not take yet. No buffer is held while nothing is under way.

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "admin-router/poller.hpp"
#include "base/result.hpp"

namespace base::http {
class Channel;
}

namespace admin_router {

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;

  /// From a literal IPv4 or IPv6 address, or the absolute path of a unix socket.
  static std::optional<SocketAddress> parse(const std::string& ip, uint16_t port);
  /// Without the port; "unknown" for other families.
  std::string text() const;
  uint16_t port() const;
  const sockaddr* raw() const { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* raw() { return reinterpret_cast<sockaddr*>(&storage); }
};

class Socket : public Poller::Watch {
 public:
  enum class Read : uint8_t { Data, Nothing, End, Failed };

  Socket(Poller& poller, int fd);
  ~Socket() override;
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  bool is_open() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  bool attach() { return poller_.add(fd_, *this); }

  /// From here on bytes go through `channel`, which speaks TLS on this descriptor and closes it.
  /// Nothing is read or written before shake_hands() is done.
  void secure(std::unique_ptr<base::http::Channel> channel);

  /// True when there is nothing (more) to agree on. Error: why the other side is not spoken to.
  base::Result<bool> shake_hands();
  bool established() const { return established_; }

  /// Whether nobody on the way can read along.
  bool is_secure() const;

  /// Takes what the event tells into the flags.
  void note(uint32_t events);

  /// Data: `bytes` of it are in `buffer`. Nothing: none until the next event.
  Read read(char* buffer, size_t capacity, size_t& bytes);
  bool readable() const { return readable_; }

  /// Sends `a` then `b`; what the kernel does not take is kept. False when the peer takes nothing
  /// any more.
  bool write(std::string_view a, std::string_view b = {});
  bool flush();
  size_t pending() const { return out_.size() - out_at_; }

  /// Closes our direction once everything is sent.
  void finish_writing();

  void close_now();

  bool peer_finished() const { return peer_finished_; }
  bool reset() const { return reset_; }
  bool write_failed() const { return write_failed_; }
  /// Nothing is sent before this.
  void set_writable(bool writable) { writable_ = writable; }

 protected:
  std::string in_{};  // read and not consumed

 private:
  void shut_down();

  Poller& poller_;
  int fd_ = -1;
  std::unique_ptr<base::http::Channel> channel_{};  // null: plain
  bool established_ = true;
  bool readable_ = false;
  bool writable_ = true;
  bool peer_finished_ = false;  // no more data than what is already in the kernel
  bool reset_ = false;
  bool write_failed_ = false;
  bool finish_ = false;
  std::string out_{};
  size_t out_at_ = 0;
};

}  // namespace admin_router
