#include "kernel/containerizer/fetcher/sandbox_files.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/fsuid.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "base/check.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/digest.hpp"

namespace containerizer::fetcher {
namespace {

/// While it lives, this thread looks at files with the rights of a user. The raw calls concern one thread only, unlike
/// those of the C library.
class AsUser {
 public:
  explicit AsUser(const std::optional<launch::UserIds>& user) {
    if (!user || geteuid() != 0) return;
    std::vector<gid_t> own(static_cast<size_t>(std::max(0, getgroups(0, nullptr))));
    CHECK(getgroups(static_cast<int>(own.size()), own.data()) >= 0);
    groups_ = std::move(own);
    switched_ = true;
    CHECK(syscall(SYS_setgroups, user->groups.size(), user->groups.data()) == 0);
    setfsgid(user->gid);
    setfsuid(user->uid);
    CHECK(setfsuid(static_cast<uid_t>(-1)) == static_cast<int>(user->uid));
  }
  ~AsUser() {
    if (!switched_) return;
    setfsuid(geteuid());
    setfsgid(getegid());
    CHECK(syscall(SYS_setgroups, groups_.size(), groups_.data()) == 0);
  }
  AsUser(const AsUser&) = delete;
  AsUser& operator=(const AsUser&) = delete;

 private:
  bool switched_ = false;
  std::vector<gid_t> groups_;
};

Status copy_content(int source, int target) {
  for (;;) {
    const ssize_t copied = sendfile(target, source, nullptr, size_t{1} << 30);
    if (copied < 0 && errno == EINTR) continue;
    if (copied < 0) return base::errno_error("copying", errno);
    if (copied == 0) return {};
  }
}

Result<base::Fd> open_regular(const std::string& path) {
  base::Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return base::errno_error("cannot open the file", errno);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return base::errno_error("cannot read the file", errno);
  if (!S_ISREG(info.st_mode)) return base::invalid("it is not a regular file");
  return file;
}

/// Waits for a helper started by this process; its exit status is that of the program.
Status run_unpacker(const Sandbox& sandbox, std::vector<std::string> arguments, const std::string& output) {
  launch::LaunchOrder order;
  order.arguments = std::move(arguments);
  order.environment = {{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
  order.directory = sandbox.path;
  order.user = sandbox.user;
  order.output = output;
  order.error_output = sandbox.path + "/stderr";
  order.status_file = sandbox.runtime + "/unpack_status";
  ASSIGN_OR_RETURN(const launch::Helper started, launch::start_helper(sandbox.helper, order));
  pollfd wait{started.pidfd.get(), POLLIN, 0};
  const auto milliseconds = std::chrono::duration_cast<base::milliseconds>(sandbox.timeout).count();
  const bool ended = poll(&wait, 1, static_cast<int>(milliseconds)) > 0;
  if (!ended) syscall(SYS_pidfd_send_signal, started.pidfd.get(), 64 /* kKillTreeSignal */, nullptr, 0);
  siginfo_t info{};
  waitid(P_PIDFD, static_cast<id_t>(started.pidfd.get()), &info, WEXITED);
  if (!ended) return Error{base::Code::Timeout, order.arguments[0] + " takes too long"};
  if (info.si_status != 0)
    return base::invalid("'" + order.arguments[0] + "' ended with status " + std::to_string(info.si_status) +
                         " (see stderr in the sandbox)");
  return {};
}

/// `archive` is relative to the sandbox.
Status unpack(const FetchPlan& plan, const Sandbox& sandbox, const std::string& archive) {
  const std::string file = "./" + archive;
  switch (plan.unpack) {
    case Unpack::Nothing: return {};
    case Unpack::Tar: return run_unpacker(sandbox, {"tar", "-xf", file}, "");
    case Unpack::Zip: return run_unpacker(sandbox, {"unzip", "-o", "-q", file}, "");
    case Unpack::Gzip: {
      const std::string target = plan.destination.substr(0, plan.destination.size() - 3);
      RETURN_IF_ERROR(create_below(sandbox, target));
      return run_unpacker(sandbox, {"gzip", "-d", "-c", file}, sandbox.path + "/" + target);
    }
  }
  return {};
}

/// A second name for the file in the sandbox, or a copy where the two are on different file systems.
Status lend(const std::string& file, const Sandbox& sandbox, const std::string& name) {
  base::Fd directory(open(sandbox.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::errno_error(sandbox.path, errno);
  if (unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return base::errno_error("cannot replace " + name, errno);
  if (linkat(AT_FDCWD, file.c_str(), directory.get(), name.c_str(), 0) == 0) return {};
  ASSIGN_OR_RETURN(const base::Fd source, open_regular(file));
  ASSIGN_OR_RETURN(const base::Fd target, create_below(sandbox, name));
  return copy_content(source.get(), target.get());
}

}  // namespace

Result<base::Fd> create_below(const Sandbox& sandbox, const std::string& relative) {
  base::Fd directory(open(sandbox.path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::errno_error(sandbox.path, errno);
  const auto& user = sandbox.user;
  const auto parts = base::tokenize(relative, '/');
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    const std::string part(parts[i]);
    if (mkdirat(directory.get(), part.c_str(), 0755) == 0) {
      if (user && fchownat(directory.get(), part.c_str(), user->uid, user->gid, AT_SYMLINK_NOFOLLOW) != 0)
        return base::errno_error("chown " + part, errno);
    } else if (errno != EEXIST) {
      return base::errno_error("mkdir " + part, errno);
    }
    base::Fd next(openat(directory.get(), part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next) return base::errno_error(part, errno);
    directory = std::move(next);
  }
  const std::string name(parts.empty() ? "" : parts.back());
  if (unlinkat(directory.get(), name.c_str(), 0) != 0 && errno != ENOENT)
    return base::errno_error("cannot replace " + name, errno);
  base::Fd file(openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!file) return base::errno_error("cannot create " + relative, errno);
  if (user && fchown(file.get(), user->uid, user->gid) != 0) return base::errno_error("chown " + name, errno);
  return file;
}

Status write_all(int fd, std::string_view data) {
  while (!data.empty()) {
    const ssize_t written = write(fd, data.data(), data.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return base::errno_error("writing", errno);
    data.remove_prefix(static_cast<size_t>(written));
  }
  return {};
}

Status copy_local(const FetchPlan& plan, const Sandbox& sandbox) {
  base::Fd source;
  {
    const AsUser rights(sandbox.user);
    ASSIGN_OR_RETURN(source, open_regular(plan.source));
  }
  ASSIGN_OR_RETURN(const base::Fd target, create_below(sandbox, plan.destination));
  return copy_content(source.get(), target.get());
}

Status check_digest(const std::string& file, const std::string& wanted) {
  if (wanted.empty()) return {};
  ASSIGN_OR_RETURN(const base::Fd source, open_regular(file));
  images::Digester digester(images::algorithm_of(wanted));
  std::string block(size_t{1} << 20, '\0');
  for (;;) {
    const ssize_t length = read(source.get(), block.data(), block.size());
    if (length < 0 && errno == EINTR) continue;
    if (length < 0) return base::errno_error("reading it again", errno);
    if (length == 0) break;
    digester.update(std::string_view(block).substr(0, static_cast<size_t>(length)));
  }
  return images::same_digest(wanted, digester.finish());
}

Status finish(const FetchPlan& plan, const Sandbox& sandbox) {
  const std::string path = sandbox.path + "/" + plan.destination;
  RETURN_IF_ERROR(check_digest(path, plan.digest));
  if (plan.executable) {
    const base::Fd file(open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
    if (!file || fchmod(file.get(), 0755) != 0) return base::errno_error("cannot make it executable", errno);
  }
  return unpack(plan, sandbox, plan.destination);
}

Status install_cached(const std::string& file, const FetchPlan& plan, const Sandbox& sandbox) {
  if (plan.unpack == Unpack::Nothing) {
    ASSIGN_OR_RETURN(const base::Fd source, open_regular(file));
    ASSIGN_OR_RETURN(const base::Fd target, create_below(sandbox, plan.destination));
    RETURN_IF_ERROR(copy_content(source.get(), target.get()));
    if (plan.executable && fchmod(target.get(), 0755) != 0)
      return base::errno_error("cannot make it executable", errno);
    return {};
  }
  const std::string name = ".fetched-" + plan.destination.substr(plan.destination.rfind('/') + 1);
  RETURN_IF_ERROR(lend(file, sandbox, name));
  const Status unpacked = unpack(plan, sandbox, name);
  unlink((sandbox.path + "/" + name).c_str());
  return unpacked;
}

}  // namespace containerizer::fetcher
