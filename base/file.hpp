#pragma once

// Files. Every write that must survive a crash is write-to-temporary, fsync, rename, fsync of the directory.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace base {

/// Owns a descriptor.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() { reset(); }
  Fd(Fd&& other) noexcept : fd_(other.release()) {}
  Fd& operator=(Fd&& other) noexcept;
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }
  int release() { int fd = fd_; fd_ = -1; return fd; }
  void reset();

 private:
  int fd_ = -1;
};

Result<std::string> read_file(const std::string& path, uint64_t max_bytes = uint64_t{64} << 20);
Status write_file(const std::string& path, std::string_view content, int mode = 0644);

/// Durable and atomic: readers see the old or the new content, also after a crash.
Status write_file_atomic(const std::string& path, std::string_view content, int mode = 0644);

/// As `mkdir -p`.
Status make_directories(const std::string& path, int mode = 0755);

/// As `rm -rf`, by descriptor: does not follow symbolic links, does not cross into another mounted file system
/// (a leftover bind mount must not lose its source); missing is success.
Status remove_tree(const std::string& path);

bool exists(const std::string& path);
Result<std::vector<std::string>> list_directory(const std::string& path);  // names, sorted, without . and ..

}  // namespace base
