#pragma once

// The containers of a pod's instance live and die together: when one ends otherwise than well, the others are gone soon.

#include <functional>
#include <set>
#include <string>

#include "tests/sim/checkers.hpp"

namespace sim {

class PodChecker {
 public:
  /// `up_for`: how long the agent of that name has been up; its executors need it to end anything.
  PodChecker(World& world, const PlacementChecker& placement, std::function<base::Duration(const std::string& agent)> up_for)
      : world_(world), placement_(placement), up_for_(std::move(up_for)) {}

  void ended(const std::string& task, bool well);

 private:
  void look(const std::string& ended);

  World& world_;
  const PlacementChecker& placement_;
  std::function<base::Duration(const std::string& agent)> up_for_;
};

/// What all tasks of one launch of an instance have in common: "<instance>.<incarnation>".
std::string launch_of(const std::string& task);

}  // namespace sim
