#pragma once

// Runs health and readiness probes: an HTTP request or a TCP connection with a time limit.

#include <functional>
#include <memory>

#include "base/loop.hpp"
#include "marathon/effects.hpp"
#include "marathon/events.hpp"

namespace marathon {

class Prober {
 public:
  Prober(base::Loop& loop, std::function<void(Probed)> done);
  ~Prober();  // no further result

  void probe(const Probe& probe);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace marathon
