#pragma once

// Performs what the core asks for and tells it what happened. Decides nothing.

#include <memory>

#include "base/loop.hpp"
#include "base/store/store.hpp"
#include "l4lb/flags.hpp"

namespace l4lb {

class Shell {
 public:
  Shell(base::Loop& loop, base::Store& store, const Flags& flags);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// Reads key and store, listens, follows the agents. Returns the port of the API.
  base::Result<uint16_t> start();

  /// Ends the loop. `leaves`: the others are told, and this machine's backends are gone at once.
  void stop(bool leaves);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace l4lb
