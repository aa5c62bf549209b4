#pragma once

// TLS over a socket, as a client that takes any certificate: what a health check of a task's own port needs, no more. The
// library is begun with the first connection, so that pods without such checks pay nothing for it.

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <string>

namespace executor {

class Tls {
 public:
  /// On a connected, non-blocking socket, which stays the caller's and must outlive it.
  static std::unique_ptr<Tls> on(int fd);
  virtual ~Tls() = default;

  /// As send(2) and recv(2): -1 with EAGAIN while the other side or the socket must do something first, 0 at the end,
  /// -1 with another number when it failed; problem() says why.
  virtual ssize_t send(const void* data, size_t length) = 0;
  virtual ssize_t receive(void* data, size_t length) = 0;

  /// What the last call waits for: POLLIN or POLLOUT.
  virtual short awaited() const = 0;
  /// Received already; poll(2) does not tell of it.
  virtual bool pending() const = 0;
  virtual std::string problem() const = 0;
};

}  // namespace executor
