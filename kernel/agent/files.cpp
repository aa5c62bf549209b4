#include "kernel/agent/files.hpp"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/strings.hpp"
#include "base/user_names.hpp"

namespace agent {
namespace {

int open_below(int directory, const std::string& path, uint64_t flags, uint64_t resolve) {
  struct open_how how = {};
  how.flags = flags | O_CLOEXEC;
  how.resolve = resolve;
  return static_cast<int>(syscall(SYS_openat2, directory, path.c_str(), &how, sizeof how));
}

struct Place {
  std::string framework, executor;
  std::string root;  // below the work directory
  std::string rest;  // below the root; empty: the root itself
};

/// Takes a virtual path apart; absent when it has not the form of a sandbox's path.
std::optional<Place> place_of(const std::string& path, const std::string& work_dir, const std::string& agent_id) {
  std::string_view text = path;
  std::vector<std::string_view> parts;
  std::string agent = agent_id;
  if (text.starts_with(work_dir + "/slaves/")) {
    parts = base::tokenize(text.substr(work_dir.size() + 8), '/');
    if (parts.empty()) return std::nullopt;
    if (parts[0] != "latest") agent = std::string(parts[0]);
    parts.erase(parts.begin());
  } else {
    parts = base::tokenize(text, '/');
  }
  // frameworks F executors E runs C ...
  if (parts.size() < 6 || parts[0] != "frameworks" || parts[2] != "executors" || parts[4] != "runs") return std::nullopt;
  for (size_t i = 1; i < 6; ++i)
    if (parts[i] == ".." || parts[i] == ".") return std::nullopt;
  Place place;
  place.framework = parts[1];
  place.executor = parts[3];
  place.root = "slaves/" + agent;
  for (size_t i = 0; i < 6; ++i) place.root += "/" + std::string(parts[i]);
  for (size_t i = 6; i < parts.size(); ++i) place.rest += (i > 6 ? "/" : "") + std::string(parts[i]);
  return place;
}

/// The run that `latest` stands for, as a name in the same directory.
void resolve_latest(const std::string& work_dir, Place& place) {
  if (!place.root.ends_with("/runs/latest")) return;
  char target[4096];
  const ssize_t length = readlink((work_dir + "/" + place.root).c_str(), target, sizeof target);
  if (length <= 0) return;
  const std::string_view text(target, static_cast<size_t>(length));
  place.root.replace(place.root.size() - 6, 6, text.substr(text.rfind('/') + 1));
}

}  // namespace

std::string render_mode(uint32_t mode) {
  const char kind = S_ISDIR(mode)    ? 'd'
                    : S_ISLNK(mode)  ? 'l'
                    : S_ISCHR(mode)  ? 'c'
                    : S_ISBLK(mode)  ? 'b'
                    : S_ISFIFO(mode) ? 'p'
                    : S_ISSOCK(mode) ? 's'
                                     : '-';
  std::string text(1, kind);
  for (int bit = 8; bit >= 0; --bit) text += (mode >> bit & 1) != 0 ? "xwr"[bit % 3] : '-';
  return text;
}

std::string_view content_type_of(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".txt", "text/plain"},        {".log", "text/plain"},       {".html", "text/html"},
      {".css", "text/css"},          {".js", "text/javascript"},   {".json", "application/json"},
      {".xml", "text/xml"},          {".csv", "text/csv"},         {".png", "image/png"},
      {".jpg", "image/jpeg"},        {".gif", "image/gif"},        {".svg", "image/svg+xml"},
      {".pdf", "application/pdf"},   {".zip", "application/zip"}};
  for (const auto& [extension, type] : kTypes)
    if (name.ends_with(extension)) return type;
  return "application/octet-stream";
}

std::optional<SandboxOwner> Files::owner(const std::string& path, const std::string& agent_id) const {
  const auto place = place_of(path, work_dir_, agent_id);
  if (!place) return std::nullopt;
  return SandboxOwner{place->framework, place->executor, place->root.substr(place->root.rfind('/') + 1)};
}

namespace {

constexpr int kMaxSteps = 8;  // from a task's link to its container, to the pod's directory, to a volume
constexpr std::string_view kTasks = "tasks/", kContainers = "../containers/";

/// tasks/<id>/... is a link that the default executor made: the container's directory of the same sandbox.
void follow_task_link(const base::Fd& sandbox, std::string& rest) {
  if (!rest.starts_with(kTasks)) return;
  const size_t end = rest.find('/', kTasks.size());
  if (end == std::string::npos) return;
  std::array<char, 512> target;
  const ssize_t length = readlinkat(sandbox.get(), rest.substr(0, end).c_str(), target.data(), target.size());
  const std::string_view text(target.data(), length > 0 ? static_cast<size_t>(length) : 0);
  if (!text.starts_with(kContainers) || text.find('/', kContainers.size()) != std::string_view::npos) return;
  rest = std::string(text.substr(3)) + rest.substr(end);
}

/// The longest of them that the path leads to or into.
const Elsewhere* find_elsewhere(const std::vector<Elsewhere>& all, const std::string& rest) {
  const Elsewhere* found = nullptr;
  for (const auto& each : all)
    if ((rest == each.at || rest.starts_with(each.at + "/")) && (found == nullptr || each.at.size() > found->at.size())) found = &each;
  return found;
}

/// Replaces what lies elsewhere: changes `rest`, and `root` when that is another directory of the machine's.
base::Status go_elsewhere(const std::vector<Elsewhere>& all, base::Fd& root, std::string& rest) {
  if (all.empty()) return {};
  follow_task_link(root, rest);
  for (int step = 0; step < kMaxSteps; ++step) {
    const Elsewhere* found = find_elsewhere(all, rest);
    if (found == nullptr) return {};
    const std::string below = rest.size() > found->at.size() ? rest.substr(found->at.size() + 1) : "";
    if (!found->source.starts_with('/')) {
      const std::string next = found->source + (below.empty() ? "" : "/" + below);
      if (next == rest) return {};
      rest = next;
      continue;
    }
    root = base::Fd(::open(found->source.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!root) return base::not_found("No such path: " + found->source);
    rest = below;
    return {};
  }
  return {};
}

}  // namespace

base::Result<base::Fd> Files::open(const Asked& asked) const {
  const std::string& path = asked.path;
  if (path == kLogPath && !log_.empty()) {
    base::Fd file(::open(log_.c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    return file ? base::Result<base::Fd>(std::move(file)) : base::Result<base::Fd>(base::not_found("No such path: " + path));
  }
  auto place = place_of(path, work_dir_, asked.agent_id);
  if (!place) return base::not_found("No such path: " + path);
  resolve_latest(work_dir_, *place);
  const base::Fd top(::open(work_dir_.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!top) return base::errno_error(work_dir_, errno);
  base::Fd root(open_below(top.get(), place->root, O_PATH | O_DIRECTORY, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS));
  if (!root) return base::not_found("No such path: " + path);
  // O_NONBLOCK: a named pipe of the task's must not hold us.
  std::string rest = place->rest;
  if (!go_elsewhere(asked.elsewhere, root, rest)) return base::not_found("No such path: " + path);
  if (rest.empty()) rest = ".";
  base::Fd file(open_below(root.get(), rest, O_RDONLY | O_NONBLOCK | O_NOCTTY, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS));
  if (file) return file;
  if (errno == EXDEV || errno == ELOOP) return base::invalid("The path '" + path + "' is inaccessible");
  if (errno == ENOENT || errno == ENOTDIR) return base::not_found("No such path: " + path);
  return base::invalid("The path '" + path + "' is inaccessible");
}

base::Result<std::vector<ListedFile>> Files::browse(const Asked& asked) const {
  const std::string& path = asked.path;
  ASSIGN_OR_RETURN(base::Fd file, open(asked));
  struct stat info;
  if (fstat(file.get(), &info) != 0) return base::errno_error(path, errno);
  std::vector<ListedFile> listed;
  if (!S_ISDIR(info.st_mode)) return listed;
  DIR* directory = fdopendir(file.get());
  if (directory == nullptr) return base::errno_error(path, errno);
  file.release();
  std::string prefix = path;
  while (prefix.size() > 1 && prefix.back() == '/') prefix.pop_back();
  while (const dirent* entry = readdir(directory)) {
    const std::string name = entry->d_name;
    if (name == "." || name == "..") continue;
    if (fstatat(dirfd(directory), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    listed.push_back({prefix + "/" + name, render_mode(info.st_mode), info.st_mode, info.st_nlink,
                      static_cast<uint64_t>(info.st_size), base::name_of_user(info.st_uid), base::name_of_group(info.st_gid),
                      info.st_mtime});
  }
  closedir(directory);
  std::sort(listed.begin(), listed.end(), [](const auto& a, const auto& b) { return a.path < b.path; });
  return listed;
}

base::Result<ReadPiece> Files::read(const Asked& asked, int64_t offset, int64_t length) const {
  const std::string& path = asked.path;
  ASSIGN_OR_RETURN(const base::Fd file, open(asked));
  struct stat info;
  if (fstat(file.get(), &info) != 0) return base::errno_error(path, errno);
  if (S_ISDIR(info.st_mode)) return base::invalid("Cannot read a directory.\n");
  if (!S_ISREG(info.st_mode)) return base::invalid("The path '" + path + "' is inaccessible");
  ReadPiece piece;
  piece.size = static_cast<uint64_t>(info.st_size);
  if (offset < 0) {
    piece.offset = piece.size;
    return piece;
  }
  piece.offset = static_cast<uint64_t>(offset);
  uint64_t wanted = length < 0 ? kMaxReadBytes : std::min<uint64_t>(static_cast<uint64_t>(length), kMaxReadBytes);
  if (piece.offset >= piece.size) wanted = 0;
  piece.data.resize(wanted);
  size_t done = 0;
  while (done < wanted) {
    const ssize_t got = pread(file.get(), piece.data.data() + done, wanted - done,
                              static_cast<off_t>(piece.offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return base::errno_error(path, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  piece.data.resize(done);
  return piece;
}

}  // namespace agent
