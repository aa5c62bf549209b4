#pragma once

// When executors on revocable resources must go. Controllers are deterministic.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernel/oversubscription/estimator.hpp"

namespace oversubscription {

/// How many processes wanted to run, on average over so many minutes.
struct Load {
  double five = 0, fifteen = 0;
};

/// An executor that must go, and why, for people.
struct Correction {
  std::string framework, executor, container;
  std::string why;
};

class QosController {
 public:
  virtual ~QosController() = default;
  virtual std::vector<Correction> corrections(const std::vector<Executor>& running, const Load& load) = 0;
};

/// The original's name: above `load_threshold_5min` or `load_threshold_15min` every executor on revocable resources goes.
inline constexpr const char* kLoadController = "org_apache_mesos_LoadQoSController";

/// By name; empty: none (null). Errors name the parameter.
base::Result<std::unique_ptr<QosController>> make_controller(const std::string& name, const Parameters& parameters);

}  // namespace oversubscription
