#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/file.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/strings.hpp"
#include "kernel/containerizer/cgroups/cgroups.hpp"

namespace containerizer::cgroups {

Result<std::unique_ptr<Cgroups>> open_cgroups(const std::string& hierarchy, const std::string& root,
                                              const Wanted& wanted) {
  struct statfs info;
  if (statfs(hierarchy.c_str(), &info) != 0) return base::errno_error(hierarchy, errno);
  // A host with version 1 controllers may mount version 2 beside them; it is pure only at the top.
  if (static_cast<unsigned long>(info.f_type) == CGROUP2_SUPER_MAGIC) return open_v2(hierarchy, root, wanted);
  return open_v1(hierarchy, root, wanted);
}

namespace {

std::string lock_file(const std::string& directory, const std::string& root) {
  return directory + "/dcos-agent-cgroups-" + base::replace_all(root, "/", "_") + ".lock";
}

}  // namespace

std::string RootLock::directory() { return access("/run", W_OK) == 0 ? "/run" : "/tmp"; }

std::string RootLock::owner(const std::string& directory, const std::string& root) {
  return base::read_file(lock_file(directory, root), 4096).value_or("");
}

Result<RootLock> RootLock::take(const std::string& directory, const std::string& root,
                                const std::string& owner, bool in_use) {
  const std::string path = lock_file(directory, root);
  base::Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!file) return base::errno_error("cannot open " + path, errno);
  char text[4096];
  const ssize_t length = read(file.get(), text, sizeof text);
  const std::string previous(text, length > 0 ? static_cast<size_t>(length) : 0);
  const std::string remedy = "; give this agent a root of its own with --cgroups_root";
  if (flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return base::conflict("another agent (work directory " + previous + ") runs with --cgroups_root=" + root +
                          remedy);
  if (!previous.empty() && previous != owner && in_use)
    return base::conflict("containers of another agent (work directory " + previous +
                          ") still run below --cgroups_root=" + root + remedy);
  if (ftruncate(file.get(), 0) != 0 ||
      pwrite(file.get(), owner.data(), owner.size(), 0) != static_cast<ssize_t>(owner.size()))
    return base::errno_error("cannot write " + path, errno);
  return RootLock(std::move(file));
}

}  // namespace containerizer::cgroups
