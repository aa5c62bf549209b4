#pragma once

// The original's state out of ZooKeeper, without a change to it.

#include <functional>
#include <string>

#include "base/result.hpp"
#include "base/zk/client.hpp"
#include "marathon/import/convert.hpp"

namespace marathon::original {

/// What lies below `path`/state.
struct Stored {
  Nodes nodes;          // compressed values are opened
  bool in_use = false;  // a Marathon runs on it: it may have changed while it was read
};

/// Reads the state below `path`, what --zk of Marathon named. An error when the connection breaks, when there is no state, or
/// when there is more than a scheduler ever keeps (a million nodes, 1 GiB). `client` is connected and outlives `done`.
void read_state(base::zk::Client& client, const std::string& path, std::function<void(base::Result<Stored>)> done);

}  // namespace marathon::original
