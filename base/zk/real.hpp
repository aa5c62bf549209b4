#pragma once

// ZooKeeper itself, by its C client on our loop (real.cpp).

#include "base/loop.hpp"
#include "base/zk/client.hpp"
#include "base/zk/url.hpp"

namespace base::zk {

/// Sessions with the servers of `url`, authenticated by its credentials.
Host real_host(Loop& loop, Url url);

}  // namespace base::zk
