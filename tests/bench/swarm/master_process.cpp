#include "tests/bench/swarm/master_process.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/check.hpp"
#include "base/http/client.hpp"
#include "base/random.hpp"
#include "base/strings.hpp"

namespace swarm {

namespace {

// Below the ports that the kernel gives to outgoing connections, as tests/harness/ports.py; the link's are higher by 1000.
constexpr uint16_t kFirstPort = 28'000, kPorts = 1'000, kLinkOffset = 1'000;
constexpr int kStartAttempts = 3'000;  // of 10 ms: a guard against hanging
constexpr int kPortAttempts = 5;

bool is_free(uint16_t port) {
  const base::Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  ::setsockopt(socket.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return ::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

std::string program() {
  char self[4096] = {};
  CHECK(::readlink("/proc/self/exe", self, sizeof(self) - 1) > 0);
  const std::string path(self);
  return path.substr(0, path.rfind('/')) + "/../bin/dcos-master";
}

}  // namespace

MasterProcess::MasterProcess(std::vector<std::string> flags) : flags_(std::move(flags)) {
  base::Random random = base::Random::from_os();
  for (int attempt = 0; attempt < kPortAttempts; ++attempt) {
    do {
      port_ = static_cast<uint16_t>(kFirstPort + random.below(kPorts));
    } while (!is_free(port_) || !is_free(port_ + kLinkOffset));
    start();
    if (wait_until_it_serves()) return;  // else another process has taken the port meanwhile
  }
  std::fprintf(stderr, "the master does not start: %s\n", base::read_file(directory_ / "log").value_or("no log").c_str());
  ::_exit(1);
}

MasterProcess::~MasterProcess() {
  if (pid_ > 0) stop(SIGKILL);
}

void MasterProcess::start() {
  std::vector<std::string> words{program(), "--ip=127.0.0.1", "--hostname=127.0.0.1", "--port=" + std::to_string(port_),
                                 "--work_dir=" + directory_.path(), "--logging_level=ERROR"};
  words.insert(words.end(), flags_.begin(), flags_.end());
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const std::string log = directory_ / "log";
  pid_ = ::fork();
  CHECK(pid_ >= 0);
  if (pid_ == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // a benchmark that is killed leaves no master
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    ::dup2(out, STDOUT_FILENO);
    ::dup2(out, STDERR_FILENO);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
}

bool MasterProcess::wait_until_it_serves() {
  for (int i = 0; i < kStartAttempts; ++i) {
    if (serves()) return true;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return false;
    }
    std::this_thread::sleep_for(base::milliseconds(10));
  }
  stop(SIGKILL);
  return false;
}

void MasterProcess::stop(int signal) {
  ::kill(pid_, signal);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

bool MasterProcess::serves() const {
  base::http::ClientRequest question;
  question.url = base::http::Url::parse("http://127.0.0.1:" + std::to_string(port_) + "/agent-link").value();
  question.timeout = base::seconds(5);
  const auto answer = base::http::fetch(question);
  return answer && answer->status == 200;
}

double MasterProcess::cpu_seconds() const {
  const std::string text = base::read_file("/proc/" + std::to_string(pid_) + "/stat").value_or("");
  const auto words = base::split(std::string_view(text).substr(text.rfind(')') + 2), ' ');
  CHECK(words.size() > 12);
  return (std::stod(std::string(words[11])) + std::stod(std::string(words[12]))) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double MasterProcess::resident_kib() const {
  const std::string text = base::read_file("/proc/" + std::to_string(pid_) + "/statm").value_or("");
  const auto words = base::split(text, ' ');
  CHECK(words.size() > 1);
  return std::stod(std::string(words[1])) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
}

size_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  const rlimit root{1 << 20, 1 << 20};
  if (::setrlimit(RLIMIT_NOFILE, &root) == 0) return root.rlim_cur;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

}  // namespace swarm
