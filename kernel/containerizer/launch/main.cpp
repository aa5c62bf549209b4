// dcos-launch: the first process of a container and the parent of its task. It sets the container up as its order sheet
// says, starts the task's process, hands signals on, buries every orphan, writes the task's raw wait status to a file
// and exits. It lives as long as the task and depends on nothing of the agent's: the agent may be killed and replaced.
//
// Linked statically against libc alone (no iostream, no exceptions, one thread) because one of it runs per task.

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/containerizer/launch/board.hpp"
#include "kernel/containerizer/launch/logs.hpp"
#include "kernel/containerizer/launch/order.hpp"
#include "kernel/containerizer/launch/steps.hpp"
#include "kernel/containerizer/launch/tree.hpp"

namespace containerizer::launch {
namespace {

constexpr int kExitSetupFailed = 125;

bool* task_failed = nullptr;  // shared with the task's process, where there is a board: it never became its program

[[noreturn]] void fail(const char* step, const char* detail, int error) {
  char text[4096];
  const size_t length = describe_failure(text, sizeof text, step, detail, error);
  ignore(write(kSyncFd, text, length));
  if (task_failed != nullptr) *task_failed = true;
  ignore(write(STDERR_FILENO, text, length));
  ignore(write(STDERR_FILENO, "\n", 1));
  _exit(kExitSetupFailed);
}

void require(const Failure& failure) {
  if (failure.step != nullptr) fail(failure.step, failure.detail, failure.error);
}

/// The task's side of the fork. Everything that needs privileges has happened or happens before the user is switched.
[[noreturn]] void become_task(const Order& order, const Logs& logs, const Board* board) {
  sigset_t none;
  sigemptyset(&none);
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (setsid() < 0) fail("cannot start a session", "", errno);
  set_oom_score(order.oom_score == nullptr ? "0" : order.oom_score);
  require(board == nullptr ? enter_logs(logs) : take_ends(*board));
  require(set_limits(order));
  require(enter_ids(order));
  require(take_identity(order));
  if (order.directory != nullptr && chdir(order.directory) != 0) {
    const bool closed = order.first_id != 0 && errno == EACCES;
    fail(closed ? "namespaces/user: a container's user is one of the others here, and the way to its directory is closed to them:"
                : "cannot enter the working directory", order.directory, errno);
  }
  require(execute(order));
  _exit(kExitSetupFailed);
}

/// Waits for signals and children until the task's process has ended; returns its raw wait status.
int attend(const Order& order, const Tree& tree, pid_t task, Logs& logs, Board* board) {
  sigset_t all;
  sigfillset(&all);
  for (;;) {
    int status = 0;
    for (pid_t gone = waitpid(-1, &status, WNOHANG); gone > 0; gone = waitpid(-1, &status, WNOHANG))
      if (gone == task) return status;
    const int number = board != nullptr ? step(*board) : wait_for_signal(logs, all);
    if (number <= 0 || number == SIGCHLD) continue;
    // Signals raised by the terminal driver or by ourselves would come back; only those sent to us are handed on.
    if (number == kKillTreeSignal)
      signal_tree(tree, SIGKILL);
    else if (number == SIGTERM && !order.term_first_only)
      signal_tree(tree, number);
    else
      kill(task, number);
  }
}

int run() {
  Order order;
  if (const char* problem = read_order(kSpecFd, order)) fail("the order sheet is unusable", problem, 0);
  close(kSpecFd);
  syscall(SYS_close_range, kSyncFd + 1, ~0U, 0);
  fcntl(kSyncFd, F_SETFD, FD_CLOEXEC);
  prctl(PR_SET_NAME, "dcos-launch", 0, 0, 0);
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  signal(SIGCHLD, SIG_DFL);
  setsid();
  // Orphans of the task come to us even without a pid namespace, so that none escapes.
  prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  umask(022);
  set_oom_score("-1000");

  require(have_ids(order));
  require(open_output(order));
  Logs logs;
  require(begin_logs(order, logs));
  require(write_pid_file(order));  // before the namespaces hide the host's /proc
  require(enter_cgroups(order));
  int status_directory = -1;
  require(open_status_directory(order, &status_directory));
  static Board board_of_some;
  Board* board = order.terminal != nullptr || order.session ? &board_of_some : nullptr;
  if (board != nullptr) require(open_board(order, status_directory, *board));
  Tree tree{order.private_pids, -1};
  if (!tree.private_pids) tree.proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  require(borrow_mounts(order));
  require(join_namespaces(order));
  require(enter_network(order));
  require(open_network_to_all(order));
  require(write_sysctls(order));
  const int owned = order.owned == nullptr ? -1 : open(order.owned, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  require(make_as_container_root(order, true));
  require(order.root == nullptr ? set_up_mounts(order) : set_up_root(order));
  require(make_as_container_root(order, false));
  // This process keeps a directory of the machine's open: /proc/1/fd is not for those whom it starts.
  if (order.root != nullptr) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  require(resolve_user(order));
  require(check_ids(order));
  require(give_to_user(order, owned));
  require(reopen_output(order));
  require(give_secrets(order));
  if (owned >= 0) close(owned);

  own_logs(order, logs);
  if (board != nullptr) require(make_ends(order, *board));
  if (board != nullptr) {
    void* page = mmap(nullptr, sizeof *task_failed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) fail("cannot share memory", "", errno);
    task_failed = static_cast<bool*>(page);
  }
  const pid_t task = fork();
  if (task < 0) fail("cannot fork", "", errno);
  if (task == 0) become_task(order, logs, board);
  if (board != nullptr) keep_ends(*board);
  leave_writers(logs);
  close(kSyncFd);
  close(STDOUT_FILENO);
  release_order(order);

  const int status = attend(order, tree, task, logs, board);
  // The status is written first: should the helper be killed while it ends the rest, the truth is already on disk.
  write_status(order, status_directory, status);
  end_tree(tree);
  if (board != nullptr && !*task_failed) finish(*board);
  drain_logs(logs);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace
}  // namespace containerizer::launch

int main() { return containerizer::launch::run(); }
