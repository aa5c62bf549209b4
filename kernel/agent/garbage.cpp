#include "kernel/agent/garbage.hpp"

#include <algorithm>

namespace agent {

base::Time Garbage::schedule(const std::string& path, base::Time now) {
  const base::Time expires = now + delay_;
  paths_[path] = expires;
  return expires;
}

base::Duration Garbage::max_age(double used) const {
  const double share = std::clamp(1.0 - headroom_ - used, 0.0, 1.0);
  return base::Duration(static_cast<int64_t>(static_cast<double>(delay_.count()) * share));
}

std::vector<std::string> Garbage::due(base::Time now, double used) {
  const base::Duration allowed = age_limit_ = max_age(used);
  std::vector<std::string> result;
  for (auto at = paths_.begin(); at != paths_.end();) {
    const base::Time since = at->second - delay_;
    if (now - since < allowed && now < at->second) {
      ++at;
      continue;
    }
    removing_.insert(at->first);
    result.push_back(at->first);
    at = paths_.erase(at);
  }
  return result;
}

void Garbage::begin(const std::string& path) {
  paths_.erase(path);
  removing_.insert(path);
}

bool Garbage::ended(const std::string& path, bool gone, base::Time now) {
  // One that was found gone before its time is no longer waited for.
  if (removing_.erase(path) == 0) return gone && paths_.erase(path) > 0;
  if (!gone) paths_[path] = now;
  return true;
}

bool Garbage::knows(const std::string& path) const {
  for (std::string at = path; at.size() > 1; at = at.substr(0, at.rfind('/')))
    if (paths_.contains(at) || removing_.contains(at)) return true;
  return false;
}

}  // namespace agent
