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
  bool cache = false;        // may be shared with other containers; remote ones only
  std::string digest;        // "sha256:<hex>" or "sha512:<hex>" that the content must have; empty: any
  Unpack unpack = Unpack::Nothing;
};

/// The URI's fragment may name the content's digest: "https://host/file.tgz#sha256=<64 hex digits>" (our own addition;
/// a fragment is never sent to a server). `frameworks_home` is put before relative paths; empty: they are refused.
Result<FetchPlan> plan_fetch(const mesos::v1::CommandInfo::URI& uri, const std::string& frameworks_home);

}  // namespace containerizer::fetcher
