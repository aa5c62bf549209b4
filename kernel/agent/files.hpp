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

/// The virtual path of the agent's log (--external_log_file).
constexpr const char* kLogPath = "/slave/log";

/// A directory that containers see in a sandbox although it lies elsewhere: a persistent volume, a directory of the pod's.
struct Elsewhere {
  std::string at;       // below the sandbox
  std::string source;   // a directory of the machine's, or, when it does not begin with '/', one below the sandbox
};

/// What is asked for, with what the agent's state says of it.
struct Asked {
  std::string path;      // virtual
  std::string agent_id;
  std::vector<Elsewhere> elsewhere{};  // of the sandbox that it leads into
};

/// Whose sandbox a virtual path leads into; `run` is a container's id or "latest".
struct SandboxOwner {
  std::string framework, executor, run;
};

class Files {
 public:
  explicit Files(std::string work_dir, std::string log = "") : work_dir_(std::move(work_dir)), log_(std::move(log)) {}

  /// Virtual paths are the sandbox's host path, /frameworks/F/executors/E/runs/C, both with `latest` for C, and kLogPath.
  /// NotFound when no sandbox has that path, InvalidArgument when it leads out of it.
  base::Result<base::Fd> open(const Asked& asked) const;

  /// Absent when the path has not the form of a sandbox's.
  std::optional<SandboxOwner> owner(const std::string& path, const std::string& agent_id) const;

  base::Result<std::vector<ListedFile>> browse(const Asked& asked) const;

  /// `offset` -1: only the size, as the piece's offset. `length` -1: to the end, at most kMaxReadBytes.
  base::Result<ReadPiece> read(const Asked& asked, int64_t offset, int64_t length) const;

  const std::string& log() const { return log_; }

 private:
  std::string work_dir_, log_;
};

/// "drwxr-xr-x" without setuid and sticky letters.
std::string render_mode(uint32_t mode);

/// By the file's extension; application/octet-stream when unknown.
std::string_view content_type_of(std::string_view name);

}  // namespace agent
