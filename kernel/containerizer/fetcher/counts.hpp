#pragma once

#include <cstdint>

namespace containerizer::fetcher {

struct FetcherCounts {
  uint64_t succeeded = 0, failed = 0;  // commands, of all their URIs
  uint64_t cache_bytes = 0, cache_used_bytes = 0;
  uint64_t cache_hits = 0;  // URIs that needed no download of their own
};

}  // namespace containerizer::fetcher
