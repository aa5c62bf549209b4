#pragma once

// How much of an agent's resources lies idle and may be offered a second time, as revocable resources. Estimators are
// deterministic: given samples of what runs, with their times.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "kernel/resources/resources.hpp"

namespace oversubscription {

/// An executor that runs.
struct Executor {
  std::string framework, executor, container;
  resources::Resources allocated;      // its own and those of its tasks that have not ended
  double cpu_seconds = 0;              // that it has used since it was started; 0: not known
};

struct Sample {
  base::Instant at{};
  resources::Resources total;          // of the agent, not revocable
  std::vector<Executor> executors;
};

/// Parameters of a module, in their order.
using Parameters = std::vector<std::pair<std::string, std::string>>;

class Estimator {
 public:
  virtual ~Estimator() = default;

  /// All revocable resources that the agent has from now on, those that are in use with them.
  virtual resources::Resources total(const Sample& sample) = 0;
};

/// The original's name: as much as its parameter `resources` says, always.
inline constexpr const char* kFixedEstimator = "org_apache_mesos_FixedResourceEstimator";

/// CPUs that are allocated and were not used: of each executor what it was given less the most it used in the last
/// `window` (default 5mins), less `headroom` (default 0.2) of what it was given; on top of revocable CPUs in use.
inline constexpr const char* kUsageEstimator = "dcos_UsageResourceEstimator";

/// By name; empty: none (null). Errors name the parameter.
base::Result<std::unique_ptr<Estimator>> make_estimator(const std::string& name, const Parameters& parameters);

}  // namespace oversubscription
