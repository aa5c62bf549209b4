#pragma once

// When sandboxes of ended executors are removed (pure): after gc_delay, or earlier when the disk fills up.

#include <map>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace agent {

class Garbage {
 public:
  Garbage(base::Duration delay, double headroom) : delay_(delay), headroom_(headroom) {}

  /// Returns when the path's time comes.
  base::Time schedule(const std::string& path, base::Time now);
  void restore(const std::string& path, base::Time expires) { paths_[path] = expires; }

  /// False: it was not scheduled.
  bool unschedule(const std::string& path) { return paths_.erase(path) > 0; }

  /// Paths whose time has come, in order; they are forgotten. `used` is the used part of the disk, 0 to 1.
  std::vector<std::string> due(base::Time now, double used);

  /// How old a sandbox may become with that much of the disk used.
  base::Duration max_age(double used) const;

  const std::map<std::string, base::Time>& paths() const { return paths_; }

 private:
  base::Duration delay_;
  double headroom_;
  std::map<std::string, base::Time> paths_;  // path -> when its full time is over
};

}  // namespace agent
