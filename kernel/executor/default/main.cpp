// dcos-default-executor: runs task groups. It subscribes to its agent, has the agent make a container for each task inside
// its own, and waits. group_executor.cpp decides; this program carries bytes. Linked statically against small libraries,
// because one of it runs per pod.

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/numbers.hpp"
#include "base/recordio.hpp"
#include "kernel/executor/default/http_call.hpp"
#include "kernel/executor/group_executor.hpp"

namespace executor {
namespace {

constexpr size_t kMaxAnswer = 4 << 20;
constexpr base::Duration kFirstRetry = base::milliseconds(50);
constexpr base::Duration kLastRetry = base::milliseconds(500);
constexpr int kMaxRedirects = 10;
constexpr const char* kProtobuf = "application/x-protobuf";

std::string variable(const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

base::Duration duration(const char* name, base::Duration otherwise) {
  const auto parsed = base::parse_duration(variable(name));
  return parsed ? *parsed : otherwise;
}

void say(const std::string& text) { fprintf(stderr, "%s\n", text.c_str()); }

class Program {
 public:
  Program(Endpoint agent, std::string address, std::string token, GroupOptions options)
      : agent_(std::move(agent)),
        address_(std::move(address)),
        token_(std::move(token)),
        patience_(duration("MESOS_RECOVERY_TIMEOUT", base::minutes(15))),
        core_(std::move(options), base::Random::from_os()),
        lost_at_(Poller::now().instant) {}

  int run() {
    subscribe();
    return poller_.run();
  }

 private:
  std::vector<std::pair<std::string, std::string>> headers() const {
    std::vector<std::pair<std::string, std::string>> all{{"Content-Type", kProtobuf}, {"Accept", kProtobuf}};
    if (!token_.empty()) all.emplace_back("Authorization", "Bearer " + token_);
    return all;
  }

  void subscribe() {
    decoder_ = base::RecordDecoder(kMaxAnswer);
    stream_status_ = 0;
    stream_text_.clear();
    HttpHandlers handlers;
    handlers.head = [this](int status, const std::string&) { stream_status_ = status; };
    handlers.data = [this](std::string_view data) { received(data); };
    handlers.end = [this](bool, const std::string& problem) { lost(problem); };
    poller_.add(make_http_call({agent_, "POST", "/api/v1/executor", core_.subscribe().SerializeAsString(), headers()},
                               std::move(handlers)));
  }

  void received(std::string_view data) {
    if (stream_status_ != 200) {
      if (stream_text_.size() < kMaxAnswer) stream_text_.append(data);
      return;
    }
    std::vector<std::string> records;
    if (!decoder_.feed(data, records)) {
      say("The agent's stream cannot be understood");
      return poller_.stop(1);
    }
    for (const auto& record : records) {
      mesos::v1::executor::Event event;
      if (!event.ParseFromString(record)) {
        say("An event of the agent cannot be understood");
        continue;
      }
      if (event.type() == mesos::v1::executor::Event::SUBSCRIBED) {
        retry_ = kFirstRetry;
        subscribed_ = true;
        say("Subscribed with agent " + event.subscribed().agent_info().id().value());
      }
      if (event.type() == mesos::v1::executor::Event::SHUTDOWN) say("The agent asks this executor to end");
      GroupEffects effects;
      core_.on(event, address_, Poller::now(), effects);
      perform(std::move(effects));
    }
  }

  void lost(const std::string& problem) {
    const base::Instant now = Poller::now().instant;
    if (subscribed_) {
      say("The agent is gone" + (problem.empty() ? "" : ": " + problem) + "; looking for it");
      lost_at_ = now;
    }
    subscribed_ = false;
    core_.lost();
    // The agent does not know this executor, and never will.
    if (stream_status_ >= 400 && stream_status_ < 500) {
      say("The agent refused the subscription: " + stream_text_);
      return poller_.stop(1);
    }
    if (now - lost_at_ > patience_) {
      say("The agent did not come back in time");
      return poller_.stop(1);
    }
    poller_.set_timer("subscribe", now + retry_, [this] { subscribe(); });
    retry_ = std::min(retry_ * 2, kLastRetry);
  }

  void perform(GroupEffects effects) {
    for (auto& effect : effects) std::visit([this](auto& each) { perform_one(each); }, effect);
  }

  template <class Call>
  void tell_core(Call call) {
    GroupEffects effects;
    call(effects);
    perform(std::move(effects));
  }

  void perform_one(Say& effect) {
    auto status = std::make_shared<int>(0);
    auto text = std::make_shared<std::string>();
    HttpHandlers handlers;
    handlers.head = [status](int code, const std::string&) { *status = code; };
    handlers.data = [text](std::string_view data) {
      if (text->size() < kMaxAnswer) text->append(data);
    };
    handlers.end = [this, status, text](bool, const std::string&) {
      if (*status >= 400) say("The agent did not take an update: " + *text);
      tell_core([&](GroupEffects& out) { core_.said(*status, out); });
    };
    poller_.add(make_http_call({agent_, "POST", "/api/v1/executor", effect.call.SerializeAsString(), headers()}, handlers));
  }

  void perform_one(Ask& effect) {
    struct Answer {
      int status = 0;
      std::string body;
    };
    auto answer = std::make_shared<Answer>();
    const bool session = effect.call.type() == mesos::v1::agent::Call::LAUNCH_NESTED_CONTAINER_SESSION;
    HttpHandlers handlers;
    handlers.head = [answer](int code, const std::string&) { answer->status = code; };
    handlers.data = [answer, session](std::string_view data) {
      if (session && answer->status == 200) return;  // what a check's command prints is nobody's
      if (answer->body.size() < kMaxAnswer) answer->body.append(data);
    };
    handlers.end = [this, answer, id = effect.id](bool complete, const std::string&) {
      mesos::v1::agent::Response response;
      int status = complete ? answer->status : 0;
      if (status == 200 && !response.ParsePartialFromString(answer->body)) response.Clear();
      tell_core([&](GroupEffects& out) { core_.answered(id, status, response, answer->body, Poller::now(), out); });
    };
    auto with = headers();
    poller_.add(make_http_call({agent_, "POST", "/api/v1", effect.call.SerializeAsString(), std::move(with)}, handlers));
  }

  void perform_one(SetTimerNamed& effect) {
    poller_.set_timer(effect.name, effect.at, [this, name = effect.name] {
      tell_core([&](GroupEffects& out) { core_.timer(name, Poller::now(), out); });
    });
  }
  void perform_one(CancelTimerNamed& effect) { poller_.cancel_timer(effect.name); }

  void perform_one(LinkTask& effect) {
    // Relative, so that it leads nowhere but into this sandbox.
    mkdir("tasks", 0755);
    const std::string path = "tasks/" + effect.task;
    if (symlink(("../containers/" + effect.container).c_str(), path.c_str()) != 0 && errno != EEXIST)
      say("cannot link " + path + ": " + strerror(errno));
  }

  void perform_one(Quit& effect) { poller_.stop(effect.code); }

  void probed(const std::string& task, ProbeKind kind, const ProbeResult& result) {
    tell_core([&](GroupEffects& out) { core_.probed(task, kind, result, Poller::now(), out); });
  }

  void perform_one(ProbeNetwork& effect) {
    const bool check = effect.kind == ProbeKind::Check;
    const auto& info = effect.info;
    const double limit = check ? info.check().timeout_seconds() : info.health_check().timeout_seconds();
    std::optional<base::Instant> deadline;
    if (from_seconds(limit) > base::Duration::zero()) deadline = Poller::now().instant + from_seconds(limit);
    const auto& health = info.health_check();
    constexpr auto kV6 = mesos::v1::NetworkInfo::IPv6;
    const bool tcp = check ? info.check().has_tcp() : health.type() == mesos::v1::HealthCheck::TCP;
    const bool v6 = !check && (tcp ? health.tcp().protocol() == kV6 : health.http().protocol() == kV6);
    Endpoint endpoint{"", v6 ? "::1" : "127.0.0.1"};
    if (tcp) {
      endpoint.port = static_cast<uint16_t>(check ? info.check().tcp().port() : health.tcp().port());
      return poller_.add(make_tcp_probe(endpoint, deadline, [this, task = effect.task, kind = effect.kind](std::optional<bool> connected) {
        ProbeResult result;
        result.tcp_succeeded = connected;
        if (!connected) result.message = "TCP probe timed out";
        probed(task, kind, result);
      }));
    }
    endpoint.port = static_cast<uint16_t>(check ? info.check().http().port() : health.http().port());
    endpoint.tls = !check && health.http().scheme() == "https";
    std::string path = check ? info.check().http().path() : health.http().path();
    if (path.empty() || path[0] != '/') path = "/" + path;
    get(endpoint, path, deadline, effect.task, effect.kind, kMaxRedirects);
  }

  void get(const Endpoint& endpoint, const std::string& path, std::optional<base::Instant> deadline, const std::string& task,
           ProbeKind kind, int redirects) {
    struct Found {
      int status = 0;
      std::string location;
    };
    auto found = std::make_shared<Found>();
    HttpHandlers handlers;
    handlers.head = [found](int status, const std::string& location) { *found = {status, location}; };
    handlers.end = [=, this](bool complete, const std::string& problem) {
      ProbeResult result;
      if (found->status == 0) {
        result.message = "HTTP probe failed: " + (complete ? "no answer" : problem);
        return probed(task, kind, result);
      }
      if (found->status >= 300 && found->status < 400 && redirects > 0) {
        if (const auto next = follow(endpoint, found->location))
          return get(next->first, next->second, deadline, task, kind, redirects - 1);
      }
      result.http_status = found->status;
      probed(task, kind, result);
    };
    poller_.add(make_http_call({endpoint, "GET", path, "", {{"User-Agent", "dcos-health-check"}}, deadline}, handlers));
  }

  /// Where a redirect leads, when that is a path or an address in figures.
  static std::optional<std::pair<Endpoint, std::string>> follow(Endpoint endpoint, const std::string& location) {
    if (location.starts_with("/")) return std::pair(endpoint, location);
    const bool tls = location.starts_with("https://");
    if (!tls && !location.starts_with("http://")) return std::nullopt;
    const size_t start = tls ? 8 : 7, slash = location.find('/', start);
    const std::string host = location.substr(start, slash == std::string::npos ? slash : slash - start);
    const std::string path = slash == std::string::npos ? "/" : location.substr(slash);
    const size_t colon = host.rfind(':');
    const auto port = colon == std::string::npos ? base::Result<uint64_t>(tls ? 443 : 80) : base::parse_uint(host.substr(colon + 1));
    const std::string name = host.substr(0, colon);
    if (!port || *port > 65535 || host.starts_with("[")) return std::nullopt;
    return std::pair(Endpoint{"", name == "localhost" ? endpoint.address : name, static_cast<uint16_t>(*port), tls}, path);
  }

  Endpoint agent_;
  std::string address_, token_;
  base::Duration patience_;
  Poller poller_;
  GroupExecutor core_;
  base::RecordDecoder decoder_;
  int stream_status_ = 0;
  std::string stream_text_;
  bool subscribed_ = false;
  base::Duration retry_ = kFirstRetry;
  base::Instant lost_at_;
};

int run() {
  signal(SIGPIPE, SIG_IGN);
  const std::string endpoint = variable("MESOS_AGENT_ENDPOINT"), socket = variable("MESOS_DOMAIN_SOCKET");
  const size_t colon = endpoint.rfind(':');
  const auto port = colon == std::string::npos ? base::Result<uint64_t>(0) : base::parse_uint(endpoint.substr(colon + 1));
  Endpoint agent{"", endpoint.substr(0, colon), 0};
  if (agent.address.starts_with("[")) agent.address = agent.address.substr(1, agent.address.size() - 2);
  if (!port || *port == 0 || *port > 65535 || agent.address.empty()) {
    say("MESOS_AGENT_ENDPOINT must be <address>:<port>, not '" + endpoint + "': this program is started by an agent");
    return 1;
  }
  agent.port = static_cast<uint16_t>(*port);
  const std::string address = address_towards(agent.address, agent.port);
  if (!socket.empty()) agent = {socket, "", 0};
  GroupOptions options;
  options.framework_id.set_value(variable("MESOS_FRAMEWORK_ID"));
  options.executor_id.set_value(variable("MESOS_EXECUTOR_ID"));
  options.shutdown_grace = duration("MESOS_EXECUTOR_SHUTDOWN_GRACE_PERIOD", base::seconds(5));
  const std::string token = variable("MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
  unsetenv("MESOS_EXECUTOR_AUTHENTICATION_TOKEN");
  return Program(std::move(agent), address, token, std::move(options)).run();
}

}  // namespace
}  // namespace executor

int main() { return executor::run(); }
