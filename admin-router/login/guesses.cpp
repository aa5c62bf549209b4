#include "admin-router/login/guesses.hpp"

#include <algorithm>

namespace admin_router {

// A bucket is one instant: when all its tries are back. With n tries used it lies n refills ahead.
base::Duration Guesses::wait_for(const std::string& key, unsigned most, base::Now now) const {
  auto it = buckets_.find(key);
  if (it == buckets_.end()) return base::Duration(0);
  base::Duration ahead = it->second.empty_until - now.instant;
  base::Duration room = policy_.refill * (most - 1);
  return ahead > room ? ahead - room : base::Duration(0);
}

void Guesses::use(const std::string& key, base::Now now) {
  Bucket& bucket = buckets_[key];
  by_time_.erase({bucket.empty_until, key});
  bucket.empty_until = std::max(bucket.empty_until, now.instant) + policy_.refill;
  by_time_.insert({bucket.empty_until, key});
}

base::Duration Guesses::take(const std::string& user, const std::string& source, base::Now now) {
  forget_old(now);
  std::string user_key = "u" + user, source_key = "s" + source;
  base::Duration wait = std::max(wait_for(user_key, policy_.per_user, now),
                                 wait_for(source_key, policy_.per_source, now));
  if (wait > base::Duration(0)) return wait;
  use(user_key, now);
  use(source_key, now);
  return base::Duration(0);
}

void Guesses::give_back(const std::string& user, const std::string& source) {
  for (const std::string& key : {"u" + user, "s" + source}) {
    auto it = buckets_.find(key);
    if (it == buckets_.end()) continue;
    by_time_.erase({it->second.empty_until, key});
    it->second.empty_until = it->second.empty_until - policy_.refill;
    by_time_.insert({it->second.empty_until, key});
  }
}

// Those that are full say nothing. Beyond the limit the one that is full soonest goes: whoever is
// most refused stays refused.
void Guesses::forget_old(base::Now now) {
  while (!by_time_.empty() &&
         (by_time_.begin()->first <= now.instant || by_time_.size() + 2 > policy_.entries_max)) {
    buckets_.erase(by_time_.begin()->second);
    by_time_.erase(by_time_.begin());
  }
}

}  // namespace admin_router
