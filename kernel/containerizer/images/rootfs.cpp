#include "kernel/containerizer/images/rootfs.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <map>

#include "base/log.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/unpack.hpp"

namespace containerizer::images {
namespace {

constexpr int kMaxDepth = 512;

/// A mount of overlayfs that is attached nowhere, so that no process of the machine ever sees it.
Status try_overlay(const std::string& lower, const std::string& writable) {
  const base::Fd context(static_cast<int>(syscall(SYS_fsopen, "overlay", FSOPEN_CLOEXEC)));
  if (!context) return base::errno_error("overlayfs", errno);
  const std::pair<const char*, std::string> options[] = {
      {"lowerdir", lower}, {"upperdir", writable + "/upper"}, {"workdir", writable + "/work"}};
  for (const auto& [name, value] : options)
    if (syscall(SYS_fsconfig, context.get(), FSCONFIG_SET_STRING, name, value.c_str(), 0) != 0)
      return base::errno_error(std::string("overlayfs does not take ") + name, errno);
  if (syscall(SYS_fsconfig, context.get(), FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0)
    return base::errno_error("overlayfs cannot be mounted", errno);
  const base::Fd mounted(static_cast<int>(syscall(SYS_fsmount, context.get(), FSMOUNT_CLOEXEC, 0)));
  if (!mounted) return base::errno_error("overlayfs cannot be mounted", errno);
  return {};
}

Status make_writable(const std::string& directory, mode_t mode) {
  RETURN_IF_ERROR(base::make_directories(directory + "/upper"));
  RETURN_IF_ERROR(base::make_directories(directory + "/work"));
  // The root of the merged files has the mode of its topmost directory, which is this one.
  if (chmod((directory + "/upper").c_str(), mode) != 0) return base::errno_error(directory, errno);
  return {};
}

/// Files that are one and the same in a layer stay so in the copy.
using Links = std::map<std::pair<dev_t, ino_t>, std::string>;

struct Copy {
  int target_root;
  Links links{};
};

Status failed(const char* what, const std::string& path) {
  return base::errno_error(std::string(what) + " " + base::valid_utf8(path), errno);
}

Status copy_attributes(int from, int to, const struct stat& info, const std::string& path) {
  if (fchown(to, info.st_uid, info.st_gid) != 0) return failed("cannot set the owner of", path);
  if (fchmod(to, info.st_mode & 07777) != 0) return failed("cannot set the mode of", path);
  std::array<char, 4096> names;
  const ssize_t length = flistxattr(from, names.data(), names.size());
  for (const char* name = names.data(); length > 0 && name < names.data() + length;
       name += strlen(name) + 1) {
    if (strncmp(name, "trusted.overlay.", 16) == 0) continue;
    std::array<char, 65536> value;
    const ssize_t size = fgetxattr(from, name, value.data(), value.size());
    if (size >= 0 && fsetxattr(to, name, value.data(), static_cast<size_t>(size), 0) != 0 &&
        errno != ENOTSUP)
      return failed("cannot set an attribute of", path);
  }
  const timespec times[2] = {info.st_mtim, info.st_mtim};
  futimens(to, times);
  return {};
}

Status copy_file(int from_directory, int to_directory, const char* name, const struct stat& info,
                 const std::string& path) {
  const base::Fd from(openat(from_directory, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!from) return failed("cannot open", path);
  const base::Fd to(
      openat(to_directory, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!to) return failed("cannot create", path);
  for (;;) {
    ssize_t copied = copy_file_range(from.get(), nullptr, to.get(), nullptr, size_t{1} << 30, 0);
    if (copied < 0 &&
        (errno == EXDEV || errno == EINVAL || errno == EOPNOTSUPP || errno == ENOSYS)) {
      std::array<char, 65536> buffer;
      const ssize_t length = read(from.get(), buffer.data(), buffer.size());
      copied = length <= 0 ? length : write(to.get(), buffer.data(), static_cast<size_t>(length));
      if (length > 0 && copied >= 0 && copied != length)
        lseek(from.get(), copied - length, SEEK_CUR);
    }
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return failed("cannot copy", path);
    if (copied == 0) break;
  }
  return copy_attributes(from.get(), to.get(), info, path);
}

Status copy_directory(Copy& copy, int from, int to, const std::string& path, int depth);

Status copy_entry(Copy& copy, int from, int to, const char* name, const std::string& path,
                  int depth) {
  struct stat info, there;
  if (fstatat(from, name, &info, AT_SYMLINK_NOFOLLOW) != 0) return failed("cannot read", path);
  const bool exists = fstatat(to, name, &there, AT_SYMLINK_NOFOLLOW) == 0;
  if (S_ISDIR(info.st_mode)) {
    base::Fd source(openat(from, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!source) return failed("cannot open", path);
    char opaque[4];
    const bool hides =
        fgetxattr(source.get(), "trusted.overlay.opaque", opaque, sizeof opaque) == 1 &&
        opaque[0] == 'y';
    if (exists && (hides || !S_ISDIR(there.st_mode))) RETURN_IF_ERROR(remove_at(to, name));
    if (mkdirat(to, name, 0700) != 0 && errno != EEXIST) return failed("cannot make", path);
    const base::Fd target(openat(to, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!target) return failed("cannot open", path);
    RETURN_IF_ERROR(copy_directory(copy, source.get(), target.get(), path, depth + 1));
    return copy_attributes(source.get(), target.get(), info, path);
  }
  if (exists) RETURN_IF_ERROR(remove_at(to, name));
  if (S_ISCHR(info.st_mode)) return {};  // a whiteout; layers have no other devices
  if (info.st_nlink > 1) {
    const auto [known, fresh] = copy.links.try_emplace({info.st_dev, info.st_ino}, path);
    if (!fresh && linkat(copy.target_root, known->second.c_str(), to, name, 0) == 0) return {};
  }
  if (S_ISREG(info.st_mode)) return copy_file(from, to, name, info, path);
  if (S_ISLNK(info.st_mode)) {
    std::array<char, 4097> link{};
    if (readlinkat(from, name, link.data(), link.size() - 1) < 0)
      return failed("cannot read the link", path);
    if (symlinkat(link.data(), to, name) != 0) return failed("cannot link", path);
  } else if (S_ISFIFO(info.st_mode)) {
    if (mkfifoat(to, name, info.st_mode & 07777) != 0) return failed("cannot make the pipe", path);
  }
  if (fchownat(to, name, info.st_uid, info.st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    return failed("cannot set the owner of", path);
  return {};
}

Status copy_directory(Copy& copy, int from, int to, const std::string& path, int depth) {
  if (depth > kMaxDepth)
    return base::invalid("the image's directories are nested too deeply to be copied");
  DIR* entries = fdopendir(dup(from));
  if (entries == nullptr) return failed("cannot read", path);
  Status status;
  while (const dirent* entry = readdir(entries)) {
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    status = copy_entry(copy, from, to, entry->d_name,
                        path.empty() ? entry->d_name : path + "/" + entry->d_name, depth);
    if (!status) break;
  }
  closedir(entries);
  return status;
}

}  // namespace

Result<Backend> choose_backend(const std::string& wanted, const std::string& store,
                               const std::string& runtime) {
  if (wanted == "copy") return Backend::Copy;
  if (!wanted.empty() && wanted != "overlay")
    return base::unsupported("--image_provisioner_backend=" + wanted +
                             " is not supported by this build; it has overlay and copy");
  const std::string lower = store + "/staging/overlay-probe-" + std::to_string(getpid());
  const std::string writable = runtime + "/.overlay-probe-" + std::to_string(getpid());
  const auto probe = [&]() -> Status {
    RETURN_IF_ERROR(base::make_directories(lower));
    RETURN_IF_ERROR(make_writable(writable, 0755));
    return try_overlay(lower, writable);
  };
  const Status possible = probe();
  (void)base::remove_tree(lower);
  (void)base::remove_tree(writable);
  if (possible) return Backend::Overlay;
  if (!wanted.empty()) return possible.error().with_context("--image_provisioner_backend=overlay");
  LOG_WARNING("Images will be copied for each container: {}", possible.error().message);
  return Backend::Copy;
}

Status prepare_root(Backend backend, const Image& image, const std::string& runtime,
                    const std::string& suffix, launch::RootFiles& root) {
  RETURN_IF_ERROR(base::write_file(runtime + "/image" + suffix, image.id, 0600));
  root.path = runtime + "/root" + suffix;
  RETURN_IF_ERROR(base::make_directories(root.path));
  if (chmod(root.path.c_str(), 0755) != 0) return base::errno_error(root.path, errno);
  if (backend == Backend::Copy || image.layers.empty()) {
    for (const auto& layer : image.layers) RETURN_IF_ERROR(copy_layer(layer, root.path));
    return {};
  }
  struct stat top;
  if (stat(image.layers.back().c_str(), &top) != 0)
    return base::errno_error("the image's layer " + image.layers.back(), errno);
  root.layers.assign(image.layers.rbegin(), image.layers.rend());
  root.writable = runtime + "/writable" + suffix;
  return make_writable(root.writable, top.st_mode & 07777);
}

Status discard_root(const std::string& runtime, const std::string& trash) {
  const std::string id = runtime.substr(runtime.rfind('/') + 1);
  for (const auto& part : base::list_directory(runtime).value_or({})) {
    const std::string name = part.substr(0, part.find('.'));
    if (name != "root" && name != "writable") continue;
    const std::string path = runtime + "/" + part;
    RETURN_IF_ERROR(base::make_directories(trash, 0700));
    const std::string target = trash + "/" + id + "-" + part;
    // The name is only taken when an agent was killed between the two; then it is rubbish as well.
    if (rename(path.c_str(), target.c_str()) != 0) RETURN_IF_ERROR(base::remove_tree(path));
  }
  return {};
}

Status empty_root_trash(const std::string& trash) { return base::remove_tree(trash); }

Status copy_layer(const std::string& layer, const std::string& target) {
  const base::Fd from(open(layer.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  const base::Fd to(open(target.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat info;
  if (!from || !to || fstat(from.get(), &info) != 0)
    return base::errno_error("cannot copy the layer " + layer, errno);
  Copy copy{to.get()};
  RETURN_IF_ERROR(copy_directory(copy, from.get(), to.get(), "", 0));
  return copy_attributes(from.get(), to.get(), info, target);
}

Result<std::string> read_image_id(const std::string& runtime, const std::string& suffix) {
  ASSIGN_OR_RETURN(std::string id, base::read_file(runtime + "/image" + suffix, 256));
  return id;
}

}  // namespace containerizer::images
