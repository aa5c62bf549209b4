#pragma once

// How much longer than usual a test waits before it calls something that never comes a failure: DC_PATIENCE=10 for a machine
// that is ten times slower, an emulated one. What comes in time takes no longer for it.

#include <cstdlib>

namespace base::testing {

inline int patience() {
  const char* given = std::getenv("DC_PATIENCE");
  const int factor = given == nullptr ? 1 : std::atoi(given);
  return factor < 1 ? 1 : factor;
}

}  // namespace base::testing
