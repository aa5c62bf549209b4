#pragma once

// Queries of one source address per tenth of a second, for floods (pure but for its atomics: threads share it). A table of
// fixed size: two sources may meet in one cell and share its allowance; the seed keeps a sender from choosing with whom.

#include <atomic>
#include <cstdint>
#include <memory>

#include "base/time.hpp"
#include "dns/address.hpp"

namespace dns {

class RateLimit {
 public:
  enum class Verdict {
    Allow,
    Slip,  // over the limit: a short answer that says "ask again over TCP", which a forged sender cannot use
    Drop,
  };

  /// `per_second` 0: everything is allowed.
  RateLimit(uint32_t per_second, uint64_t seed)
      : allowance_((per_second + 9) / 10), seed_(seed), cells_(per_second ? new std::atomic<uint64_t>[kCells]() : nullptr) {}

  Verdict take(const Address& source, base::Instant now) {
    if (!cells_) return Verdict::Allow;
    const auto window = static_cast<uint32_t>(now.since_start / base::milliseconds(100)) + 1;
    std::atomic<uint64_t>& cell = cells_[place(source)];
    uint64_t seen = cell.load(std::memory_order_relaxed);
    if (seen >> 32 != window) {
      cell.store(uint64_t{window} << 32 | 1, std::memory_order_relaxed);
      return Verdict::Allow;
    }
    const auto count = static_cast<uint32_t>(cell.fetch_add(1, std::memory_order_relaxed)) + 1;
    if (count <= allowance_) return Verdict::Allow;
    return count % kSlipEvery == 0 && count < allowance_ * 2 ? Verdict::Slip : Verdict::Drop;
  }

 private:
  static constexpr size_t kCells = 8192;
  static constexpr uint32_t kSlipEvery = 8;

  /// IPv6 senders own their last 64 bits.
  size_t place(const Address& source) const {
    uint64_t hash = seed_;
    for (size_t i = 0; i < (source.v6 ? 8u : 4u); ++i) hash = (hash ^ source.bytes[i]) * 1099511628211ull;
    hash ^= hash >> 29;
    hash *= 0x9e3779b97f4a7c15ull;
    return hash >> 51;
  }

  uint32_t allowance_;
  uint64_t seed_;
  std::unique_ptr<std::atomic<uint64_t>[]> cells_;
};

}  // namespace dns
