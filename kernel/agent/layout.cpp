#include "kernel/agent/layout.hpp"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/strings.hpp"

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

namespace {

/// Real directories below `path` at this pattern of names; "*" is any.
void add_directories(const std::string& path, std::initializer_list<const char*> names, std::vector<std::string>& out) {
  std::vector<std::string> level{path};
  for (const char* name : names) {
    std::vector<std::string> next;
    for (const auto& directory : level) {
      if (std::string_view(name) != "*") {
        next.push_back(directory + "/" + name);
        continue;
      }
      for (const auto& each : base::list_directory(directory).value_or({})) {
        struct stat info {};
        const std::string child = directory + "/" + each;
        if (lstat(child.c_str(), &info) == 0 && S_ISDIR(info.st_mode)) next.push_back(child);
      }
    }
    level = std::move(next);
  }
  out.insert(out.end(), level.begin(), level.end());
}

}  // namespace

std::vector<std::string> list_sandboxes(const std::string& work_dir) {
  std::vector<std::string> out;
  add_directories(work_dir, {"slaves", "*", "frameworks", "*", "executors", "*", "runs", "*"}, out);
  add_directories(work_dir, {"containers", "*"}, out);
  return out;
}

std::vector<std::string> list_volumes(const std::string& root) {
  std::vector<std::string> out;
  add_directories(root, {"volumes", "roles", "*", "*"}, out);
  return out;
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

namespace {

base::Status sync_directory(const std::string& path) {
  const base::Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || fsync(directory.get()) != 0) return base::errno_error("cannot sync " + path, errno);
  return {};
}

}  // namespace

base::Status make_volume(const VolumePlace& place) {
  struct stat info {};
  if (stat(place.root.c_str(), &info) != 0 || !S_ISDIR(info.st_mode))
    return base::errno_error("the volume's disk " + place.root, errno != 0 ? errno : ENOTDIR);
  if (place.whole_disk) return {};
  // Below a root that is somebody else's directory by now a link could lead anywhere.
  std::string made = place.root;
  for (const auto name : base::tokenize(std::string_view(place.path).substr(place.root.size()), '/')) {
    const std::string parent = made;
    made += "/" + std::string(name);
    if (mkdir(made.c_str(), 0755) == 0) {
      RETURN_IF_ERROR(sync_directory(parent));
    } else if (errno != EEXIST || lstat(made.c_str(), &info) != 0 || !S_ISDIR(info.st_mode)) {
      return base::errno_error("cannot make the volume's directory " + made, errno == EEXIST ? ENOTDIR : errno);
    }
  }
  return {};
}

base::Status remove_volume(const VolumePlace& place) {
  if (place.whole_disk) {
    ASSIGN_OR_RETURN(const auto names, base::list_directory(place.path));
    for (const std::string& name : names) RETURN_IF_ERROR(base::remove_tree(place.path + "/" + name));
    return {};
  }
  RETURN_IF_ERROR(base::remove_tree(place.path));
  // A volume that is made in these directories meanwhile keeps them: they are not empty then.
  for (std::string parent = place.path; parent.size() > place.root.size();) {
    parent = parent.substr(0, parent.rfind('/'));
    if (parent == place.root || rmdir(parent.c_str()) != 0) break;
  }
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
