#pragma once

// One file of a server, streamed to a descriptor. One loop; a slow disk holds the server back and nobody else: the pool
// writes.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/loop.hpp"
#include "base/pool.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer::fetcher {

struct DownloadLimits {
  base::Duration stall;    // without any progress for that long it fails
  uint64_t max_bytes = 0;
};

/// Runs until `done` was called or it is destroyed.
class Download {
 public:
  struct Callbacks {
    /// The answer's Content-Length, absent when it has none. An error ends the download with it.
    std::function<Status(std::optional<uint64_t> bytes)> sized;
    std::function<void(Status)> done;
  };

  Download(base::Loop& loop, base::Pool& pool, base::http::Client& client, const std::string& url, base::Fd file,
           DownloadLimits limits, Callbacks callbacks);
  ~Download();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace containerizer::fetcher
