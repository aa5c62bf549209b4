#pragma once

// Which images and layers may go (pure).

#include <set>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "kernel/containerizer/images/store.hpp"

namespace containerizer::images {

struct CollectionPolicy {
  bool enabled = true;
  double disk_headroom = 0.1;  // part of the disk that is to stay free
  base::Duration interval = base::hours(1);
  base::Duration max_age = base::hours(24 * 7);  // since the last use
  std::set<std::string> excluded{};              // names of images that stay

  /// {"image_disk_headroom": 0.1, "image_disk_watch_interval": {"nanoseconds": ...},
  /// "excluded_images": [...]} as the original has it, and "image_max_age": {"nanoseconds": ...}.
  static Result<CollectionPolicy> parse(std::string_view json);
};

struct Collection {
  std::vector<std::string> images{}, layers{};  // ids and diff ids
};

/// `in_use`: ids of images that containers run from. `pinned`: layers that a pull is about to use.
/// Unused images go when they are too old, and the longest unused first while `used` is above what
/// the headroom allows, `bytes_over` being how many bytes that is; layers go when no image has
/// them.
Collection plan_collection(const Store::Content& content, const std::set<std::string>& in_use,
                           const std::set<std::string>& pinned, const CollectionPolicy& policy,
                           double now, uint64_t bytes_over);

}  // namespace containerizer::images
