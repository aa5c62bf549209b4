#include "kernel/agent/layout.hpp"

#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.hpp"

namespace agent {

base::Status replace_link(const std::string& target, const std::string& path) {
  const std::string temporary = path + ".new";
  if (unlink(temporary.c_str()) != 0 && errno != ENOENT) return base::errno_error(temporary, errno);
  if (symlink(target.c_str(), temporary.c_str()) != 0) return base::errno_error("cannot link " + temporary, errno);
  if (rename(temporary.c_str(), path.c_str()) != 0) return base::errno_error("cannot link " + path, errno);
  return {};
}

base::Status link_agent(const std::string& work_dir, const std::string& agent_id) {
  for (const std::string& tree : {work_dir + "/slaves", work_dir + "/meta/slaves"}) {
    RETURN_IF_ERROR(base::make_directories(tree + "/" + agent_id));
    RETURN_IF_ERROR(replace_link(tree + "/" + agent_id, tree + "/latest"));
  }
  return {};
}

base::Status link_run(const std::string& directory) {
  RETURN_IF_ERROR(base::make_directories(directory));
  return replace_link(directory, directory.substr(0, directory.rfind('/')) + "/latest");
}

base::Status remove_sandbox(const std::string& path) {
  RETURN_IF_ERROR(base::remove_tree(path));
  std::string parent = path.substr(0, path.rfind('/'));
  if (parent.ends_with("/runs")) {
    // The link would keep its directory alive; it is renewed with every run.
    const std::string latest = parent + "/latest";
    if (access(latest.c_str(), F_OK) != 0) unlink(latest.c_str());
  }
  while (!parent.ends_with("/frameworks") && parent.size() > 1 && rmdir(parent.c_str()) == 0)
    parent = parent.substr(0, parent.rfind('/'));
  return {};
}

double used_fraction(const std::string& path) {
  struct statvfs info;
  if (statvfs(path.c_str(), &info) != 0 || info.f_blocks == 0) return 0;
  const double blocks = 1.0 - static_cast<double>(info.f_bavail) / static_cast<double>(info.f_blocks);
  const double inodes =
      info.f_files == 0 ? 0 : 1.0 - static_cast<double>(info.f_favail) / static_cast<double>(info.f_files);
  return std::max(blocks, inodes);
}

}  // namespace agent
