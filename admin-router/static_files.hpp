#pragma once

// Files of one folder, kept in memory once they were asked for and read again when they change on
// disk.

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace admin_router {

class StaticFiles {
 public:
  struct File {
    std::shared_ptr<const std::string> content;
    std::string etag;
    std::string_view type;
  };

  /// `root` may be empty: then nothing is found.
  explicit StaticFiles(std::string root) : root_(std::move(root)) {}

  /// `path` is a normalised URL path, still encoded. A path that ends in '/' means its index.html.
  std::optional<File> find(std::string_view path);

  const std::string& root() const { return root_; }

 private:
  struct Cached {
    File file;
    int64_t changed_ns = 0;
    uint64_t size = 0;
  };
  std::string root_;
  std::map<std::string, Cached, std::less<>> cache_{};
  uint64_t cached_bytes_ = 0;
};

/// The media type for a file name.
std::string_view media_type(std::string_view name);

}  // namespace admin_router
