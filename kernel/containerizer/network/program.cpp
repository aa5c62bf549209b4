#include "kernel/containerizer/network/program.hpp"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/loop.hpp"

namespace containerizer::network {
namespace {

using base::Fd;

constexpr size_t kMaxOutput = 1 << 20;

struct Pipe {
  Fd read_end, write_end;
};

Result<Pipe> make_pipe() {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return base::errno_error("pipe", errno);
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

/// The input is small and is there at once: a memory file needs nobody who feeds a pipe.
Result<Fd> input_file(const std::string& text) {
  Fd file(memfd_create("cni-config", MFD_CLOEXEC));
  if (!file) return base::errno_error("memfd_create", errno);
  for (size_t done = 0; done < text.size();) {
    const ssize_t written = write(file.get(), text.data() + done, text.size() - done);
    if (written < 0) return base::errno_error("writing a plugin's configuration", errno);
    done += static_cast<size_t>(written);
  }
  lseek(file.get(), 0, SEEK_SET);
  return file;
}

Result<pid_t> start(const ProgramRun& run, int input, int output, int errors) {
  std::vector<std::string> variables;
  for (const auto& [name, value] : run.environment) variables.push_back(name + "=" + value);
  std::vector<char*> environment;
  for (auto& variable : variables) environment.push_back(variable.data());
  environment.push_back(nullptr);
  std::string path = run.path;
  char* arguments[] = {path.data(), nullptr};
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&actions);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_adddup2(&actions, input, 0);
  posix_spawn_file_actions_adddup2(&actions, output, 1);
  posix_spawn_file_actions_adddup2(&actions, errors, 2);
  if (run.held_fd >= 0) posix_spawn_file_actions_adddup2(&actions, run.held_fd, 3);
  posix_spawn_file_actions_addclosefrom_np(&actions, run.held_fd >= 0 ? 4 : 3);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setpgroup(&attributes, 0);  // so that what it starts can be ended with it
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  pid_t pid = 0;
  const int error = posix_spawn(&pid, run.path.c_str(), &actions, &attributes, arguments, environment.data());
  posix_spawn_file_actions_destroy(&actions);
  posix_spawnattr_destroy(&attributes);
  if (error != 0) return base::errno_error("cannot run " + run.path, error);
  return pid;
}

/// False at the end of the stream.
bool take(int fd, std::string& out) {
  char buffer[16384];
  const ssize_t length = read(fd, buffer, sizeof buffer);
  if (length < 0) return errno == EAGAIN || errno == EINTR;
  out.append(buffer, static_cast<size_t>(length));
  return length > 0;
}

/// What was written before the end.
void take_rest(int fd, std::string& out) {
  pollfd more{fd, POLLIN, 0};
  while (fd >= 0 && out.size() <= kMaxOutput && poll(&more, 1, 0) > 0 && take(fd, out)) {
  }
}

}  // namespace

Result<ProgramEnd> run_program(const ProgramRun& run) {
  ASSIGN_OR_RETURN(const Fd input, input_file(run.input));
  ASSIGN_OR_RETURN(Pipe output, make_pipe());
  ASSIGN_OR_RETURN(Pipe errors, make_pipe());
  ASSIGN_OR_RETURN(const pid_t pid, start(run, input.get(), output.write_end.get(), errors.write_end.get()));
  output.write_end.reset();
  errors.write_end.reset();
  for (const int fd : {output.read_end.get(), errors.read_end.get()}) fcntl(fd, F_SETFL, O_NONBLOCK);
  const Fd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));

  ProgramEnd end;
  std::optional<Error> failure;
  const base::Instant deadline = base::system_clock().now().instant + run.timeout;
  pollfd wait[] = {{process.get(), POLLIN, 0},
                   {output.read_end.get(), POLLIN, 0},
                   {errors.read_end.get(), POLLIN, 0},
                   {run.cancel_fd, POLLIN, 0}};
  while (!failure) {
    const auto left =
        std::chrono::duration_cast<base::milliseconds>(deadline - base::system_clock().now().instant).count();
    if (left <= 0) {
      failure = Error{base::Code::Timeout, "no answer within " + base::render_duration(run.timeout)};
      break;
    }
    if (poll(wait, 4, static_cast<int>(std::min<int64_t>(left + 1, 60'000))) < 0 && errno != EINTR) {
      failure = base::errno_error("poll", errno);
      break;
    }
    if (wait[1].revents != 0 && !take(wait[1].fd, end.output)) wait[1].fd = -1;
    if (wait[2].revents != 0 && !take(wait[2].fd, end.error_output)) wait[2].fd = -1;
    if (end.output.size() + end.error_output.size() > kMaxOutput)
      failure = Error{base::Code::TooLarge, "it prints more than 1 MiB"};
    if (wait[3].revents != 0) failure = Error{base::Code::Cancelled, "destroyed during the launch"};
    if (wait[0].revents != 0) break;
  }
  // What it left running would hold the pipes, and change the network behind our back.
  kill(-pid, SIGKILL);
  if (failure) kill(pid, SIGKILL);
  waitpid(pid, &end.status, 0);
  if (failure) return *failure;
  take_rest(wait[1].fd, end.output);
  take_rest(wait[2].fd, end.error_output);
  return end;
}

}  // namespace containerizer::network
