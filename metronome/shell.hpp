#pragma once

// Performs the core's effects: HTTP answers, commits, timers, calls to the master. Decides nothing about jobs. One
// loop, one thread.

#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/store/store.hpp"
#include "metronome/flags.hpp"

namespace metronome {

class Shell {
 public:
  Shell(base::Loop& loop, base::Store& store, const Flags& flags);

  /// One of several, with --zk: who leads and the store are found there. Whoever loses the leadership stops the loop
  /// with exit code 103.
  Shell(base::Loop& loop, const Flags& flags);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// Reads the store, opens the port, subscribes. The port it listens on.
  base::Result<uint16_t> start();

  /// Stops accepting, lets running requests end, then stops the loop.
  void drain(int exit_code);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace metronome
