#pragma once

// The gateway's core (pure, deterministic): what it knows about the cluster, fed by events from the
// leading master and from Marathon, and the look-ups that a request needs. A source that goes away
// leaves its last facts standing, because a service that runs must stay reachable while a scheduler
// restarts.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/time.hpp"

namespace admin_router {

/// Where requests can be sent.
struct Address {
  std::string host;  // name, literal IP, or the path of a unix socket
  uint16_t port = 0;
  bool tls = false;
  bool checked = false;  // by TLS: its certificate has to come from the cluster's authorities
  auto operator<=>(const Address&) const = default;

  std::string text() const {
    return host.starts_with('/') ? "a local socket" : host + ":" + std::to_string(port);
  }
};

/// "http://host:8080/base" -> address and "/base" ("" for none). Absent when it is no http(s) URL.
struct ServiceUrl {
  Address address;
  std::string base;
  static std::optional<ServiceUrl> parse(std::string_view text);
};

struct Agent {
  std::string id;
  std::string hostname;
  Address address;
  bool operator==(const Agent&) const = default;
};

struct Framework {
  std::string id;
  std::string name;
  std::optional<std::string> webui_url;  // absent and empty differ: not routable, and "ask DNS"
  bool active = true;
  bool connected = true;
  base::Time registered{};
};

struct AppTask {
  std::string id;
  std::string host;  // of the agent
  std::vector<uint16_t> host_ports;
  std::string container_ip;  // empty: none yet
  bool running = false;
  bool healthy = true;  // false once a health check failed
  bool ready = true;
};

/// A Marathon app as far as routing looks at it.
struct App {
  std::string id;
  std::map<std::string, std::string> labels;
  bool container_network = false;
  std::vector<uint16_t> container_ports;
  std::map<std::string, AppTask> tasks;
};

// Events.
struct MasterConnected {
  Address leader;
};
struct MasterLost {
  std::string reason;
};
struct MasterSnapshot {
  std::vector<Agent> agents;
  std::vector<Framework> frameworks;
};
struct AgentUp {
  Agent agent;
};
struct AgentGone {
  std::string id;
};
struct FrameworkUp {
  Framework framework;
};
struct FrameworkGone {
  std::string id;
};
struct MarathonLost {
  std::string reason;
};
struct AppsSnapshot {
  std::vector<App> apps;
};
struct AppChanged {
  App app;
};  // definition only; its known tasks stay
struct AppGone {
  std::string id;
};
struct TaskChanged {
  std::string app_id;
  AppTask task;
  bool terminal = false;
};
struct TaskHealth {
  std::string app_id;
  std::string task_id;
  bool healthy = true;
};

using Event = std::variant<MasterConnected, MasterLost, MasterSnapshot, AgentUp, AgentGone,
                           FrameworkUp, FrameworkGone, MarathonLost, AppsSnapshot, AppChanged,
                           AppGone, TaskChanged, TaskHealth>;

/// How fresh one source's facts are.
struct SourceState {
  bool connected = false;
  bool loaded = false;      // facts have come at least once
  base::Instant lost_at{};  // since when it is not connected
  std::string reason = "not reached yet";
};

struct TablePolicy {
  base::Duration soft_age = base::seconds(75);  // older: still used, and said in a header
  base::Duration hard_age = base::hours(72);    // older: 503
  base::Duration grace =
      base::seconds(60);  // what a new leader does not know yet stays for so long
  std::optional<Address>
      marathon{};  // set: where Marathon is while no framework of that name is known
};

/// Where a /service/ request goes.
struct ServiceTarget {
  Address address;
  std::string base;  // put before the rest of the path
  std::string name;  // as in the URL: "/service/<name>" is what Location headers are put under
  bool strip_prefix = true;
  bool buffered = true;   // false: DCOS_SERVICE_REQUEST_BUFFERING=false, long read timeout
  size_t name_bytes = 0;  // how much of the path after "/service/" is the name
};

struct Lookup {
  enum class Kind : uint8_t { Found, Missing, Unavailable, Wait };
  Kind kind = Kind::Missing;
  ServiceTarget target{};
  std::string reason{};
};

class Table {
 public:
  explicit Table(TablePolicy policy = {}) : policy_(policy) {}

  void on(const Event& event, base::Now now);

  /// `path` is what follows "/service/". Wait: a source has not delivered its first facts yet.
  Lookup find_service(std::string_view path, base::Now now);

  const Agent* find_agent(std::string_view id, base::Now now);

  /// The agent's address when `host` names one, otherwise `host` itself.
  std::string host_address(const std::string& host) const;

  const std::optional<Address>& leader() const { return leader_; }
  /// Where Marathon's API is: the web address of the framework of that name, when one is
  /// registered.
  std::optional<ServiceUrl> marathon() const;

  const SourceState& master_source() const { return master_; }
  const SourceState& marathon_source() const { return marathon_; }
  size_t agent_count() const { return agents_.size(); }
  size_t framework_count() const { return frameworks_.size(); }
  size_t app_count() const { return apps_.size(); }

  /// How long the master's facts are out of date; zero while connected.
  base::Duration master_age(base::Now now) const;

 private:
  void apply(const MasterConnected& event, base::Now now);
  void apply(const MasterLost& event, base::Now now);
  void apply(const MasterSnapshot& event, base::Now now);
  void apply(const AgentUp& event, base::Now now);
  void apply(const AgentGone& event, base::Now now);
  void apply(const FrameworkUp& event, base::Now now);
  void apply(const FrameworkGone& event, base::Now now);
  void apply(const MarathonLost& event, base::Now now);
  void apply(const AppsSnapshot& event, base::Now now);
  void apply(const AppChanged& event, base::Now now);
  void apply(const AppGone& event, base::Now now);
  void apply(const TaskChanged& event, base::Now now);
  void apply(const TaskHealth& event, base::Now now);

  void drop_faded(base::Now now);
  void put_agent(const Agent& agent);
  void erase_agent(const std::string& id);
  void index_frameworks();
  void index_apps();
  std::optional<Lookup> try_app(const std::string& normal, std::string_view candidate);
  std::optional<Lookup> try_framework(std::string_view candidate, const std::string& normal) const;
  Lookup found_in_framework(const Framework& framework, std::string_view candidate) const;

  TablePolicy policy_;
  SourceState master_, marathon_;
  std::optional<Address> leader_;
  std::map<std::string, Agent, std::less<>> agents_;
  std::map<std::string, std::set<std::string>, std::less<>>
      hosts_;  // hostname -> ids of agents there
  std::map<std::string, Framework, std::less<>> frameworks_;
  std::map<std::string, std::string, std::less<>>
      framework_names_;  // normal form -> the id that wins
  std::map<std::string, App, std::less<>> apps_;
  std::map<std::string, std::string, std::less<>>
      service_apps_;  // normal form of the label -> app id
  std::map<std::string, base::Instant, std::less<>>
      fading_;         // agents and frameworks not confirmed by a new leader
  uint64_t turn_ = 0;  // spreads requests over instances
};

}  // namespace admin_router
