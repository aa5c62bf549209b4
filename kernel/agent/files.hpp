#pragma once

// Sandboxes as a virtual file tree. Paths are resolved by descriptor below the sandbox (openat2), so that neither ".."
// nor a link that a task made leads out of it. Blocking; called on the pool.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace agent {

struct ListedFile {
  std::string path;       // as asked, with the name
  std::string mode;       // "-rw-r--r--"
  uint32_t mode_bits = 0;
  uint64_t links = 0, size = 0;
  std::string user, group;
  int64_t mtime = 0;      // seconds
};

struct ReadPiece {
  uint64_t offset = 0;
  uint64_t size = 0;      // of the file
  std::string data;
};

/// The most that one read returns.
constexpr uint64_t kMaxReadBytes = 16 * 4096;

class Files {
 public:
  explicit Files(std::string work_dir) : work_dir_(std::move(work_dir)) {}

  /// Virtual paths are the sandbox's host path, /frameworks/F/executors/E/runs/C and both with `latest` for C.
  /// NotFound when no sandbox has that path, InvalidArgument when it leads out of it.
  base::Result<base::Fd> open(const std::string& path, const std::string& agent_id) const;

  /// Framework and executor whose sandbox a virtual path leads into; absent when it has not the form of one.
  std::optional<std::pair<std::string, std::string>> owner(const std::string& path, const std::string& agent_id) const;

  base::Result<std::vector<ListedFile>> browse(const std::string& path, const std::string& agent_id) const;

  /// `offset` -1: only the size, as the piece's offset. `length` -1: to the end, at most kMaxReadBytes.
  base::Result<ReadPiece> read(const std::string& path, const std::string& agent_id, int64_t offset,
                               int64_t length) const;

 private:
  std::string work_dir_;
};

/// "drwxr-xr-x" without setuid and sticky letters.
std::string render_mode(uint32_t mode);

/// By the file's extension; application/octet-stream when unknown.
std::string_view content_type_of(std::string_view name);

}  // namespace agent
