#pragma once

// ZooKeeper in memory, for unit tests and simulation: nodes, sessions that expire, watches, and every way in which a
// connection can fail. Deterministic: time and delays come from outside. Each client program has an owner's name, by
// which tests cut it off, expire its session or let it crash.

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/zk/client.hpp"

namespace base::zk {

class FakeZooKeeper {
 public:
  /// Where a piece of the fake runs: `after` of a program is void once the program has crashed.
  struct Place {
    std::function<Instant()> now;
    std::function<uint64_t(Duration, std::function<void()>)> after;
    std::function<void(uint64_t)> cancel;
  };

  /// `latency` is asked for each message, in either direction.
  FakeZooKeeper(Place server, std::function<Duration()> latency);
  ~FakeZooKeeper();

  /// For the program `owner`.
  Host host(const std::string& owner, Place program);

  // Faults -----------------------------------------------------------------------------------------------------------

  /// Nothing passes between the servers and that program until mend(); the client notices after two thirds of the
  /// session timeout, the servers give the session up after all of it.
  void cut(const std::string& owner);
  void mend(const std::string& owner);

  /// The connection breaks at once and is made again soon; what was under way may or may not have been performed.
  void drop(const std::string& owner);

  /// The servers give the session up now; the client is told when it is connected.
  void expire(const std::string& owner);

  /// The program is gone without a word: its sessions end when their time is over. To be called before its clients
  /// are destroyed.
  void crash(const std::string& owner);

  // Views ------------------------------------------------------------------------------------------------------------

  const std::map<std::string, std::string> nodes() const;
  size_t sessions() const;

  /// How often data or children were asked for.
  uint64_t reads() const;

  /// As a program of nobody's would: at once. False: not possible.
  bool force(const Op& op);

  struct Server;

 private:
  std::shared_ptr<Server> server_;
};

}  // namespace base::zk
