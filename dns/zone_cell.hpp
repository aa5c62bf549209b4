#pragma once

// The zone that is served now: one writer, any number of reading threads. Readers look at a number and take the lock only
// when it has changed.

#include <atomic>
#include <memory>
#include <mutex>

#include "dns/zone.hpp"

namespace dns {

class ZoneCell {
 public:
  void store(std::shared_ptr<const Zone> zone) {
    const std::lock_guard lock(mutex_);
    zone_.swap(zone);  // the old one ends after the lock
    version_.fetch_add(1, std::memory_order_release);
  }

  /// A reader's copy, kept up to date by refresh().
  struct Reader {
    std::shared_ptr<const Zone> zone;
    uint64_t version = 0;
  };

  void refresh(Reader& reader) const {
    if (version_.load(std::memory_order_acquire) == reader.version) return;
    std::shared_ptr<const Zone> fresh;
    {
      const std::lock_guard lock(mutex_);
      fresh = zone_;
      reader.version = version_.load(std::memory_order_relaxed);
    }
    reader.zone = std::move(fresh);
  }

 private:
  mutable std::mutex mutex_;
  std::shared_ptr<const Zone> zone_ = std::make_shared<Zone>();
  std::atomic<uint64_t> version_{1};
};

}  // namespace dns
