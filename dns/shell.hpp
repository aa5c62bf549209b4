#pragma once

// The daemon around the core: sockets, streams, timers.

#include <memory>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "dns/config.hpp"

namespace dns {

class Shell {
 public:
  Shell(base::Loop& loop, const Config& config);
  ~Shell();

  struct Ports {
    uint16_t dns = 0, http = 0;
  };

  /// Listens, gives up rights that are not needed any more, and begins to follow the cluster.
  base::Result<Ports> start();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dns
