#pragma once

// What an agent left on its machine, or lost there: what its store says, taken in by the code that recovers from it, against
// what there is. Blocks; changes nothing.

#include <string>
#include <vector>

#include "kernel/agent/flags.hpp"
#include "kernel/containerizer/finding.hpp"

namespace agent {

struct Audit {
  bool agent_runs = false;
  size_t containers = 0;              // that the agent knows and that have not ended
  containerizer::Findings findings{}; // in the order of their kinds and names
};

/// One look. With an agent at work some of what it shows may be on its way: see settled_audit().
base::Result<Audit> audit(const Flags& flags);

/// Looks again while an agent is at work and something is found, at most for as long as `patience` says: what stays is told.
base::Result<Audit> settled_audit(const Flags& flags, base::Duration patience);

std::string render_audit_text(const Audit& audit);
std::string render_audit_json(const Audit& audit);

/// `dcos-agent audit ...`: exit code 0 clean, 1 something was found, 2 no answer.
int run_audit(const std::vector<std::string>& words);

}  // namespace agent
