#pragma once

// What one URI of a command means (pure).

#include <string>
#include <string_view>

#include "kernel/containerizer/types.hpp"
#include "kernel/api/mesos/v1/commands.pb.h"

namespace containerizer::fetcher {

enum class Unpack { Nothing, Tar, Gzip, Zip };

struct FetchPlan {
  std::string source;        // http(s) URL or absolute path
  bool remote = false;
  std::string destination;   // relative to the sandbox, stays below it
  bool executable = false;
  Unpack unpack = Unpack::Nothing;
};

/// `frameworks_home` is put before relative paths; empty: they are refused.
Result<FetchPlan> plan_fetch(const mesos::v1::CommandInfo::URI& uri, const std::string& frameworks_home);

}  // namespace containerizer::fetcher
