#include "tests/sim/disk.hpp"

#include <algorithm>

namespace sim {

void Disk::commit(Writes writes, std::function<void(base::Status)> done) {
  if (faults_.refuse > 0 && world_.random().chance(faults_.refuse)) {
    world_.after(node_, world_.random().jitter(faults_.delay_max), [done = std::move(done)] {
      done(base::Error{base::Code::NoSpace, "the disk is full"});
    });
    return;
  }
  pending_.emplace_back(next_++, std::move(writes));
  // Group commit keeps the order: nothing is done before what was asked for earlier.
  last_done_ =
      std::max(last_done_, world_.now().instant + world_.random().jitter(faults_.delay_max));
  world_.after(node_, last_done_ - world_.now().instant, [this, done = std::move(done)] {
    apply(pending_.front().second);
    pending_.pop_front();
    done({});
  });
}

void Disk::apply(const Writes& writes) {
  for (const auto& [key, value] : writes) {
    if (value)
      durable_[key] = *value;
    else
      durable_.erase(key);
  }
}

void Disk::node_crashed() {
  size_t kept = world_.random().below(pending_.size() + 1);
  for (const auto& [ticket, writes] : pending_) {
    if (kept-- == 0) break;
    apply(writes);
  }
  pending_.clear();
}

}  // namespace sim
