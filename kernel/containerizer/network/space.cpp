#include "kernel/containerizer/network/space.hpp"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/check.hpp"
#include "base/file.hpp"
#include "base/strings.hpp"

namespace containerizer::network {
namespace {

/// The kernel's words for characters that separate its columns.
std::string mount_spelling(const std::string& path) {
  std::string out = base::replace_all(path, "\\", "\\134");
  out = base::replace_all(out, " ", "\\040");
  return base::replace_all(out, "\t", "\\011");
}

/// The options column of the mount on `path`, such as "shared:12 - ..."; empty: none is there.
std::string find_mount(const std::string& path) {
  const auto text = base::read_file("/proc/self/mountinfo");
  if (!text) return "";
  std::string found;
  const std::string wanted = mount_spelling(path);
  for (const auto line : base::split(*text, '\n')) {
    const auto columns = base::tokenize(line, ' ');
    if (columns.size() > 6 && columns[4] == wanted) found = std::string(columns[6]);
  }
  return found;
}

Status raise_loopback() {
  const base::Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return base::errno_error("cannot open a socket", errno);
  ifreq request{};
  memcpy(request.ifr_name, "lo", 3);
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0)
    return base::errno_error("cannot raise the loopback interface", errno);
  return {};
}

Status fill_space(const std::string& path) {
  if (unshare(CLONE_NEWNET) != 0) return base::errno_error("cannot make a network namespace", errno);
  if (mount("/proc/thread-self/ns/net", path.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return base::errno_error("cannot hold the network namespace at " + path, errno);
  return raise_loopback();
}

}  // namespace

Status share_directory(const std::string& directory) {
  RETURN_IF_ERROR(base::make_directories(directory, 0700));
  const std::string mounted = find_mount(directory);
  if (mounted.empty() && mount(directory.c_str(), directory.c_str(), nullptr, MS_BIND, nullptr) != 0)
    return base::errno_error("cannot make a mount of " + directory, errno);
  if (mounted.starts_with("shared:")) return {};
  // Private first: a peer group of its own, and not that of the mount below.
  if (mount(nullptr, directory.c_str(), nullptr, MS_PRIVATE, nullptr) != 0 ||
      mount(nullptr, directory.c_str(), nullptr, MS_SHARED, nullptr) != 0)
    return base::errno_error("cannot share the mount of " + directory, errno);
  return {};
}

void unshare_directory(const std::string& directory) { umount2(directory.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW); }

Status make_space(const std::string& path) {
  const base::Fd file(open(path.c_str(), O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444));
  if (!file) return base::errno_error("cannot make " + path, errno);
  const base::Fd before(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!before) return base::errno_error("cannot open this thread's network namespace", errno);
  const Status filled = fill_space(path);
  CHECK(setns(before.get(), CLONE_NEWNET) == 0);
  if (!filled) (void)remove_space(path);
  return filled;
}

bool has_space(const std::string& path) {
  struct statfs info;
  return statfs(path.c_str(), &info) == 0 && info.f_type == NSFS_MAGIC;
}

Status remove_space(const std::string& path) {
  while (umount2(path.c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0) {
  }
  if (errno != EINVAL && errno != ENOENT) return base::errno_error("cannot unmount " + path, errno);
  if (unlink(path.c_str()) != 0 && errno != ENOENT) return base::errno_error("cannot remove " + path, errno);
  return {};
}

}  // namespace containerizer::network
