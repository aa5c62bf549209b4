#pragma once

// What the core asks its shell to do, in order.

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "dns/zone.hpp"

namespace dns {

/// Serve this from now on.
struct Publish {
  std::shared_ptr<const Zone> zone;
};

/// Send CommitDue when what has arrived by now is told: many changes make one zone.
struct CommitSoon {};

/// Look a machine's name up.
struct Resolve {
  std::string host;
};

/// The one timer; a later one replaces it.
struct SetTimer {
  base::Instant at;
};

/// A sentence for the log.
struct Trace {
  bool warning = false;
  std::string text;
};

using Effect = std::variant<Publish, CommitSoon, Resolve, SetTimer, Trace>;
using Effects = std::vector<Effect>;

}  // namespace dns
