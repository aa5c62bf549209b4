#pragma once

// ZooKeeper servers of a test's own: Debian's package, started on loopback with a configuration, ports and a data
// directory of their own, ended with the object. And a virtual time in which the fake runs.

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/result.hpp"
#include "base/testing/temporary_directory.hpp"
#include "base/zk/fake.hpp"

namespace base::zk::testing {

class TestServer {
 public:
  /// Is the package installed?
  static bool available();

  /// `tick`: the server's unit of time; sessions last at least two.
  static Result<std::unique_ptr<TestServer>> start(Duration tick = milliseconds(200));
  ~TestServer();
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;

  uint16_t port() const { return port_; }
  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }

  /// SIGSTOP and SIGCONT: a server that hangs.
  void pause();
  void resume();

  /// kill -9, and a new process on the same port and data.
  void kill();
  Status restart();

 private:
  TestServer() = default;

  base::testing::TemporaryDirectory directory_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// Virtual time for the fake.
class FakeTime {
 public:
  Instant now() const { return now_; }
  uint64_t after(Duration delay, std::function<void()> call);
  void cancel(uint64_t timer);
  void run_for(Duration duration);
  /// One call; false when none waits.
  bool step();
  FakeZooKeeper::Place place();

 private:
  Instant now_{hours(1)};
  uint64_t next_ = 1;
  std::map<std::pair<Instant, uint64_t>, std::function<void()>> queue_;
};

}  // namespace base::zk::testing
