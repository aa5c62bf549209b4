#pragma once

// When sandboxes of ended executors are removed (pure): after gc_delay, or earlier when the disk fills up.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace agent {

class Garbage {
 public:
  Garbage(base::Duration delay, double headroom) : delay_(delay), headroom_(headroom), age_limit_(max_age(0)) {}

  /// Returns when the path's time comes.
  base::Time schedule(const std::string& path, base::Time now);
  void restore(const std::string& path, base::Time expires) { paths_[path] = expires; }

  /// False: it was not scheduled, nor on its way out.
  bool unschedule(const std::string& path) { return paths_.erase(path) + removing_.erase(path) > 0; }

  /// Paths whose time has come, in order; they are on their way out until ended() is told how that went. `used` is the used
  /// part of the disk, 0 to 1.
  std::vector<std::string> due(base::Time now, double used);

  /// The path goes now, whenever it was to go.
  void begin(const std::string& path);

  /// What could not be removed is due again. False: nobody waits for this path.
  bool ended(const std::string& path, bool gone, base::Time now);

  /// It, or a directory that it is in, is to be removed at some time.
  bool knows(const std::string& path) const;

  /// How old a sandbox may become with that much of the disk used.
  base::Duration max_age(double used) const;

  /// That, by the last look at the disk.
  base::Duration age_limit() const { return age_limit_; }

  const std::map<std::string, base::Time>& paths() const { return paths_; }

 private:
  base::Duration delay_;
  double headroom_;
  base::Duration age_limit_;
  std::set<std::string> removing_;
  std::map<std::string, base::Time> paths_;  // path -> when its full time is over
};

}  // namespace agent
