#include "kernel/agent/journal.hpp"

#include <iterator>

namespace agent {
namespace {

constexpr base::Duration kRetryDelay = base::seconds(1);

void release(std::vector<Effect>& effects, Effects& out) {
  std::move(effects.begin(), effects.end(), std::back_inserter(out.list));
  effects.clear();
}

}  // namespace

void Journal::flush(Effects& out) {
  if (busy_) return;
  if (next_.empty()) {
    release(waiting_, out);
    return;
  }
  busy_ = true;
  current_ = std::exchange(next_, {});
  after_current_ = std::exchange(waiting_, {});
  out.add(Persist{current_});
}

void Journal::persisted(const base::Status& status, base::Now now, Effects& out) {
  if (!busy_) return;
  if (!status) {
    if (++failures_ == 1 || failures_ % 60 == 0)
      out.error("The agent's store cannot be written, nothing new is started until it can: " + status.error().message);
    out.add(Count{"slave/store_errors"});
    out.add(SetTimer{kRetryTimer, now.instant + kRetryDelay});
    return;
  }
  if (failures_ > 0) out.info("The agent's store can be written again");
  failures_ = 0;
  busy_ = false;
  current_ = {};
  release(after_current_, out);
}

void Journal::retry(Effects& out) {
  if (busy_ && failures_ > 0) out.add(Persist{current_});
}

}  // namespace agent
