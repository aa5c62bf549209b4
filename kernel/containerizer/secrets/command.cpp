// `--secret_command`: whatever keeps the secrets, asked by a program.

#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/loop.hpp"
#include "base/process.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/secrets/secrets.hpp"

namespace containerizer::secrets {
namespace {

constexpr base::Duration kLookEvery = base::milliseconds(20);  // at how much it has said

std::string how_it_ended(int status) {
  if (WIFEXITED(status)) return "ended with " + std::to_string(WEXITSTATUS(status));
  return "was ended by signal " + std::to_string(WTERMSIG(status));
}

uint64_t size_of(const base::Fd& file) {
  struct stat info;
  return fstat(file.get(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

class Command final : public Resolver {
 public:
  Command(std::string program, base::Duration limit) : program_(std::move(program)), limit_(limit) {}

  Result<std::string> find(const mesos::v1::Secret::Reference& reference) const override {
    ASSIGN_OR_RETURN(const std::string path, path_of(reference));
    const std::string what = "the secret '" + base::valid_utf8(path) + "'";
    if (path.find('\n') != std::string::npos) return base::invalid(what + " has a line break in its name");
    // Files in memory instead of pipes: neither side can block the other.
    const base::Fd question(memfd_create("question", MFD_CLOEXEC)), answer(memfd_create("answer", MFD_CLOEXEC));
    if (!question || !answer) return base::errno_error(what, errno);
    const std::string line = path + "\n";
    if (pwrite(question.get(), line.data(), line.size(), 0) != static_cast<ssize_t>(line.size())) return base::errno_error(what, errno);

    base::Loop loop;  // of this thread of the pool
    std::string problem;
    int status = 0;
    base::SpawnOptions options;
    options.argv = {program_};
    options.environment = std::map<std::string, std::string>{{"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}};
    options.directory = "/";
    options.stdin_fd = question.get();
    options.stdout_fd = answer.get();
    options.stderr_fd = STDERR_FILENO;
    options.die_with_parent = true;
    const auto child = base::spawn(loop, options, [&](int ended) {
      status = ended;
      loop.stop();
    });
    if (!child) return child.error().with_context("--secret_command=" + program_);
    const auto end = [&](const std::string& why) {
      if (problem.empty()) problem = why;
      kill(-*child, SIGKILL);
    };
    loop.after(limit_, [&] { end("said nothing in time"); });
    loop.every(kLookEvery, [&] {
      if (size_of(answer) > kMaxSecret) end("says more than 1 MiB");
    });
    loop.run();
    kill(-*child, SIGKILL);  // what it may have started
    if (problem.empty() && status != 0) problem = how_it_ended(status);
    const uint64_t size = size_of(answer);
    if (problem.empty() && size > kMaxSecret) problem = "says more than 1 MiB";
    if (!problem.empty()) return base::unavailable(what + ": the program of --secret_command " + problem);
    std::string out(size, '\0');
    if (pread(answer.get(), out.data(), size, 0) != static_cast<ssize_t>(size)) return base::errno_error(what, errno);
    return out;
  }

 private:
  std::string program_;
  base::Duration limit_;
};

}  // namespace

Result<std::shared_ptr<const Resolver>> open_command(const std::string& program, base::Duration limit) {
  if (!program.starts_with('/')) return base::invalid("--secret_command=" + program + " must be an absolute path");
  struct stat info;
  if (stat(program.c_str(), &info) != 0 || access(program.c_str(), X_OK) != 0)
    return base::errno_error("--secret_command=" + program, errno);
  if (!S_ISREG(info.st_mode)) return base::invalid("--secret_command=" + program + " is not a program");
  if ((info.st_uid != geteuid() && info.st_uid != 0) || (info.st_mode & 022) != 0)
    return base::forbidden("--secret_command=" + program +
                           " must belong to root or the agent's user, and nobody else may write it (chmod go-w)");
  return std::shared_ptr<const Resolver>(std::make_shared<Command>(program, limit));
}

}  // namespace containerizer::secrets
