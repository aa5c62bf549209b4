#pragma once

// Looks for what the containers of an agent left on the machine: things that belong to no container that the agent knows,
// found as recovery finds them, and things that a container lacks. Changes nothing; blocks; needs no agent to run, and
// disturbs none that does.

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "kernel/containerizer/finding.hpp"
#include "kernel/containerizer/native.hpp"

namespace containerizer {

struct AuditScope {
  std::string work_directory;
  NativeOptions options{};                 // where things are: runtime_directory, networks
  cgroups::Cgroups* groups = nullptr;      // null: there are none
  std::string image_store{};               // empty: none
  std::vector<std::string> sandboxes{};    // all that there are, whosoever's
  pid_t agent = 0;                         // 0: it does not run
  uint32_t first_project = 0, last_project = 0;  // XFS projects of containers
};

/// A container that the agent knows.
struct KnownContainer {
  ContainerSpec spec;
  bool launched = false;  // it was seen to run, and its end is not known
};

Findings audit(const AuditScope& scope, const std::vector<KnownContainer>& known);

}  // namespace containerizer
