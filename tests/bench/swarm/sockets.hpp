#pragma once

// Thousands of connections in one thread for as little processor time as possible: a benchmark's own end must not be what
// it measures. One epoll; what is written in a turn leaves with one system call per connection at its end. Not
// thread-safe.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/time.hpp"

namespace swarm {

class Sockets;

/// Where somebody listens.
struct Endpoint {
  Endpoint(uint16_t p) : port(p) {}  // NOLINT(google-explicit-constructor): on 127.0.0.1, as nearly always here
  Endpoint(std::string i, uint16_t p) : ip(std::move(i)), port(p) {}

  /// "ip:port", version 4. Port 0 when it is none.
  static Endpoint parse(const std::string& text);

  std::string ip = "127.0.0.1";
  uint16_t port;
};

/// One connection. It may be closed and opened again, also from within its callbacks, but not destroyed there.
class Socket {
 public:
  explicit Socket(Sockets& sockets) : sockets_(sockets) {}
  virtual ~Socket();
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  /// What is sent before the connection stands goes out then. A refused connection is on_closed().
  void open(const Endpoint& to);

  /// Without on_closed().
  void close();

  void send(std::string_view bytes);

  /// Leaves what comes in the kernel's buffers, as a peer that hangs does.
  void stop_reading() { reads_ = false; }
  bool is_open() const { return static_cast<bool>(fd_); }

 protected:
  virtual void on_data(std::string_view bytes) = 0;
  virtual void on_closed() = 0;

 private:
  friend class Sockets;
  void ready(uint32_t events);
  void flush();

  Sockets& sockets_;
  base::Fd fd_;
  uint64_t generation_ = 0;
  bool connected_ = false, dirty_ = false, reads_ = true;
  std::string out_;
  size_t written_ = 0;
};

class Sockets {
 public:
  Sockets();

  void after(base::Duration delay, std::function<void()> call);

  /// One turn; waits for at most `longest`.
  void poll(base::Duration longest);

  /// Turns until `done()`; false after `limit`.
  bool run_until(const std::function<bool()>& done, base::Duration limit);

 private:
  friend class Socket;
  base::Fd epoll_;
  std::vector<char> buffer_ = std::vector<char>(256 << 10);
  std::vector<Socket*> dirty_;
  std::unordered_map<uint64_t, Socket*> sockets_;  // by generation
  uint64_t last_generation_ = 0;
  std::multimap<base::Instant, std::function<void()>> timers_;
};

/// Now, by the monotonic clock, and seconds since.
base::Instant now();
double seconds_since(base::Instant start);

}  // namespace swarm
