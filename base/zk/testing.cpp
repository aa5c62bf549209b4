#include "base/zk/testing.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "base/file.hpp"

namespace base::zk::testing {

namespace {

constexpr char kJar[] = "/usr/share/java/zookeeper.jar";
constexpr int kStartAttempts = 600;  // of 50 ms: a guard against hanging

sockaddr_in loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port);
  return address;
}

uint16_t free_port() {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof(address);
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size);
  return ntohs(address.sin_port);
}

/// The server's own question: "ruok" is answered by "imok".
bool answers(uint16_t port) {
  const Fd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return false;
  if (::write(socket.get(), "ruok", 4) != 4) return false;
  pollfd wait{socket.get(), POLLIN, 0};
  char answer[4] = {};
  return ::poll(&wait, 1, 1000) == 1 && ::read(socket.get(), answer, 4) == 4 && std::string(answer, 4) == "imok";
}

pid_t spawn_server(const std::string& directory) {
  const std::string config = directory + "/zoo.cfg", output = directory + "/server.log";
  const std::string classpath = directory + ":" + kJar;
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  const int log = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  ::execlp("java", "java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto",
           "-Dzookeeper.admin.enableServer=false", "-Dzookeeper.jmx.log4j.disable=true", "-cp", classpath.c_str(),
           "org.apache.zookeeper.server.ZooKeeperServerMain", config.c_str(), nullptr);
  ::_exit(127);
}

}  // namespace

bool TestServer::available() {
  return ::access(kJar, R_OK) == 0 && (::access("/usr/bin/java", X_OK) == 0 || ::access("/usr/local/bin/java", X_OK) == 0);
}

Result<std::unique_ptr<TestServer>> TestServer::start(Duration tick) {
  auto server = std::unique_ptr<TestServer>(new TestServer());
  server->port_ = free_port();
  const std::string data = server->directory_ / "data";
  RETURN_IF_ERROR(make_directories(data));
  const auto tick_ms = std::chrono::duration_cast<milliseconds>(tick).count();
  RETURN_IF_ERROR(write_file(server->directory_ / "zoo.cfg",
                             "tickTime=" + std::to_string(tick_ms) + "\ndataDir=" + data + "\nclientPort=" +
                                 std::to_string(server->port_) +
                                 "\nclientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n"
                                 "4lw.commands.whitelist=ruok\n"));
  RETURN_IF_ERROR(write_file(server->directory_ / "log4j.properties",
                             "log4j.rootLogger=WARN, CONSOLE\nlog4j.appender.CONSOLE=org.apache.log4j.ConsoleAppender\n"
                             "log4j.appender.CONSOLE.layout=org.apache.log4j.SimpleLayout\n"));
  RETURN_IF_ERROR(server->restart());
  return server;
}

TestServer::~TestServer() { kill(); }

void TestServer::pause() { ::kill(pid_, SIGSTOP); }
void TestServer::resume() { ::kill(pid_, SIGCONT); }

void TestServer::kill() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

Status TestServer::restart() {
  pid_ = spawn_server(directory_.path());
  if (pid_ < 0) return errno_error("cannot start ZooKeeper", errno);
  for (int i = 0; i < kStartAttempts; ++i) {
    if (answers(port_)) return {};
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return unavailable("ZooKeeper ended at once: " + read_file(directory_ / "server.log").value_or("no log"));
    }
    std::this_thread::sleep_for(milliseconds(50));
  }
  return unavailable("ZooKeeper does not answer: " + read_file(directory_ / "server.log").value_or("no log"));
}

uint64_t FakeTime::after(Duration delay, std::function<void()> call) {
  const uint64_t timer = next_++;
  queue_[{now_ + delay, timer}] = std::move(call);
  return timer;
}

void FakeTime::cancel(uint64_t timer) {
  for (auto at = queue_.begin(); at != queue_.end(); ++at) {
    if (at->first.second != timer) continue;
    queue_.erase(at);
    return;
  }
}

bool FakeTime::step() {
  if (queue_.empty()) return false;
  const auto first = queue_.begin();
  now_ = std::max(now_, first->first.first);
  const auto call = std::move(first->second);
  queue_.erase(first);
  call();
  return true;
}

void FakeTime::run_for(Duration duration) {
  const Instant end = now_ + duration;
  while (!queue_.empty() && queue_.begin()->first.first <= end) step();
  now_ = end;
}

FakeZooKeeper::Place FakeTime::place() {
  return {[this] { return now_; }, [this](Duration delay, std::function<void()> call) { return after(delay, std::move(call)); },
          [this](uint64_t timer) { cancel(timer); }};
}

}  // namespace base::zk::testing
