#pragma once

// The parts of a running agent in the order in which they depend on each other. Used by main.cpp and by tests that run a
// whole agent in one process.

#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"
#include "kernel/agent/flags.hpp"

namespace agent {

class Daemon {
 public:
  /// Opens the store, takes the lock of the cgroup root, listens. Errors say what to do.
  static base::Result<std::unique_ptr<Daemon>> start(base::Loop& loop, const Flags& flags);
  ~Daemon();

  uint16_t port() const;

  /// SIGUSR1: end all tasks and leave the cluster.
  void leave();

  struct Impl;
  explicit Daemon(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace agent
