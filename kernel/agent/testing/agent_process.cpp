#include "kernel/agent/testing/agent_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/strings.hpp"

namespace agent::testing {
namespace {

// Of version 1; the last is where version 2 has all of them.
constexpr const char* kHierarchies[] = {"freezer", "memory", "cpu", "cpuacct", "pids", "."};

uint16_t free_port() {
  const base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length);
  getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length);
  return ntohs(address.sin_port);
}

std::string exchange(const std::string& method, uint16_t port, const std::string& target, const std::string& body) {
  base::http::ClientRequest request;
  request.method = method;
  request.url.host = "127.0.0.1";
  request.url.port = port;
  request.url.target = target;
  request.body = body;
  if (!body.empty()) request.headers.set("Content-Type", "application/json");
  const auto response = base::http::fetch(std::move(request));
  return response ? std::to_string(response->status) + " " + response->body : "0 " + response.error().message;
}

}  // namespace

std::string binary_directory() {
  char path[4096];
  const ssize_t length = readlink("/proc/self/exe", path, sizeof path);
  std::string text(path, length > 0 ? static_cast<size_t>(length) : 0);
  text.resize(text.rfind('/'));
  return text.substr(0, text.rfind('/')) + "/bin";
}

AgentProcess::AgentProcess(std::string master, std::vector<std::string> extra_flags)
    : master_(std::move(master)), extra_flags_(std::move(extra_flags)), port_(free_port()) {
  char name[] = "/tmp/dcos-agent-test-XXXXXX";
  work_dir_ = mkdtemp(name);
  chmod(work_dir_.c_str(), 0755);
  cgroups_root_ = "dcos-test-" + work_dir_.substr(work_dir_.rfind('-') + 1);
}

AgentProcess::~AgentProcess() {
  if (pid_ > 0) stop(SIGUSR1);
  for (const char* controller : kHierarchies)
    rmdir(("/sys/fs/cgroup/" + std::string(controller) + "/" + cgroups_root_).c_str());
  unlink(("/run/dcos-agent-cgroups-" + cgroups_root_ + ".lock").c_str());
  (void)base::remove_tree(work_dir_);
}

void AgentProcess::start() {
  std::vector<std::string> words = {binary_directory() + "/dcos-agent",
                                    "--master=" + master_,
                                    "--work_dir=" + work_dir_,
                                    "--ip=127.0.0.1",
                                    "--port=" + std::to_string(port_),
                                    "--hostname=localhost",
                                    "--cgroups_root=" + cgroups_root_,
                                    "--registration_backoff_factor=10ms",
                                    "--resources=cpus:4;mem:4096;disk:1000;ports:[31000-32000]"};
  words.insert(words.end(), extra_flags_.begin(), extra_flags_.end());
  pid_ = fork();
  if (pid_ > 0) return;
  const int log = open((work_dir_ + "/agent.log").c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execv(arguments[0], arguments.data());
  _exit(127);
}

void AgentProcess::kill_hard() { stop(SIGKILL); }

int AgentProcess::stop(int signal) {
  if (pid_ <= 0) return 0;
  kill(pid_, signal);
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return status;
}

std::string AgentProcess::get(const std::string& target) const { return exchange("GET", port_, target, ""); }
std::string AgentProcess::post(const std::string& target, const std::string& body) const {
  return exchange("POST", port_, target, body);
}

std::string AgentProcess::audit() const {
  std::string text;
  FILE* pipe = popen((binary_directory() + "/dcos-agent audit --patience=500ms --work_dir=" + work_dir_ + " 2>&1").c_str(), "re");
  if (pipe == nullptr) return "cannot run it";
  char piece[4096];
  for (size_t length = 0; (length = fread(piece, 1, sizeof piece, pipe)) > 0;) text.append(piece, length);
  const int status = pclose(pipe);
  return std::to_string(WIFEXITED(status) ? WEXITSTATUS(status) : -1) + " " + text;
}

std::vector<std::string> AgentProcess::leftovers() const {
  std::vector<std::string> left;
  for (const char* controller : kHierarchies) {
    const std::string root = "/sys/fs/cgroup/" + std::string(controller) + "/" + cgroups_root_;
    if (const auto names = base::list_directory(root))
      for (const auto& name : *names)
        if (base::exists(root + "/" + name + "/cgroup.procs")) left.push_back(root + "/" + name);
  }
  if (const auto names = base::list_directory(work_dir_ + "/run/containers"))
    for (const auto& name : *names) left.push_back("record " + name);
  if (const auto mounts = base::read_file("/proc/self/mounts"))
    for (const auto line : base::tokenize(*mounts, '\n'))
      if (line.find(work_dir_) != std::string_view::npos) left.emplace_back(line);
  if (const auto pids = base::list_directory("/proc")) {
    for (const auto& pid : *pids) {
      char directory[4096];
      const ssize_t length = readlink(("/proc/" + pid + "/cwd").c_str(), directory, sizeof directory);
      if (length > 0 && std::string_view(directory, static_cast<size_t>(length)).starts_with(work_dir_))
        left.push_back("process " + pid);
    }
  }
  return left;
}

}  // namespace agent::testing
