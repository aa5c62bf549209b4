#pragma once

// Readiness of many sockets, told edge-triggered: one epoll set of its own that wakes the daemon's
// loop. A socket is registered once for its life, and a relay reads and writes it directly, so that
// an idle connection costs no buffer and a busy one no system call beyond its own.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/loop.hpp"

namespace admin_router {

class Poller {
 public:
  /// Something that waits for a socket. Must outlive its registration, and the turn in which it
  /// ends.
  class Watch {
   public:
    virtual ~Watch() = default;
    /// `events` are EPOLL* bits.
    virtual void on_ready(uint32_t events) = 0;
  };

  explicit Poller(base::Loop& loop);
  ~Poller();

  /// `edge` false: level-triggered, for listeners.
  bool add(int fd, Watch& watch, bool edge = true);
  void remove(int fd);

  /// Runs after the turn's events: the place to free what ended in it.
  void set_after_turn(std::function<void()> call);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace admin_router
