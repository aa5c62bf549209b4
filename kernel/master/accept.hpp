#pragma once

#include "kernel/master/core.hpp"

namespace master {

/// One ACCEPT while it is handled.
struct Core::Acceptance {
  Framework& framework;
  Agent& agent;
  resources::Name role;
  Resources offered;    // all offers together
  Resources remaining;  // after the operations so far
};

}  // namespace master
