#pragma once

// How long the provider waits for its plugin, and what it tries again.

#include <algorithm>

#include "base/time.hpp"
#include "kernel/storage/provider.hpp"

namespace storage {

inline constexpr base::Duration kCallTimeout = base::minutes(1);      // for an answer; then the same is asked again
inline constexpr base::Duration kPublishPatience = base::minutes(1);  // that a task's launch waits for its volumes
inline constexpr base::Duration kFirstRetry = base::seconds(1), kLongestRetry = base::seconds(30);

inline base::Duration longer(base::Duration backoff) {
  return backoff == base::Duration{0} ? kFirstRetry : std::min(backoff * 2, kLongestRetry);
}

/// Nobody knows whether the call was carried out, or it cannot be now. Calls of CSI may be made again.
inline bool may_pass(const Answer& answer) {
  return answer.code == kCancelled || answer.code == kDeadlineExceeded || answer.code == kAborted || answer.code == kUnavailable;
}

}  // namespace storage
