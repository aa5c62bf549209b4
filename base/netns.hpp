#pragma once

// Network namespaces: a thread enters one for the time of a few calls, while the rest of the process stays where it is.

#include <string>

#include "base/file.hpp"
#include "base/result.hpp"

namespace base {

/// The calling thread is in the namespace until this is destroyed. The process must have CAP_SYS_ADMIN. No other thread
/// notices; nothing may be awaited meanwhile.
class InNetwork {
 public:
  /// `path` is a file such as /run/netns/x or /proc/1/ns/net.
  static Result<InNetwork> enter(const std::string& path);
  ~InNetwork();  // a thread that cannot return ends the process
  InNetwork(InNetwork&&) = default;
  InNetwork& operator=(InNetwork&&) = delete;

 private:
  explicit InNetwork(Fd before) : before_(std::move(before)) {}
  Fd before_;
};

/// A socket, close-on-exec, that belongs to the namespace for good; an empty path means this one. A descriptor of -1 with
/// errno when socket() itself fails.
Result<Fd> open_socket(const std::string& network, int family, int type, int protocol = 0);

}  // namespace base
