#pragma once

// Runs one probe of a check or health check: HTTP and TCP in this process without a fork, a command inside the container.

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "kernel/api/mesos/v1/commands.pb.h"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/executor/check_state.hpp"

namespace executor {

class Prober {
 public:
  using Done = std::function<void(ProbeResult)>;

  Prober(base::Loop& loop, base::Pool& pool, containerizer::Containerizer& containers);
  ~Prober();

  void check(const std::string& container, const mesos::v1::CheckInfo& info, Done done);
  void health(const std::string& container, const mesos::v1::HealthCheck& info, Done done);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace executor
