#pragma once

// Which isolators --isolation means (pure).

#include <set>
#include <string>
#include <string_view>

#include "kernel/containerizer/types.hpp"

namespace containerizer {

class Isolation {
 public:
  /// Names separated by commas, those of the original. Its short forms are resolved ("cgroups", "process",
  /// "posix/disk"), what always belongs together is added, and a name that does not exist is an error that lists those
  /// that do.
  static Result<Isolation> parse(std::string_view text);

  bool has(std::string_view name) const { return names_.contains(name); }
  const std::set<std::string, std::less<>>& names() const { return names_; }

 private:
  std::set<std::string, std::less<>> names_;
};

}  // namespace containerizer
