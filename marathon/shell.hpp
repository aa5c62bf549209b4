#pragma once

// Performs the core's effects: HTTP answers, event streams, commits, timers, calls to the master, probes. Decides
// nothing about apps. One loop, one thread.

#include <memory>
#include <string>

#include "base/http/tls.hpp"
#include "base/loop.hpp"
#include "base/store/store.hpp"
#include "marathon/flags.hpp"

namespace marathon {

class Shell {
 public:
  Shell(base::Loop& loop, base::Store& store, const Flags& flags, std::shared_ptr<base::http::Tls> tls = nullptr);

  /// One of several, with --zk: who leads and the store are found there.
  Shell(base::Loop& loop, const Flags& flags, std::shared_ptr<base::http::Tls> tls = nullptr);
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// Opens the port, reads the store and subscribes, with --zk when it leads. The port it listens on. When the leadership
  /// is lost the loop stops with exit code 103: nothing of it is left over for another.
  base::Result<uint16_t> start();

  /// Stops accepting, lets running requests end, then stops the loop.
  void drain(int exit_code);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace marathon
