#pragma once

// The "resources" objects of the v0 endpoints: {"cpus": 1.5, "gpus": 0, "mem": 64, "disk": 0, "ports": "[1-2]"}.

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "kernel/resources/resources.hpp"

namespace resources {

struct SummaryField {
  std::string name;
  std::variant<double, std::string> value;
};

/// cpus, gpus, mem and disk always, then other names in order; ranges and sets as text; revocable scalars under
/// "<name>_revocable". All roles are added up; a shared volume counts once.
std::vector<SummaryField> summary(const Resources& resources);

/// Role -> its reserved resources (for "reserved_resources").
std::map<std::string, Resources> reservations_by_role(const Resources& resources);

}  // namespace resources
