#pragma once

// Performs the core's effects: HTTP answers, commits, timers, fetches, requests to Marathon and the master. Decides
// nothing about packages. One loop, one thread (parsing of large repositories aside).

#include <memory>

#include "base/loop.hpp"
#include "base/store/store.hpp"
#include "universe/flags.hpp"

namespace universe {

class Shell {
 public:
  Shell(base::Loop& loop, base::Store& store, const Flags& flags);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// Reads the store and the copies of repositories, opens the port. The port it listens on.
  base::Result<uint16_t> start();

  /// Stops accepting, lets running requests end, then stops the loop.
  void drain(int exit_code);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace universe
