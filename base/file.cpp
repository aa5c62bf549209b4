#include "base/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <optional>
#include <utility>

namespace base {

Fd& Fd::operator=(Fd&& other) noexcept {
  if (this != &other) {
    reset();
    fd_ = other.release();
  }
  return *this;
}

void Fd::reset() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

namespace {

Status write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error("cannot write " + path, errno);
    }
    content.remove_prefix(static_cast<size_t>(n));
  }
  return {};
}

std::string parent_of(const std::string& path) {
  size_t slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Opens directory `name` in `parent` without following a link or entering another mount.
int open_directory_here(int parent, const char* name) {
  open_how how{};
  how.flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  how.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
  return static_cast<int>(::syscall(SYS_openat2, parent, name, &how, sizeof(how)));
}

std::vector<std::pair<std::string, bool>> entries_of(int directory, int& error) {
  std::vector<std::pair<std::string, bool>> entries;  // name, known to be a directory
  int copy = ::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* stream = copy >= 0 ? ::fdopendir(copy) : nullptr;
  if (!stream) {
    error = errno;
    if (copy >= 0) ::close(copy);
    return entries;
  }
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    std::string_view name(entry->d_name);
    if (name != "." && name != "..") {
      entries.emplace_back(name, entry->d_type == DT_DIR);
    }
    errno = 0;
  }
  error = errno;
  ::closedir(stream);
  return entries;
}

/// Removes one tree. What is deeper than kMaxDepth is first moved up to the tree's top, so that neither the stack nor
/// the descriptors run out on a hostile tree.
class TreeRemover {
 public:
  TreeRemover(int top, std::string path) : top_(top), path_(std::move(path)) {}

  /// Removes the content of the top directory; keeps going after an error and returns the first.
  Status run() {
    empty(top_, path_, 0);
    while (!moved_.empty()) {
      std::string name = std::move(moved_.front());
      moved_.pop_front();
      remove(top_, name, path_, 0, true);
    }
    if (first_) return *first_;
    return {};
  }

 private:
  static constexpr int kMaxDepth = 100;

  void note(const std::string& path, int error) {
    if (first_) return;
    if (error == EXDEV) {
      first_ = Error{Code::Io, "cannot remove " + path + ": it is a mount point, unmount it first"};
    } else {
      first_ = errno_error("cannot remove " + path, error);
    }
  }

  void empty(int directory, const std::string& path, int depth) {
    int error = 0;
    auto entries = entries_of(directory, error);
    if (error != 0) note(path, error);
    for (const auto& [name, is_directory] : entries) {
      remove(directory, name, path, depth, is_directory);
    }
  }

  void remove(int parent, const std::string& name, const std::string& parent_path, int depth,
              bool is_directory) {
    std::string path = parent_path + "/" + name;
    if (!is_directory) {
      if (::unlinkat(parent, name.c_str(), 0) == 0 || errno == ENOENT) return;
      if (errno != EISDIR && errno != EPERM) return note(path, errno);
      struct stat info {};
      if (::fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0 ||
          !S_ISDIR(info.st_mode)) {
        return note(path, EPERM);
      }
    }
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) == 0 || errno == ENOENT) return;
    if (depth >= kMaxDepth) return move_up(parent, name, path);
    Fd directory(open_directory_here(parent, name.c_str()));
    if (!directory && errno == EACCES) {
      ::fchmodat(parent, name.c_str(), 0700, 0);
      directory = Fd(open_directory_here(parent, name.c_str()));
    }
    if (!directory) {
      if (errno != ENOENT) note(path, errno);
      return;
    }
    empty(directory.get(), path, depth + 1);
    directory.reset();
    if (::unlinkat(parent, name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
      // Not empty is the consequence of an error already noted or of a directory moved up meanwhile.
      note(path, errno);
    }
  }

  void move_up(int parent, const std::string& name, const std::string& path) {
    std::string to = ".removed-" + std::to_string(::getpid()) + "-" + std::to_string(++counter_);
    if (::renameat(parent, name.c_str(), top_, to.c_str()) != 0) return note(path, errno);
    moved_.push_back(std::move(to));
  }

  int top_;
  std::string path_;
  std::deque<std::string> moved_;
  uint64_t counter_ = 0;
  std::optional<Error> first_;
};

}  // namespace

Result<std::string> read_file(const std::string& path, uint64_t max_bytes) {
  Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return errno_error("cannot read " + path, errno);
  struct stat info {};
  if (::fstat(fd.get(), &info) != 0) return errno_error("cannot read " + path, errno);
  if (S_ISDIR(info.st_mode)) return errno_error("cannot read " + path, EISDIR);
  std::string content;
  // Files of /proc say 0 bytes: read until the end in any case.
  size_t step = info.st_size > 0 ? static_cast<size_t>(info.st_size) + 1 : 4096;
  step = std::min<size_t>(step, max_bytes + 1);
  size_t size = 0;
  for (;;) {
    if (content.size() < size + step) content.resize(size + step);
    ssize_t n = ::read(fd.get(), content.data() + size, content.size() - size);
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno_error("cannot read " + path, errno);
    }
    if (n == 0) break;
    size += static_cast<size_t>(n);
    if (size > max_bytes) {
      return Error{Code::TooLarge,
                   path + " is larger than the limit of " + std::to_string(max_bytes) + " bytes"};
    }
    step = std::max<size_t>(4096, std::min<size_t>(size, 1 << 20));
  }
  content.resize(size);
  return content;
}

Status write_file(const std::string& path, std::string_view content, int mode) {
  Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return errno_error("cannot write " + path, errno);
  return write_all(fd.get(), content, path);
}

Status write_file_atomic(const std::string& path, std::string_view content, int mode) {
  static std::atomic<uint64_t> counter{0};
  std::string temporary =
      path + ".tmp." + std::to_string(::getpid()) + "." + std::to_string(++counter);
  Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  if (!fd && errno == EEXIST) {  // left by a crashed process that had our pid
    ::unlink(temporary.c_str());
    fd = Fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode));
  }
  if (!fd) return errno_error("cannot write " + temporary, errno);
  Status written = write_all(fd.get(), content, temporary);
  if (written && ::fsync(fd.get()) != 0) written = errno_error("cannot sync " + temporary, errno);
  if (written && ::rename(temporary.c_str(), path.c_str()) != 0) {
    written = errno_error("cannot replace " + path, errno);
  }
  if (!written) {
    ::unlink(temporary.c_str());
    return written;
  }
  Fd directory(::open(parent_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0) {
    return errno_error("cannot sync the directory of " + path, errno);
  }
  return {};
}

Status make_directories(const std::string& path, int mode) {
  for (size_t end = 1; end <= path.size(); ++end) {
    if (end != path.size() && path[end] != '/') continue;
    std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), static_cast<mode_t>(mode)) == 0) continue;
    int error = errno;
    struct stat info {};
    if (::stat(part.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) continue;
    return errno_error("cannot make directory " + part, error == EEXIST ? ENOTDIR : error);
  }
  return {};
}

Status remove_tree(const std::string& path) {
  std::string clean = path;
  while (clean.size() > 1 && clean.back() == '/') clean.pop_back();
  size_t slash = clean.find_last_of('/');
  std::string name = slash == std::string::npos ? clean : clean.substr(slash + 1);
  if (name.empty() || name == "." || name == "..") return invalid("cannot remove '" + path + "'");
  Fd parent(::open(parent_of(clean).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!parent) {
    if (errno == ENOENT) return {};
    return errno_error("cannot remove " + path, errno);
  }
  if (::unlinkat(parent.get(), name.c_str(), 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return errno_error("cannot remove " + path, errno);
  int refused = errno;
  Fd top(open_directory_here(parent.get(), name.c_str()));
  if (!top) {
    if (errno == ENOENT) return {};
    if (errno == EXDEV) {
      return Error{Code::Io, "cannot remove " + path + ": it is a mount point, unmount it first"};
    }
    return errno_error("cannot remove " + path, errno == ENOTDIR ? refused : errno);
  }
  RETURN_IF_ERROR(TreeRemover(top.get(), clean).run());
  if (::unlinkat(parent.get(), name.c_str(), AT_REMOVEDIR) != 0 && errno != ENOENT) {
    return errno_error("cannot remove " + path, errno);
  }
  return {};
}

bool exists(const std::string& path) { return ::access(path.c_str(), F_OK) == 0; }

Result<std::vector<std::string>> list_directory(const std::string& path) {
  Fd directory(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return errno_error("cannot list " + path, errno);
  int error = 0;
  auto entries = entries_of(directory.get(), error);
  if (error != 0) return errno_error("cannot list " + path, error);
  std::vector<std::string> names;
  for (auto& [name, is_directory] : entries) names.push_back(std::move(name));
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace base
