#include "base/process.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <cerrno>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <utility>

#include "base/file.hpp"
#include "base/strings.hpp"

// The child runs on the parent's memory until exec: no sanitizer may put its bookkeeping into that code.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define DC_RAW __attribute__((no_sanitize("address", "thread", "undefined"), noinline))
#else
#define DC_RAW __attribute__((noinline))
#endif

namespace base {

namespace asio = boost::asio;

namespace {

/// Everything the child needs, prepared before it exists: between clone and exec nothing may allocate.
struct ChildPlan {
  const char* file = nullptr;
  char** argv = nullptr;
  char** environment = nullptr;
  const char* directory = nullptr;
  std::array<int, 3> standard{-1, -1, -1};
  const int* keep = nullptr;  // sorted
  size_t keep_count = 0;
  bool new_session = false;
  bool die_with_parent = false;
  pid_t parent = 0;
  sigset_t old_mask{};
  // The answer, written by the child into the memory it shares with the parent.
  int error = 0;
  const char* step = nullptr;
};

DC_RAW int close_between(unsigned first, unsigned last) {
  if (first > last) return 0;
  if (::syscall(SYS_close_range, first, last, 0) == 0) return 0;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  unsigned end = limit.rlim_cur > 65536 ? 65536U : static_cast<unsigned>(limit.rlim_cur);
  for (unsigned fd = first; fd <= last && fd < end; ++fd) ::close(static_cast<int>(fd));
  return 0;
}

DC_RAW int fail(ChildPlan& plan, const char* step) {
  plan.error = errno;
  plan.step = step;
  ::_exit(127);
}

DC_RAW int run_child(void* argument) {
  ChildPlan& plan = *static_cast<ChildPlan*>(argument);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    action.sa_handler = SIG_DFL;
    ::sigaction(signal, &action, nullptr);  // SIGKILL, SIGSTOP and libc's own refuse: fine
  }
  if (plan.new_session && ::setsid() < 0) return fail(plan, "setsid");
  if (plan.die_with_parent) {
    if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return fail(plan, "prctl");
    if (::getppid() != plan.parent) ::_exit(127);  // it died before we asked
  }
  // First out of the way of 0..2, then to their places: the sources may be permuted among 0..2.
  int source[3];
  for (int i = 0; i < 3; ++i) {
    int from = plan.standard[static_cast<size_t>(i)];
    if (from < 0) {
      int opened = ::open("/dev/null", O_RDWR | O_CLOEXEC);
      if (opened < 0) return fail(plan, "open /dev/null");
      source[i] = ::fcntl(opened, F_DUPFD_CLOEXEC, 3);
    } else {
      source[i] = ::fcntl(from, F_DUPFD_CLOEXEC, 3);
    }
    if (source[i] < 0) return fail(plan, "dup");
  }
  for (int i = 0; i < 3; ++i) {
    if (::dup2(source[i], i) < 0) return fail(plan, "dup2");
  }
  unsigned next = 3;
  for (size_t i = 0; i < plan.keep_count; ++i) {
    int kept = plan.keep[i];
    if (kept < 3) continue;
    if (static_cast<unsigned>(kept) > next) close_between(next, static_cast<unsigned>(kept) - 1);
    if (::fcntl(kept, F_SETFD, 0) != 0) return fail(plan, "keep descriptor");
    next = static_cast<unsigned>(kept) + 1;
  }
  close_between(next, ~0U);
  if (plan.directory && ::chdir(plan.directory) != 0) return fail(plan, "chdir");
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(plan.file, plan.argv, plan.environment);
  return fail(plan, "exec");
}

/// The program's path as execvp would find it.
Result<std::string> find_program(const std::string& name, char** environment) {
  if (name.find('/') != std::string::npos) return name;
  std::string_view path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
  for (char** entry = environment; entry && *entry; ++entry) {
    std::string_view text(*entry);
    if (text.starts_with("PATH=")) path = text.substr(5);
  }
  for (std::string_view directory : split(path, ':')) {
    std::string candidate = std::string(directory.empty() ? "." : directory) + "/" + name;
    if (::access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return not_found("no program '" + name + "' in PATH (" + std::string(path) + ")");
}

struct ExitWatch {
  explicit ExitWatch(asio::io_context& context) : descriptor(context) {}
  asio::posix::stream_descriptor descriptor;  // a pidfd
  bool cancelled = false;
};

/// Watches by id. They are owned by the wait that is under way, hence by the loop.
class Watches {
 public:
  uint64_t add(const std::shared_ptr<ExitWatch>& watch) {
    std::lock_guard lock(mutex_);
    watches_.emplace(++last_, watch);
    return last_;
  }
  std::shared_ptr<ExitWatch> take(uint64_t id) {
    std::lock_guard lock(mutex_);
    auto found = watches_.find(id);
    if (found == watches_.end()) return nullptr;
    auto watch = found->second.lock();
    watches_.erase(found);
    return watch;
  }

 private:
  std::mutex mutex_;
  uint64_t last_ = 0;
  std::unordered_map<uint64_t, std::weak_ptr<ExitWatch>> watches_;
};

Watches& watches() {
  static Watches all;
  return all;
}

uint64_t wait_for_exit(Loop& loop, int pidfd, std::function<void()> on_exit) {
  auto watch = std::make_shared<ExitWatch>(loop.context());
  watch->descriptor.assign(pidfd);
  uint64_t id = watches().add(watch);
  watch->descriptor.async_wait(
      asio::posix::stream_descriptor::wait_read,
      [watch, id, on_exit = std::move(on_exit)](const boost::system::error_code& error) {
        if (error || watch->cancelled) return;
        watches().take(id);
        watch->descriptor.close();
        on_exit();
      });
  return id;
}

pid_t clone_child(ChildPlan& plan, int& pidfd) {
  constexpr size_t kStackBytes = 64 << 10;
  auto stack = std::make_unique<char[]>(kStackBytes);
  auto top = reinterpret_cast<uintptr_t>(stack.get() + kStackBytes) & ~uintptr_t{63};
  // No handler of ours may run in the child while it shares our memory.
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &plan.old_mask);
  pid_t pid = ::clone(run_child, reinterpret_cast<void*>(top),
                      CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD, &plan, &pidfd);
  int error = errno;
  ::pthread_sigmask(SIG_SETMASK, &plan.old_mask, nullptr);
  errno = error;
  return pid;
}

}  // namespace

Result<pid_t> spawn(Loop& loop, const SpawnOptions& options,
                    std::function<void(int wait_status)> on_exit) {
  if (options.argv.empty()) return invalid("spawn: no program given");
  std::vector<std::string> argument_text = options.argv;
  std::vector<char*> arguments;
  for (auto& text : argument_text) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  std::vector<std::string> environment_text;
  std::vector<char*> environment;
  if (options.environment) {
    for (const auto& [name, value] : *options.environment) {
      environment_text.push_back(name + "=" + value);
    }
    for (auto& text : environment_text) environment.push_back(text.data());
    environment.push_back(nullptr);
  }
  ChildPlan plan;
  plan.environment = options.environment ? environment.data() : environ;
  ASSIGN_OR_RETURN(std::string file, find_program(options.argv[0], plan.environment));
  std::vector<int> keep = options.keep_fds;
  std::sort(keep.begin(), keep.end());
  keep.erase(std::unique(keep.begin(), keep.end()), keep.end());
  plan.file = file.c_str();
  plan.argv = arguments.data();
  plan.directory = options.directory.empty() ? nullptr : options.directory.c_str();
  plan.standard = {options.stdin_fd, options.stdout_fd, options.stderr_fd};
  plan.keep = keep.data();
  plan.keep_count = keep.size();
  plan.new_session = options.new_session;
  plan.die_with_parent = options.die_with_parent;
  plan.parent = ::getpid();

  int pidfd = -1;
  pid_t pid = clone_child(plan, pidfd);
  if (pid < 0) return errno_error("cannot start " + options.argv[0], errno);
  if (plan.error != 0) {
    ::close(pidfd);
    while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return errno_error("cannot start " + options.argv[0] + " (" + plan.step + ")", plan.error);
  }
  wait_for_exit(loop, pidfd, [pid, on_exit = std::move(on_exit)] {
    int status = 0;
    pid_t reaped = 0;
    do {
      reaped = ::waitpid(pid, &status, 0);
    } while (reaped < 0 && errno == EINTR);
    if (reaped < 0) status = W_EXITCODE(255, 0);  // someone else has reaped our child
    if (on_exit) on_exit(status);
  });
  return pid;
}

Result<uint64_t> watch_exit(Loop& loop, pid_t pid, std::function<void()> on_exit) {
  int pidfd = static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
  if (pidfd < 0) {
    if (errno == ESRCH) return not_found("no process " + std::to_string(pid));
    return errno_error("cannot watch process " + std::to_string(pid), errno);
  }
  ::fcntl(pidfd, F_SETFD, FD_CLOEXEC);
  return wait_for_exit(loop, pidfd, std::move(on_exit));
}

void unwatch_exit(uint64_t watch) {
  if (auto found = watches().take(watch)) {
    found->cancelled = true;
    boost::system::error_code ignored;
    found->descriptor.close(ignored);
  }
}

}  // namespace base
