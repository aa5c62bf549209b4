#pragma once

// What an audit tells: one thing of an agent's that is on the machine and should not be, or is on record and is not there.

#include <string>
#include <vector>

namespace containerizer {

struct Finding {
  std::string kind;          // "container", "process", "mount", "lease", ...: one word or two, the same for all of a kind
  std::string name;          // which one: an id, a path, a name of the kernel's
  std::string detail;        // for people: whose it is or was, and who will take it away
  bool missing = false;      // on record and not there; else there and on no record
  auto operator<=>(const Finding&) const = default;
};

using Findings = std::vector<Finding>;

}  // namespace containerizer
