#include "installer/dev.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <optional>
#include <thread>

#include "base/file.hpp"
#include "base/http/client.hpp"
#include "base/log.hpp"
#include "base/spdlog_sink.hpp"
#include "base/strings.hpp"
#include "installer/machine.hpp"
#include "installer/owner.hpp"
#include "installer/steps.hpp"
#include "installer/supervisor.hpp"

namespace installer {

namespace {

namespace json = boost::json;

constexpr char kFirstApp[] =
    R"({"id":"Hello","cmd":"python3 -m http.server $PORT","cpus":0.1,"mem":64,"instances":1,"uris":[]})";

base::Result<base::http::Response> call(const std::string& method, const std::string& url,
                                        std::string body = {},
                                        base::Duration timeout = base::seconds(5)) {
  base::http::ClientRequest request;
  request.method = method;
  ASSIGN_OR_RETURN(request.url, base::http::Url::parse(url));
  if (!body.empty()) request.headers.add("Content-Type", "application/json");
  request.body = std::move(body);
  request.timeout = timeout;
  return base::http::fetch(std::move(request));
}

base::Result<json::value> call_json(const std::string& method, const std::string& url,
                                    std::string body = {}) {
  ASSIGN_OR_RETURN(auto response, call(method, url, std::move(body)));
  if (response.status >= 300)
    return base::unavailable(
        fmt::format("{} {}: {} {}", method, url, response.status, response.body));
  boost::system::error_code error;
  json::value value = json::parse(response.body, error);
  if (error) return base::Error{base::Code::BadGateway, url + " answered no JSON"};
  return value;
}

base::Result<json::value> supervisor_status(const ClusterPlan& plan) {
  return call_json("GET", "unix:" + plan.socket() + ":/status");
}

/// Asks `probe` until it is good, at most `limit`; shows what it waits for.
Finding wait_for(Steps& steps, const std::string& step, base::Duration limit,
                 const std::function<Finding()>& probe) {
  const base::Duration end = steps.elapsed() + limit;
  while (true) {
    Finding finding = probe();
    if (finding.ok || steps.elapsed() > end) return finding;
    steps.progress(step, finding.seen);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

Finding probe_health(const ClusterPlan& plan, const Daemon& daemon) {
  const std::string url =
      fmt::format("http://{}:{}{}", plan.options.ip, daemon.port, daemon.health_path);
  const auto response = call("GET", url);
  if (response && response->status == 200) return {true, "200"};
  return {
      false,
      response ? fmt::format("{} {}", response->status, response->body) : response.error().message,
      fmt::format("installer/dev logs {}", daemon.name)};
}

/// The last lines of a daemon's log: the reason is most often there.
std::string log_tail(const ClusterPlan& plan, const std::string& name) {
  const auto content = base::read_file(plan.log_file(name));
  if (!content) return {};
  const auto lines = base::tokenize(*content, '\n');
  std::string out;
  for (size_t i = lines.size() > 5 ? lines.size() - 5 : 0; i < lines.size(); ++i)
    out += fmt::format("{:>20} {}\n", "log:", lines[i]);
  return out;
}

base::Status start_supervisor(const ClusterPlan& plan) {
  const std::string log_path = plan.log_file("supervisor");
  for (const char* directory : {"/log", "/run"})
    RETURN_IF_ERROR(base::make_directories(plan.options.root + directory));
  const pid_t child = fork();
  if (child < 0) return base::errno_error("fork", errno);
  if (child == 0) {
    setsid();
    if (fork() > 0) _exit(0);  // the grandchild has no terminal to lose
    const int log = open(log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    const int null = open("/dev/null", O_RDWR);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    close_range(3, ~0u, 0);
    const std::string self = plan.options.bin_dir + "/dcos-dev";
    const std::string root = "--root=" + plan.options.root,
                      agents = fmt::format("--agents={}", plan.options.agents),
                      offset = fmt::format("--port-offset={}", plan.options.port_offset),
                      auth = plan.options.auth ? "--auth=on" : "--auth=off",
                      l4lb = plan.options.l4lb ? "--l4lb=on" : "--l4lb=off",
                      networks = plan.options.networks ? "--networks=on" : "--networks=off",
                      metronome = plan.options.metronome ? "--metronome=on" : "--metronome=off";
    execl(self.c_str(), "dcos-dev", "supervise", root.c_str(), agents.c_str(), offset.c_str(),
          auth.c_str(), l4lb.c_str(), networks.c_str(), metronome.c_str(), nullptr);
    _exit(127);
  }
  waitpid(child, nullptr, 0);
  return {};
}

/// The first user's password is shown here and nowhere else, before anything can fail after it.
bool prepare_owner(const ClusterPlan& plan, Steps& steps) {
  const auto password = first_password(plan);
  if (!password)
    return steps.finish("login", plan.owner_password_file(), {false, password.error().message, ""});
  return steps.finish("login", "users of the gateway",
                      {true, *password ? "user admin, password " + **password + " (shown only now)"
                                       : "as before (forgotten? installer/dev password)"});
}

/// The key is made once and survives `down`.
bool prepare_key(const ClusterPlan& plan, Steps& steps) {
  const auto made = make_cluster_key(plan);
  return steps.finish("key", plan.cluster_key_file(),
                      made ? Finding{true, "mode 0600"} : Finding{false, made.error().message, ""});
}

/// What containers with a network of their own need. A machine that lacks it runs everything else.
bool prepare_networks(const ClusterPlan& plan, Steps& steps) {
  (void)steps.finish("networks", "make a bridge in a namespace", probe_networks());
  const std::string file = plan.networks_directory() + "/mesos-bridge.conf";
  auto written = base::make_directories(plan.networks_directory());
  if (written) written = base::write_file(file, plan.bridge_network());
  return steps.finish("networks", file,
                      written ? Finding{true, plan.bridge() + ", " + plan.bridge_subnet()}
                              : Finding{false, written.error().message, ""});
}

/// The machine is fit and the cluster runs or was started.
bool raise(const ClusterPlan& plan, Steps& steps) {
  if (const auto running = supervisor_status(plan)) {
    const auto& status = running->as_object();
    const bool same = status.at("agents").to_number<unsigned>() == plan.options.agents &&
                      status.at("port_offset").to_number<unsigned>() == plan.options.port_offset &&
                      (status.at("auth").as_string() == "on") == plan.options.auth;
    return steps.finish(
        "supervisor", plan.socket(),
        same ? Finding{true, fmt::format("running, pid {}", status.at("pid").to_number<int>())}
             : Finding{false,
                       fmt::format(
                           "a cluster with --agents {} --port-offset {} --auth {} runs below {}",
                           status.at("agents").to_number<unsigned>(),
                           status.at("port_offset").to_number<unsigned>(),
                           std::string(status.at("auth").as_string()), plan.options.root),
                       "installer/dev down --root " + plan.options.root});
  }
  if (!steps.finish("user", "uid", probe_root_user()) ||
      !steps.finish("memory", "/proc/meminfo", probe_memory()) ||
      !steps.finish("kernel", "/sys/fs/cgroup, /proc/self/ns", probe_kernel()) ||
      !steps.finish("directory", "write a file", probe_directory(plan.options.root)) ||
      !steps.finish("ports", "bind on " + plan.options.ip,
                    probe_ports(plan.options.ip, plan.ports()))) {
    return false;
  }
  if (plan.options.networks && !prepare_networks(plan, steps)) return false;
  if (plan.options.l4lb && !prepare_key(plan, steps)) return false;
  if (plan.options.auth && !prepare_owner(plan, steps)) return false;
  if (auto started = start_supervisor(plan); !started) {
    return steps.finish("supervisor", "start",
                        {false, started.error().message, "installer/dev logs supervisor"});
  }
  return steps.finish("supervisor", plan.socket(),
                      wait_for(steps, "supervisor", base::seconds(10), [&]() -> Finding {
                        const auto status = supervisor_status(plan);
                        if (!status)
                          return {false, status.error().message, "installer/dev logs supervisor"};
                        return {true, fmt::format("running, pid {}",
                                                  status->as_object().at("pid").to_number<int>())};
                      }));
}

Finding probe_agents(const ClusterPlan& plan) {
  const auto metrics = call_json("GET", fmt::format("http://{}:{}/metrics/snapshot",
                                                    plan.options.ip, plan.find("master")->port));
  if (!metrics) return {false, metrics.error().message, "installer/dev logs master"};
  const auto* active = metrics->as_object().if_contains("master/slaves_active");
  const unsigned count = active ? static_cast<unsigned>(active->to_number<double>()) : 0;
  return {count >= plan.options.agents,
          fmt::format("{} of {} registered", count, plan.options.agents),
          "installer/dev logs agent-1"};
}

Finding probe_framework(const ClusterPlan& plan) {
  const auto summary = call_json(
      "GET", fmt::format("http://{}:{}/state-summary", plan.options.ip, plan.find("master")->port));
  if (!summary) return {false, summary.error().message, "installer/dev logs master"};
  for (const auto& framework : summary->as_object().at("frameworks").as_array()) {
    const auto& fields = framework.as_object();
    if (fields.at("name").as_string() == "marathon" && fields.at("active").as_bool())
      return {true, "marathon subscribed"};
  }
  return {false, "marathon has not subscribed", "installer/dev logs marathon"};
}

/// Where this program reaches Marathon: through the gateway, or beside it when that wants a token.
std::string marathon_url(const ClusterPlan& plan) {
  return plan.options.auth
             ? fmt::format("http://{}:{}", plan.options.ip, plan.find("marathon")->port)
             : plan.gateway_url + "/service/marathon";
}

/// Without a token the gateway lets nobody through; without login everybody.
Finding probe_login(const ClusterPlan& plan) {
  const int wanted = plan.options.auth ? 401 : 200;
  const auto answer = call("GET", plan.gateway_url + "/service/marathon/v2/info");
  if (!answer) return {false, answer.error().message, "installer/dev logs gateway"};
  const bool unread = plan.options.auth && base::exists(plan.owner_password_file());
  return {answer->status == wanted && !unread,
          unread ? "the first user is not there yet"
                 : fmt::format("{}{}", answer->status, plan.options.auth ? " without a token" : ""),
          "installer/dev logs gateway"};
}

/// GET /v2/apps/hello: running, and its own port answers.
Finding probe_first_app(const ClusterPlan& plan) {
  const auto app = call_json("GET", marathon_url(plan) + "/v2/apps/hello?embed=app.tasks");
  if (!app) return {false, app.error().message, "curl " + marathon_url(plan) + "/v2/apps/hello"};
  const auto& fields = app->as_object().at("app").as_object();
  const auto* tasks = fields.if_contains("tasks");
  if (tasks == nullptr || tasks->as_array().empty())
    return {false, "no task yet", "curl " + marathon_url(plan) + "/v2/queue"};
  const auto& task = tasks->as_array().front().as_object();
  const auto* state = task.if_contains("state");
  if (state == nullptr || state->as_string() != "TASK_RUNNING") {
    return {false, "its task is " + (state ? std::string(state->as_string()) : "unknown"),
            "dcos task log hello"};
  }
  const std::string url = fmt::format("http://{}:{}/", std::string(task.at("host").as_string()),
                                      task.at("ports").as_array().at(0).to_number<int>());
  const auto page = call("GET", url);
  if (!page || page->status != 200)
    return {false, url + ": " + (page ? std::to_string(page->status) : page.error().message),
            "dcos task log hello"};
  return {true, "running, " + url + " answers 200"};
}

/// Table and routes of this cluster's load balancer.
Finding remove_rules(const ClusterPlan& plan, const std::string& program) {
  const std::string table = "--table=" + plan.l4lb_table();
  const pid_t child = fork();
  if (child < 0) return {false, "cannot fork", ""};
  if (child == 0) {
    execl(program.c_str(), "dcos-l4lb", "--cleanup", table.c_str(), nullptr);
    _exit(127);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return {status == 0, status == 0 ? "none left" : "could not be removed", program + " --cleanup " + table};
}

bool run_first_app(const ClusterPlan& plan, Steps& steps) {
  const std::string apps = marathon_url(plan) + "/v2/apps";
  Finding posted{true, "exists"};
  if (const auto found = call("GET", apps + "/hello"); !found || found->status == 404) {
    const auto created = call("POST", apps, kFirstApp);
    posted = created && created->status == 201
                 ? Finding{true, "201"}
                 : Finding{false,
                           created ? fmt::format("{} {}", created->status, created->body)
                                   : created.error().message,
                           "installer/dev logs marathon"};
  }
  return steps.finish("first app", "POST /v2/apps hello.json", posted) &&
         steps.finish("first app", "task running, its port answers",
                      wait_for(steps, "first app", base::seconds(20),
                               [&] { return probe_first_app(plan); }));
}

}  // namespace

int dev_up(const ClusterPlan& plan) {
  Steps steps;
  if (!raise(plan, steps)) return 1;
  for (const Daemon& daemon : plan.daemons) {
    const auto finding =
        wait_for(steps, daemon.name, base::seconds(15), [&] { return probe_health(plan, daemon); });
    if (!steps.finish(daemon.name,
                      fmt::format("GET {}:{}{}", plan.options.ip, daemon.port, daemon.health_path),
                      finding)) {
      fmt::print("{}", log_tail(plan, daemon.name));
      return 1;
    }
  }
  if (!steps.finish(
          "agents", "metrics: master/slaves_active",
          wait_for(steps, "agents", base::seconds(15), [&] { return probe_agents(plan); })) ||
      !steps.finish(
          "scheduler", "GET /state-summary",
          wait_for(steps, "scheduler", base::seconds(15), [&] { return probe_framework(plan); })) ||
      !steps.finish(
          "login", "GET /service/marathon/v2/info by the gateway",
          wait_for(steps, "login", base::seconds(15), [&] { return probe_login(plan); }))) {
    return 1;
  }
  const double ready = std::chrono::duration<double>(steps.elapsed()).count();
  if (!run_first_app(plan, steps)) return 1;
  const std::string dcos = plan.options.bin_dir + "/dcos";
  fmt::print(
      "\nThe cluster is up: {} ({:.1f} s to all daemons healthy). Try:\n\n  {} cluster setup "
      "{}{}\n  "
      "{} marathon app list\n  {} task log hello\n\nNames: dig @{} hello.marathon.mesos\n\n",
      plan.gateway_url, ready, dcos, plan.gateway_url, plan.options.auth ? " --username=admin" : "",
      dcos, dcos, plan.dns_address);
  return 0;
}

int dev_down(const ClusterPlan& plan) {
  Steps steps;
  if (const auto status = supervisor_status(plan)) {
    const int pid = status->as_object().at("pid").to_number<int>();
    (void)call("POST", "unix:" + plan.socket() + ":/stop");
    const auto stopped = wait_for(steps, "stop", base::seconds(70), [&]() -> Finding {
      if (kill(pid, 0) != 0) return {true, "ended"};
      return {false, fmt::format("supervisor pid {} still runs", pid),
              "installer/dev logs supervisor"};
    });
    if (!steps.finish("stop", "every daemon has ended", stopped)) return 1;
  } else {
    steps.finish("stop", plan.socket(), {true, "no supervisor runs"});
  }
  // Also of a daemon that was killed. Without the binary there was never a rule.
  const std::string l4lb = plan.options.bin_dir + "/dcos-l4lb";
  if (base::exists(l4lb) && !steps.finish("rules", plan.l4lb_table(), remove_rules(plan, l4lb))) return 1;
  const Leftovers left = remove_leftovers(plan);
  // No agent takes away a bridge that another may use.
  const Finding bridge = remove_interface(plan.bridge())
                             ? Finding{true, "none left"}
                             : Finding{false, "could not be removed", "ip link del " + plan.bridge()};
  if (!steps.finish("bridge", plan.bridge(), bridge)) return 1;
  const Finding finding{
      left.none(),
      left.none() ? "nothing left"
                  : fmt::format("{} processes, {} cgroups, {} mounts left", left.processes.size(),
                                left.cgroups.size(), left.mounts.size()),
      left.cgroups.empty() ? "" : "cat " + left.cgroups.front() + "/cgroup.procs"};
  return steps.finish("clean", "processes, cgroups, mounts", finding) ? 0 : 1;
}

int dev_status(const ClusterPlan& plan) {
  const auto status = supervisor_status(plan);
  if (!status) {
    fmt::print("no cluster runs below {}; start it with: installer/dev up --root {}\n",
               plan.options.root, plan.options.root);
    return 3;
  }
  bool healthy = true;
  uint64_t total_kb = status->as_object().at("resident_kb").to_number<uint64_t>();
  fmt::print("{:<12} {:>8} {:>6} {:>10} {:>9} {:>9}  {}\n", "DAEMON", "PID", "PORT", "UPTIME",
             "RESTARTS", "MEMORY", "PROBE");
  for (const auto& value : status->as_object().at("daemons").as_array()) {
    const auto& daemon = value.as_object();
    const std::string name(daemon.at("name").as_string());
    const Daemon* planned = plan.find(name);
    const Finding probe =
        planned ? probe_health(plan, *planned) : Finding{true, "not of this plan"};
    healthy = healthy && probe.ok;
    const auto kb = daemon.at("resident_kb").to_number<uint64_t>();
    total_kb += kb;
    fmt::print("{:<12} {:>8} {:>6} {:>9.0f}s {:>9} {:>5.1f} MiB  {}{}\n", name,
               daemon.at("pid").to_number<int>(), daemon.at("port").to_number<int>(),
               daemon.at("uptime_seconds").to_number<double>(),
               daemon.at("restarts").to_number<int>(), static_cast<double>(kb) / 1024,
               probe.ok ? "ok " : "FAILED ", probe.seen);
  }
  fmt::print("total resident memory with the supervisor: {:.1f} MiB\ngateway: {}\n",
             static_cast<double>(total_kb) / 1024, plan.gateway_url);
  return healthy ? 0 : 1;
}

int dev_logs(const ClusterPlan& plan, const std::string& name, bool follow) {
  if (name != "supervisor" && plan.find(name) == nullptr) {
    std::string names = "supervisor";
    for (const Daemon& daemon : plan.daemons) names += ", " + daemon.name;
    fmt::print(stderr, "no daemon '{}': one of {}\n", name, names);
    return 2;
  }
  const std::string path = plan.log_file(name);
  if (!base::exists(path)) {
    fmt::print(stderr, "{} does not exist: has the cluster been started with this --root?\n", path);
    return 1;
  }
  if (follow)
    execlp("tail", "tail", "-n", "200", "-F", path.c_str(), nullptr);
  else
    execlp("cat", "cat", path.c_str(), nullptr);
  return 1;
}

int dev_password(const ClusterPlan& plan) {
  Steps steps;
  if (!plan.options.auth) {
    fmt::print(stderr, "--auth=off: a cluster without login has no passwords\n");
    return 2;
  }
  const auto status = supervisor_status(plan);
  if (!status) {
    fmt::print("no cluster runs below {}; start it with: installer/dev up --root {}\n",
               plan.options.root, plan.options.root);
    return 3;
  }
  const auto password = make_password();
  base::Status handed = password ? hand_over(plan, *password) : password.error();
  if (!handed)
    return steps.finish("login", plan.owner_password_file(), {false, handed.error().message, ""});
  // The gateway reads the file when it starts, and the supervisor starts it at once.
  for (const auto& value : status->as_object().at("daemons").as_array()) {
    const auto& daemon = value.as_object();
    const int pid = daemon.at("pid").to_number<int>();
    if (daemon.at("name").as_string() == "gateway" && pid > 0) kill(pid, SIGTERM);
  }
  const Finding taken = wait_for(steps, "login", base::seconds(15), [&]() -> Finding {
    if (base::exists(plan.owner_password_file()))
      return {false, "the gateway has not taken it", "installer/dev logs gateway"};
    return {true, "user admin, password " + *password + " (shown only now)"};
  });
  return steps.finish("login", "the gateway takes the password", taken) ? 0 : 1;
}

int dev_reset(const ClusterPlan& plan) {
  if (const int code = dev_down(plan); code != 0) return code;
  if (auto removed = base::remove_tree(plan.options.root); !removed) {
    fmt::print(stderr, "{}\n", removed.error().message);
    return 1;
  }
  fmt::print("removed {}\n", plan.options.root);
  return 0;
}

int dev_supervise(const ClusterPlan& plan) {
  base::log::use_spdlog();
  base::Loop loop;
  Supervisor supervisor(loop, plan);
  if (auto started = supervisor.start(); !started) {
    LOG_ERROR("{}", started.error().message);
    return 1;
  }
  loop.on_signal(SIGTERM, [&] { supervisor.stop(); });
  loop.on_signal(SIGINT, [&] { supervisor.stop(); });
  return loop.run();
}

}  // namespace installer
