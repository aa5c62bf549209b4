#pragma once

// Blocking sockets for tests: a client that says exactly the bytes it is told to, and a server that
// runs a script.

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>

namespace admin_router::testing {

/// A connection. Reads give up after five seconds, which fails the test instead of hanging it.
class Wire {
 public:
  explicit Wire(int fd = -1);
  ~Wire();
  Wire(Wire&& other) noexcept;
  Wire(const Wire&) = delete;

  static Wire connect(uint16_t port);

  bool send(std::string_view bytes);
  /// Everything up to and including `mark`; less when the peer ends first.
  std::string read_until(std::string_view mark);
  std::string read_bytes(size_t count);
  /// Until the peer closes.
  std::string read_all();
  /// A head and the body that Content-Length announces.
  std::string read_message();
  void finish_writing();
  void close();
  /// Closes with a reset.
  void abort();
  bool failed() const { return failed_; }
  int fd() const { return fd_; }

 private:
  bool fill();
  int fd_ = -1;
  std::string buffer_;
  bool failed_ = false;
};

/// A server on a free loopback port: runs `serve` on a thread of its own for each connection.
class FakeServer {
 public:
  explicit FakeServer(std::function<void(Wire&)> serve);
  ~FakeServer();
  uint16_t port() const { return port_; }
  int accepted() const { return accepted_; }
  /// No further connection is taken: the port is closed.
  void stop();

 private:
  void run();
  std::function<void(Wire&)> serve_;
  int fd_ = -1;
  uint16_t port_ = 0;
  std::atomic<int> accepted_{0};
  std::atomic<int> running_{0};
  std::atomic<bool> stopped_{false};
  std::thread thread_;
};

}  // namespace admin_router::testing
