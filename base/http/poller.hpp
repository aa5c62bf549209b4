#pragma once

// Readiness of sockets, for the HTTP server and client (not for other folders). Each socket is registered once,
// edge-triggered, with an epoll of its own which the loop watches as one descriptor: serving a request costs no
// registration call, and one turn of the loop handles every socket that is ready.

#include <cstdint>
#include <memory>

#include "base/loop.hpp"
#include "base/result.hpp"

namespace base::http {

class Poller {
 public:
  class Watcher {
   public:
    virtual ~Watcher() = default;
    /// The socket became readable or writable, was closed by the peer, or failed: try to read and to write.
    /// `ended`: the peer has closed its side; `hung_up`: both directions are dead.
    virtual void on_ready(bool ended, bool hung_up) = 0;
  };

  /// The one of that loop, made on first use; lives as long as the loop.
  static Poller& of(Loop& loop);

  virtual ~Poller() = default;

  /// Watches `fd` until remove(); keeps `watcher` alive. Returns a ticket.
  virtual Result<uint64_t> add(int fd, std::shared_ptr<Watcher> watcher) = 0;

  /// To be called before `fd` is closed.
  virtual void remove(int fd, uint64_t ticket) = 0;

  /// Scratch space for one read; valid until the next read on this loop.
  virtual char* read_buffer() = 0;
  static constexpr size_t kReadBytes = 64 << 10;
};

}  // namespace base::http
