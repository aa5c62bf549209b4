#include "installer/supervisor.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <csignal>

#include "base/file.hpp"
#include "base/http/router.hpp"
#include "base/log.hpp"
#include "base/process.hpp"
#include "installer/machine.hpp"

namespace installer {

namespace {

constexpr off_t kLogBytesMax = off_t{32} << 20;
constexpr base::Duration kStopLimit = base::seconds(20);
constexpr base::Duration kQuickDeath = base::seconds(5);

std::string describe(int wait_status) {
  if (WIFSIGNALED(wait_status)) return fmt::format("signal {}", WTERMSIG(wait_status));
  return fmt::format("exit code {}", WEXITSTATUS(wait_status));
}

}  // namespace

Supervisor::Supervisor(base::Loop& loop, ClusterPlan plan) : loop_(loop), plan_(std::move(plan)) {
  for (const Daemon& daemon : plan_.daemons) children_[daemon.name].daemon = &daemon;
}

Supervisor::~Supervisor() = default;

base::Status Supervisor::start() {
  for (const char* directory : {"/log", "/run"}) {
    RETURN_IF_ERROR(base::make_directories(plan_.options.root + directory, 0755));
  }
  auto router = std::make_shared<base::http::Router>();
  router->add("GET", "/status", "Daemons with pid, uptime and restarts",
              [this](auto, auto responder) {
                responder.reply(base::http::Response::json(200, status_json()));
              });
  router->add("POST", "/stop", "Ends the cluster", [this](auto, auto responder) {
    responder.reply(base::http::Response::json(202, "{}"));
    stop();
  });
  server_ = std::make_unique<base::http::Server>(
      loop_, base::http::ServerOptions{},
      [router](base::http::Request request, base::http::Responder responder) {
        router->handle(std::move(request), std::move(responder));
      });
  RETURN_IF_ERROR(server_->listen_unix(plan_.socket()));
  for (const Daemon& daemon : plan_.daemons) launch(children_[daemon.name]);
  loop_.every(base::seconds(30), [this] { trim_logs(); });
  return {};
}

void Supervisor::launch(Child& child) {
  const Daemon& daemon = *child.daemon;
  const base::Fd log(
      open(plan_.log_file(daemon.name).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  base::SpawnOptions options;
  options.argv = daemon.argv;
  options.directory = plan_.options.root;
  options.stdout_fd = log.get();
  options.stderr_fd = log.get();
  options.die_with_parent = true;
  child.started = loop_.now().instant;
  auto pid =
      base::spawn(loop_, options, [this, &child](int wait_status) { on_exit(child, wait_status); });
  if (!pid) {
    LOG_ERROR("cannot start {}: {}", daemon.name, pid.error().message);
    loop_.after(base::seconds(1), [this, &child] {
      if (!stopping_) launch(child);
    });
    return;
  }
  child.pid = *pid;
  LOG_INFO("started {} as pid {}: {}", daemon.name, *pid, fmt::join(daemon.argv, " "));
}

void Supervisor::on_exit(Child& child, int wait_status) {
  const base::Duration lived = loop_.now().instant - child.started;
  LOG_WARNING("{} (pid {}) ended with {} after {:.1f} s", child.daemon->name, child.pid,
              describe(wait_status), std::chrono::duration<double>(lived).count());
  child.pid = 0;
  child.last_wait_status = wait_status;
  loop_.cancel(child.kill_timer);
  if (stopping_) {
    stop_next();
    return;
  }
  ++child.restarts;
  child.quick_deaths = lived < kQuickDeath ? child.quick_deaths + 1 : 0;
  // At once the first time; a daemon that keeps dying is tried about once a second.
  const auto delay = base::milliseconds(
      std::min(900u, child.quick_deaths <= 1 ? 0u : 100u << std::min(child.quick_deaths, 4u)));
  loop_.after(delay, [this, &child] {
    if (!stopping_) launch(child);
  });
}

void Supervisor::stop() {
  if (stopping_) return;
  stopping_ = true;
  LOG_INFO("stopping the cluster");
  stop_next();
}

void Supervisor::stop_next() {
  unsigned lowest = ~0u;
  for (const auto& [name, child] : children_) {
    if (child.pid != 0) lowest = std::min(lowest, child.daemon->stop_order);
  }
  if (lowest == ~0u) {
    unlink(plan_.socket().c_str());
    // A turn later, so that the answer to POST /stop is out.
    loop_.after(base::milliseconds(50), [this] { loop_.stop(0); });
    return;
  }
  for (auto& [name, child] : children_) {
    if (child.pid == 0 || child.daemon->stop_order != lowest || child.kill_timer != 0) continue;
    kill(child.pid, child.daemon->stop_signal);
    child.kill_timer = loop_.after(kStopLimit, [&child] {
      LOG_ERROR("{} (pid {}) did not end within 20 s of its stop signal: killing it",
                child.daemon->name, child.pid);
      kill(child.pid, SIGKILL);
    });
  }
}

void Supervisor::trim_logs() {
  for (const auto& [name, child] : children_) {
    const std::string path = plan_.log_file(name);
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || status.st_size <= kLogBytesMax) continue;
    // Writers append, so they go on at the start after the truncation; lines written between copy
    // and truncation are lost.
    if (auto content = base::read_file(path, uint64_t(kLogBytesMax) * 2))
      (void)base::write_file(path + ".1", *content);
    if (truncate(path.c_str(), 0) != 0) LOG_WARNING("cannot truncate {}", path);
  }
}

std::string Supervisor::status_json() const {
  boost::json::array daemons;
  for (const Daemon& daemon : plan_.daemons) {
    const Child& child = children_.at(daemon.name);
    const double uptime =
        child.pid == 0 ? 0
                       : std::chrono::duration<double>(loop_.now().instant - child.started).count();
    daemons.push_back({{"name", daemon.name},
                       {"pid", child.pid},
                       {"port", daemon.port},
                       {"uptime_seconds", uptime},
                       {"restarts", child.restarts},
                       {"last_exit", child.restarts == 0 ? "" : describe(child.last_wait_status)},
                       {"resident_kb", child.pid == 0 ? 0 : resident_kb(child.pid)}});
  }
  const boost::json::object status = {{"pid", getpid()},
                                      {"agents", plan_.options.agents},
                                      {"port_offset", plan_.options.port_offset},
                                      {"auth", plan_.options.auth ? "on" : "off"},
                                      {"resident_kb", resident_kb(getpid())},
                                      {"daemons", std::move(daemons)}};
  return boost::json::serialize(status);
}

}  // namespace installer
