#include "kernel/containerizer/images/unpack.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cstring>
#include <vector>

#include "base/file.hpp"
#include "base/strings.hpp"

namespace containerizer::images {
namespace {

constexpr size_t kMaxPath = 4096;
constexpr size_t kMaxRemoveDepth = 512;
constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr const char* kOpaqueAttribute = "trusted.overlay.opaque";

std::string shown(std::string_view path) {
  return "'" + base::valid_utf8(path.substr(0, 200)) + "'";
}

Error failed(const std::string& what, std::string_view path, int error) {
  return base::errno_error(what + " " + shown(path), error);
}

/// Like openat2 with links resolved as if `root` were the root directory.
base::Fd open_inside(int root, const char* path, uint64_t flags) {
  struct open_how how {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS;
  for (;;) {
    const int fd = static_cast<int>(syscall(SYS_openat2, root, path, &how, sizeof how));
    if (fd >= 0 || errno != EAGAIN) return base::Fd(fd);
  }
}

Status remove_depth(int directory, const char* name, size_t depth) {
  if (unlinkat(directory, name, 0) == 0 || errno == ENOENT) return {};
  if (errno != EISDIR && errno != EPERM) return failed("cannot remove", name, errno);
  if (depth > kMaxRemoveDepth)
    return base::invalid("directories are nested too deeply to be removed");
  const int fd = openat(directory, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return failed("cannot remove", name, errno);
  DIR* entries = fdopendir(fd);
  if (entries == nullptr) {
    close(fd);
    return failed("cannot remove", name, errno);
  }
  Status status;
  while (const dirent* entry = readdir(entries)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    status = remove_depth(fd, entry->d_name, depth + 1);
    if (!status) break;
  }
  closedir(entries);
  if (!status) return status;
  if (unlinkat(directory, name, AT_REMOVEDIR) != 0 && errno != ENOENT)
    return failed("cannot remove", name, errno);
  return {};
}

struct Split {
  std::string parent,
      name;  // of a path without '..' and empty components; both empty: the root itself
};

Result<Split> split_path(std::string_view path) {
  if (path.size() > kMaxPath)
    return base::invalid("a name in the layer is longer than 4096 characters");
  std::vector<std::string> parts;
  for (const auto part : base::tokenize(path, '/')) {
    if (part == ".") continue;
    if (part == "..")
      return base::invalid("the layer has an entry that leads out of it: " + shown(path));
    if (part.size() > 255)
      return base::invalid("the layer has a name of more than 255 characters: " + shown(path));
    parts.emplace_back(part);
  }
  Split out;
  if (parts.empty()) return out;
  out.name = std::move(parts.back());
  parts.pop_back();
  out.parent = base::join(parts, "/");
  return out;
}

/// Attributes that would mean something to overlayfs itself, or to a security module of this
/// machine, are not taken.
bool attribute_allowed(const std::string& name) {
  if (name == "security.capability") return true;
  return name.starts_with("user.") && !name.starts_with("user.overlay.");
}

}  // namespace

Status remove_at(int directory, const char* name) {
  return remove_depth(directory, name, 0);
}

struct Unpacker::Impl {
  struct DirectoryTime {
    std::string path;
    timespec mtime;
  };

  int root;
  UnpackLimits limits;
  UnpackCounts counts{};
  std::string parent_path{};
  base::Fd parent{};  // of parent_path; reopened when something may have changed on the way to it
  bool parent_open = false;
  base::Fd file{};
  TarEntry entry{};
  std::vector<DirectoryTime> directories{};

  Status open_parent(const std::string& path) {
    if (parent_open && path == parent_path) return {};
    parent_open = false;
    parent = open_inside(root, path.empty() ? "." : path.c_str(), O_PATH | O_DIRECTORY);
    if (!parent && errno == ENOENT) RETURN_IF_ERROR(make_parents(path));
    if (!parent)
      return failed("the layer cannot be unpacked: cannot open the directory", path, errno);
    parent_path = path;
    parent_open = true;
    return {};
  }

  /// Directories that the archive leaves out belong to root.
  Status make_parents(const std::string& path) {
    base::Fd at = open_inside(root, ".", O_PATH | O_DIRECTORY);
    std::string sofar;
    for (const auto part : base::tokenize(path, '/')) {
      const std::string name(part);
      sofar += (sofar.empty() ? "" : "/") + name;
      base::Fd next = open_inside(root, sofar.c_str(), O_PATH | O_DIRECTORY);
      if (!next) {
        if (errno != ENOENT)
          return failed("the layer cannot be unpacked: cannot open the directory", sofar, errno);
        // A link that leads nowhere stays what it is.
        if (mkdirat(at.get(), name.c_str(), 0755) != 0)
          return failed("the layer cannot be unpacked: cannot make the directory", sofar, errno);
        next = open_inside(root, sofar.c_str(), O_PATH | O_DIRECTORY);
        if (!next)
          return failed("the layer cannot be unpacked: cannot open the directory", sofar, errno);
      }
      at = std::move(next);
    }
    parent = std::move(at);
    return {};
  }

  Status remove_existing(const std::string& name) {
    if (unlinkat(parent.get(), name.c_str(), 0) == 0) return {};
    if (errno == ENOENT) return {};
    parent_open = false;
    base::Fd keep = std::move(parent);
    RETURN_IF_ERROR(remove_at(keep.get(), name.c_str()));
    parent = std::move(keep);
    parent_open = true;
    return {};
  }

  bool is_whiteout(const std::string& name, bool* exists, bool* directory) {
    struct stat info;
    *exists = fstatat(parent.get(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
    *directory = *exists && S_ISDIR(info.st_mode);
    return *exists && S_ISCHR(info.st_mode) && info.st_rdev == 0;
  }

  Status set_opaque(const std::string& name) {
    const base::Fd directory(openat(parent.get(), name.empty() ? "." : name.c_str(),
                                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return failed("cannot open the directory", name, errno);
    if (fsetxattr(directory.get(), kOpaqueAttribute, "y", 1, 0) != 0)
      return failed("cannot mark as opaque the directory", name, errno);
    return {};
  }

  /// A marker of something that lower layers have and this one takes away.
  Status take_whiteout(const std::string& name) {
    if (name == kOpaque) return set_opaque("");
    const std::string gone = name.substr(kWhiteout.size());
    if (gone.starts_with(kWhiteout)) return {};  // book-keeping of aufs
    if (gone.empty() || gone == "." || gone == "..")
      return base::invalid("the layer has a whiteout that leads out of it");
    bool exists = false, directory = false;
    if (is_whiteout(gone, &exists, &directory)) return {};
    // This layer has something of that name itself: it replaces what was below, whichever comes
    // first in the archive.
    if (directory) return set_opaque(gone);
    if (exists) return {};
    if (mknodat(parent.get(), gone.c_str(), S_IFCHR | 0600, makedev(0, 0)) != 0)
      return failed("cannot mark as removed", gone, errno);
    return {};
  }

  Status make_directory(const std::string& name) {
    bool exists = false, directory = false;
    const bool whiteout = is_whiteout(name, &exists, &directory);
    if (!directory) {
      if (exists) RETURN_IF_ERROR(remove_existing(name));
      if (mkdirat(parent.get(), name.c_str(), 0700) != 0)
        return failed("cannot make the directory", entry.path, errno);
      if (whiteout) RETURN_IF_ERROR(set_opaque(name));
    }
    const base::Fd fd(
        openat(parent.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!fd) return failed("cannot open the directory", entry.path, errno);
    return own(fd.get());
  }

  /// Owner first: a change of owner takes away setuid bits and capabilities.
  Status own(int fd) {
    if (fchown(fd, static_cast<uid_t>(entry.uid), static_cast<gid_t>(entry.gid)) != 0)
      return failed("cannot set the owner of", entry.path, errno);
    if (fchmod(fd, entry.mode) != 0) return failed("cannot set the mode of", entry.path, errno);
    for (const auto& [name, value] : entry.attributes) {
      if (!attribute_allowed(name)) continue;
      if (fsetxattr(fd, name.c_str(), value.data(), value.size(), 0) != 0 && errno != ENOTSUP)
        return failed("cannot set the attribute " + base::valid_utf8(name) + " of", entry.path,
                      errno);
    }
    return {};
  }

  timespec mtime() const {
    return {static_cast<time_t>(entry.mtime), static_cast<long>(entry.mtime_nanoseconds)};
  }

  Status own_link(const std::string& name) {
    if (fchownat(parent.get(), name.c_str(), static_cast<uid_t>(entry.uid),
                 static_cast<gid_t>(entry.gid), AT_SYMLINK_NOFOLLOW) != 0)
      return failed("cannot set the owner of", entry.path, errno);
    const timespec times[2] = {mtime(), mtime()};
    utimensat(parent.get(), name.c_str(), times, AT_SYMLINK_NOFOLLOW);
    return {};
  }

  Status make_hard_link(const std::string& name) {
    ASSIGN_OR_RETURN(const Split target, split_path(entry.link));
    if (target.name.empty()) return base::invalid("the layer has a hard link to its root");
    const base::Fd directory = open_inside(
        root, target.parent.empty() ? "." : target.parent.c_str(), O_PATH | O_DIRECTORY);
    struct stat info;
    if (!directory ||
        fstatat(directory.get(), target.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0)
      return base::invalid("the layer has a hard link " + shown(entry.path) + " to " +
                           shown(entry.link) + ", which it does not contain");
    if (S_ISDIR(info.st_mode))
      return base::invalid("the layer has a hard link to a directory: " + shown(entry.path));
    struct stat here;
    if (fstatat(parent.get(), name.c_str(), &here, AT_SYMLINK_NOFOLLOW) == 0 &&
        here.st_ino == info.st_ino && here.st_dev == info.st_dev)
      return {};  // to itself
    RETURN_IF_ERROR(remove_existing(name));
    if (linkat(directory.get(), target.name.c_str(), parent.get(), name.c_str(), 0) != 0)
      return failed("cannot link", entry.path, errno);
    return {};
  }

  Status make(const std::string& name) {
    switch (entry.type) {
      case TarEntry::Type::Directory:
        return make_directory(name);
      case TarEntry::Type::File: {
        file = base::Fd(openat(parent.get(), name.c_str(),
                               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        if (!file && errno == EEXIST) {
          RETURN_IF_ERROR(remove_existing(name));
          file = base::Fd(openat(parent.get(), name.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
        }
        if (!file) return failed("cannot create", entry.path, errno);
        return {};
      }
      case TarEntry::Type::SymbolicLink:
        if (entry.link.empty())
          return base::invalid("the layer has a link to nothing: " + shown(entry.path));
        RETURN_IF_ERROR(remove_existing(name));
        if (symlinkat(entry.link.c_str(), parent.get(), name.c_str()) != 0)
          return failed("cannot link", entry.path, errno);
        return own_link(name);
      case TarEntry::Type::HardLink:
        return make_hard_link(name);
      case TarEntry::Type::Fifo:
        RETURN_IF_ERROR(remove_existing(name));
        if (mkfifoat(parent.get(), name.c_str(), entry.mode & 0777) != 0)
          return failed("cannot make the pipe", entry.path, errno);
        return own_link(name);
      case TarEntry::Type::CharacterDevice:
      case TarEntry::Type::BlockDevice:
        ++counts.devices_skipped;
        return {};
    }
    return {};
  }
};

Unpacker::Unpacker(int root, UnpackLimits limits)
    : impl_(std::make_unique<Impl>(Impl{root, limits})) {}
Unpacker::~Unpacker() = default;

const UnpackCounts& Unpacker::counts() const {
  return impl_->counts;
}

Status Unpacker::on_entry(const TarEntry& entry) {
  Impl& self = *impl_;
  if (++self.counts.entries > self.limits.max_entries)
    return Error{base::Code::TooLarge,
                 "the layer has more than " + std::to_string(self.limits.max_entries) + " entries"};
  if (entry.size > self.limits.max_bytes || self.counts.bytes + entry.size > self.limits.max_bytes)
    return Error{base::Code::TooLarge,
                 "the layer is larger than " + std::to_string(self.limits.max_bytes) + " bytes"};
  if (entry.uid > UINT32_MAX - 1 || entry.gid > UINT32_MAX - 1)
    return base::invalid("the layer has a user or group that is too large");
  self.counts.bytes += entry.size;
  self.entry = entry;
  ASSIGN_OR_RETURN(const Split path, split_path(entry.path));
  if (path.name.empty()) {
    if (entry.type != TarEntry::Type::Directory)
      return base::invalid("the layer has a root that is not a directory");
    self.directories.push_back({".", self.mtime()});
    const base::Fd fd = open_inside(self.root, ".", O_RDONLY | O_DIRECTORY);
    return self.own(fd.get());
  }
  RETURN_IF_ERROR(self.open_parent(path.parent));
  if (path.name.starts_with(kWhiteout)) return self.take_whiteout(path.name);
  RETURN_IF_ERROR(self.make(path.name));
  if (entry.type == TarEntry::Type::Directory)
    self.directories.push_back(
        {path.parent.empty() ? path.name : path.parent + "/" + path.name, self.mtime()});
  // A link may stand where the way to the kept directory leads along.
  if (entry.type == TarEntry::Type::SymbolicLink) self.parent_open = false;
  return {};
}

Status Unpacker::on_data(std::string_view piece) {
  Impl& self = *impl_;
  while (self.file && !piece.empty()) {
    const ssize_t written = write(self.file.get(), piece.data(), piece.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return failed("cannot write", self.entry.path, errno);
    piece.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status Unpacker::on_entry_end() {
  Impl& self = *impl_;
  if (!self.file) return {};
  RETURN_IF_ERROR(self.own(self.file.get()));
  const timespec times[2] = {self.mtime(), self.mtime()};
  futimens(self.file.get(), times);
  self.file.reset();
  return {};
}

Status Unpacker::finish() {
  Impl& self = *impl_;
  for (const auto& directory : self.directories) {
    const base::Fd fd =
        open_inside(self.root, directory.path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
    const timespec times[2] = {directory.mtime, directory.mtime};
    if (fd) futimens(fd.get(), times);
  }
  return {};
}

}  // namespace containerizer::images
