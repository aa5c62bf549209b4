#include "kernel/containerizer/cgroups/tree.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>

#include "base/file.hpp"
#include "base/loop.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::cgroups {

Status write_value(const std::string& path, const std::string& value) {
  const base::Fd file(open(path.c_str(), O_WRONLY | O_CLOEXEC | O_TRUNC));
  if (!file) return base::errno_error("open " + path, errno);
  if (write(file.get(), value.data(), value.size()) < 0)
    return base::errno_error("write '" + value + "' to " + path, errno);
  return {};
}

std::optional<uint64_t> read_value(const std::string& path) {
  const auto text = base::read_file(path, 4096);
  if (!text) return std::nullopt;
  const auto number = base::parse_uint(base::trim(*text));
  if (!number) return std::nullopt;
  return *number;
}

std::optional<uint64_t> read_keyed(const std::string& path, const std::string& key) {
  const auto text = base::read_file(path, 1 << 16);
  if (!text) return std::nullopt;
  for (const auto line : base::tokenize(*text, '\n')) {
    const size_t blank = line.find(' ');
    if (blank == std::string_view::npos || line.substr(0, blank) != key) continue;
    const auto number = base::parse_uint(base::trim(line.substr(blank)));
    if (number) return *number;
  }
  return std::nullopt;
}

std::vector<pid_t> read_pids(const std::string& path) {
  std::vector<pid_t> pids;
  const auto text = base::read_file(path, 4 << 20);
  if (!text) return pids;
  for (const auto line : base::tokenize(*text, '\n'))
    // A process outside our pid namespace reads as 0.
    if (const auto pid = base::parse_int(line); pid && *pid > 0) pids.push_back(static_cast<pid_t>(*pid));
  return pids;
}

std::vector<std::string> subdirectories(const std::string& path) {
  std::vector<std::string> names;
  DIR* directory = opendir(path.c_str());
  if (directory == nullptr) return names;
  while (const dirent* entry = readdir(directory))
    if (entry->d_type == DT_DIR && entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  closedir(directory);
  std::sort(names.begin(), names.end());
  return names;
}

void pause_briefly() {
  const timespec pause{0, 1'000'000};
  nanosleep(&pause, nullptr);
}

std::vector<std::string> groups_above(const std::string& name) {
  std::vector<std::string> above;
  for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1))
    above.push_back(name.substr(0, slash));
  return above;
}

void add_groups(const std::string& root, const std::string& above, std::set<std::string>& out) {
  for (const auto& child : subdirectories(root + "/" + above)) {
    const std::string name = above.empty() ? child : above + "/" + child;
    out.insert(name);
    add_groups(root, name + kInside, out);
  }
}

Status remove_group(const std::string& path, base::Duration limit) {
  const base::Instant deadline = base::system_clock().now().instant + limit;
  for (;;) {
    if (rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
    const int error = errno;
    if (error != EBUSY || base::system_clock().now().instant >= deadline)
      return base::errno_error("cannot remove the cgroup " + path, error);
    pause_briefly();
  }
}

}  // namespace containerizer::cgroups
