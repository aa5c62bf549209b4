#pragma once

// The gossip socket.

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "l4lb/types.hpp"

namespace l4lb {

class Udp {
 public:
  using Received = std::function<void(const Endpoint& from, std::string_view bytes)>;

  Udp(base::Loop& loop, Received received);
  ~Udp();
  Udp(const Udp&) = delete;
  Udp& operator=(const Udp&) = delete;

  /// Port 0 takes a free one. Returns the bound port.
  base::Result<uint16_t> listen(const Endpoint& at);

  /// Never waits: a datagram that does not fit into the kernel's queue is lost, as on the way. False then.
  bool send(const Endpoint& to, std::string_view bytes);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace l4lb
