#pragma once

// A real dcos-agent as a child process with directories, port and cgroup root of its own.

#include <sys/types.h>

#include <string>
#include <vector>

namespace agent::testing {

class AgentProcess {
 public:
  explicit AgentProcess(std::string master, std::vector<std::string> extra_flags = {});

  /// Ends the agent and its tasks and removes its directories.
  ~AgentProcess();

  void start();
  void kill_hard();             // SIGKILL; tasks go on
  int stop(int signal);         // returns the wait status
  bool running() const { return pid_ > 0; }

  const std::string& work_dir() const { return work_dir_; }
  const std::string& cgroups_root() const { return cgroups_root_; }
  pid_t pid() const { return pid_; }
  uint16_t port() const { return port_; }

  /// "200 body" of a GET; "0 reason" when there is no answer.
  std::string get(const std::string& target) const;
  std::string post(const std::string& target, const std::string& body) const;

  /// "0 text" of `dcos-agent audit`: its exit code and what it prints.
  std::string audit() const;

  /// Names of what containers of this agent left: cgroups, processes, mounts. Empty when nothing is left.
  std::vector<std::string> leftovers() const;

 private:
  std::string master_, work_dir_, cgroups_root_;
  std::vector<std::string> extra_flags_;
  uint16_t port_ = 0;
  pid_t pid_ = -1;
};

/// <build>/bin of the running test.
std::string binary_directory();

}  // namespace agent::testing
