#pragma once

// Where a container is in its life, what it waits for and what limits it: for people who look at one that does not do what it
// should.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/containerizer/images/images.hpp"

namespace containerizer {

struct Explanation {
  std::string stage;                   // STARTING, FETCHING, PULLING, JOINING, LAUNCHING, RUNNING, ENDING
  base::Time since{};                  // in this stage; of a container from before the agent's start, since then
  std::string waits_for{};             // in words; empty: for nothing
  std::optional<images::PullProgress> pull{};
  int64_t pid = 0;                     // 0: no process yet
  std::string parent{}, sandbox{}, image{}, group{};
  bool ending = false;                 // its end was asked for
  cgroups::Limits limits{};
  uint64_t disk = 0;                   // bytes that its sandbox may take; 0: no limit
  std::optional<uint64_t> oom_kills{};
  mesos::v1::ResourceStatistics statistics{};
  std::map<std::string, std::string> namespaces{};  // kind -> "net:[4026531840]"
  std::vector<std::string> shared{};   // kinds that are the agent's own
  std::vector<std::string> mounts{};   // "target type source" as the container sees them
  std::vector<mesos::v1::NetworkInfo> networks{};   // asked for, or with their addresses
  std::vector<std::string> isolators{};
};

}  // namespace containerizer
