#pragma once

// Brings the URIs of a command into the sandbox before its program starts. Downloads run on the loop; files are written
// and unpacked on the pool, unpacking by the system's tar, gzip and unzip as the container's user. A URI with `cache` is
// downloaded once for all containers of a user that ask for it, also when they ask at the same time.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "kernel/api/mesos/v1/commands.pb.h"
#include "kernel/containerizer/fetcher/counts.hpp"
#include "kernel/containerizer/launch/launcher.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer::fetcher {

struct FetchJob {
  std::string id;        // names the job, for cancel()
  std::vector<mesos::v1::CommandInfo::URI> uris;
  std::string sandbox;
  std::string runtime;   // directory for records of the unpacking helper
  std::optional<launch::UserIds> user;
};

class Fetcher {
 public:
  struct Options {
    std::string helper;           // path of dcos-launch
    std::string frameworks_home;
    std::string cache_directory;  // emptied at the start; empty: nothing is cached
    uint64_t cache_bytes = uint64_t{2} << 30;
    base::Duration stall_timeout = base::minutes(1);
    base::Duration timeout = base::minutes(30);
    uint64_t max_bytes = uint64_t{16} << 30;
  };

  Fetcher(base::Loop& loop, base::Pool& pool, Options options);
  ~Fetcher();

  /// One after the other. The error names the URI and what went wrong.
  void fetch(FetchJob job, std::function<void(Status)> done);

  /// `done` of that job comes soon, with Cancelled.
  void cancel(const std::string& id);

  FetcherCounts counts() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace containerizer::fetcher
