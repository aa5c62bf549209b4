#include "admin-router/table.hpp"

#include <algorithm>
#include <tuple>

#include "admin-router/path.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace admin_router {
namespace {

constexpr size_t kMaxNameSegments = 10;

std::string_view label(const App& app, const std::string& name) {
  auto it = app.labels.find(name);
  return it == app.labels.end() ? std::string_view() : std::string_view(it->second);
}

std::optional<size_t> port_index(const App& app) {
  auto index = base::parse_uint(label(app, "DCOS_SERVICE_PORT_INDEX"));
  if (!index || *index > 1000) return std::nullopt;
  return static_cast<size_t>(*index);
}

bool routable(const App& app) {
  std::string_view scheme = label(app, "DCOS_SERVICE_SCHEME");
  return !base::tokenize(label(app, "DCOS_SERVICE_NAME"), '/').empty() &&
         (scheme == "http" || scheme == "https") && port_index(app).has_value();
}

// Where one instance listens, by the app's port index.
std::optional<Address> task_address(const App& app, const AppTask& task, size_t index) {
  Address address;
  uint16_t container_port = 0;
  if (app.container_network) {
    if (task.container_ip.empty()) return std::nullopt;
    address.host = task.container_ip;
    if (index < app.container_ports.size()) container_port = app.container_ports[index];
  } else {
    address.host = task.host;
  }
  if (container_port != 0) {
    address.port = container_port;
  } else if (index < task.host_ports.size()) {
    address.port = task.host_ports[index];
  }
  if (address.port == 0 || address.host.empty()) return std::nullopt;
  address.tls = label(app, "DCOS_SERVICE_SCHEME") == "https";
  return address;
}

void mark_lost(SourceState& source, const std::string& reason, base::Now now) {
  if (source.connected) source.lost_at = now.instant;
  source.connected = false;
  source.reason = reason;
}

// The length of the first `count` segments of `path`, without the slash behind them.
size_t prefix_bytes(std::string_view path, size_t count) {
  size_t i = 0;
  while (count > 0) {
    while (i < path.size() && path[i] == '/') ++i;
    while (i < path.size() && path[i] != '/') ++i;
    --count;
  }
  return i;
}

}  // namespace

std::optional<ServiceUrl> ServiceUrl::parse(std::string_view text) {
  ServiceUrl url;
  if (text.starts_with("http://")) {
    text.remove_prefix(7);
    url.address.port = 80;
  } else if (text.starts_with("https://")) {
    text.remove_prefix(8);
    url.address.port = 443;
    url.address.tls = true;
  } else {
    return std::nullopt;
  }
  size_t slash = text.find_first_of("/?#");
  std::string_view authority = text.substr(0, slash);
  if (slash != std::string_view::npos && text[slash] == '/') {
    std::string_view base = text.substr(slash);
    base = base.substr(0, base.find_first_of("?#"));
    while (base.ends_with('/')) base.remove_suffix(1);
    url.base = base;
  }
  size_t at = authority.rfind('@');
  if (at != std::string_view::npos) authority.remove_prefix(at + 1);
  size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    auto port = base::parse_uint(authority.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) return std::nullopt;
    url.address.port = static_cast<uint16_t>(*port);
    authority = authority.substr(0, colon);
  }
  if (authority.starts_with('[') && authority.ends_with(']'))
    authority = authority.substr(1, authority.size() - 2);
  if (authority.empty()) return std::nullopt;
  url.address.host = authority;
  return url;
}

void Table::on(const Event& event, base::Now now) {
  drop_faded(now);
  std::visit([&](const auto& e) { apply(e, now); }, event);
}

void Table::apply(const MasterConnected& event, base::Now) {
  master_.connected = true;
  leader_ = event.leader;
}

void Table::apply(const MasterLost& event, base::Now now) {
  mark_lost(master_, event.reason, now);
}

// A master that has just been elected knows only who has come back to it. Until the grace ends,
// what was known before stays: tasks and schedulers did not move because the master did.
void Table::apply(const MasterSnapshot& event, base::Now now) {
  bool again = master_.loaded;
  master_.connected = true;
  master_.loaded = true;
  auto old_agents = std::move(agents_);
  auto old_frameworks = std::move(frameworks_);
  agents_.clear();
  hosts_.clear();
  frameworks_.clear();
  for (const Agent& agent : event.agents) put_agent(agent);
  for (const Framework& framework : event.frameworks) frameworks_[framework.id] = framework;
  std::map<std::string, base::Instant, std::less<>> fading;
  auto keep = [&](const std::string& id) {
    auto since = fading_.find(id);
    fading[id] = since == fading_.end() ? now.instant + policy_.grace : since->second;
  };
  if (again) {
    for (auto& [id, agent] : old_agents) {
      if (agents_.find(id) != agents_.end()) continue;
      put_agent(agent);
      keep(id);
    }
    for (auto& [id, framework] : old_frameworks) {
      framework.connected = false;
      if (frameworks_.try_emplace(id, framework).second) keep(id);
    }
  }
  fading_ = std::move(fading);
  index_frameworks();
}

void Table::apply(const AgentUp& event, base::Now) {
  fading_.erase(event.agent.id);
  put_agent(event.agent);
}

void Table::apply(const AgentGone& event, base::Now) {
  fading_.erase(event.id);
  erase_agent(event.id);
}

void Table::apply(const FrameworkUp& event, base::Now) {
  fading_.erase(event.framework.id);
  frameworks_[event.framework.id] = event.framework;
  index_frameworks();
}

void Table::apply(const FrameworkGone& event, base::Now) {
  fading_.erase(event.id);
  frameworks_.erase(event.id);
  index_frameworks();
}

void Table::drop_faded(base::Now now) {
  if (fading_.empty()) return;
  size_t dropped = std::erase_if(fading_, [&](const auto& entry) {
    if (entry.second > now.instant) return false;
    erase_agent(entry.first);
    frameworks_.erase(entry.first);
    return true;
  });
  if (dropped > 0) index_frameworks();
}

void Table::put_agent(const Agent& agent) {
  erase_agent(agent.id);
  agents_[agent.id] = agent;
  hosts_[agent.hostname].insert(agent.id);
}

void Table::erase_agent(const std::string& id) {
  auto agent = agents_.find(id);
  if (agent == agents_.end()) return;
  auto host = hosts_.find(agent->second.hostname);
  if (host != hosts_.end()) {
    host->second.erase(id);
    if (host->second.empty()) hosts_.erase(host);
  }
  agents_.erase(agent);
}

void Table::apply(const MarathonLost& event, base::Now now) {
  mark_lost(marathon_, event.reason, now);
}

void Table::apply(const AppsSnapshot& event, base::Now) {
  marathon_.connected = true;
  marathon_.loaded = true;
  apps_.clear();
  for (const App& app : event.apps) apps_[app.id] = app;
  index_apps();
}

void Table::apply(const AppChanged& event, base::Now) {
  App& app = apps_[event.app.id];
  auto tasks = std::move(app.tasks);
  app = event.app;
  for (auto& [id, task] : tasks) app.tasks.emplace(id, std::move(task));
  index_apps();
}

void Table::apply(const AppGone& event, base::Now) {
  apps_.erase(event.id);
  index_apps();
}

void Table::apply(const TaskChanged& event, base::Now) {
  auto it = apps_.find(event.app_id);
  if (it == apps_.end()) return;  // without a route label
  if (event.terminal) {
    it->second.tasks.erase(event.task.id);
    return;
  }
  AppTask& task = it->second.tasks[event.task.id];
  bool healthy = task.healthy;
  std::string ip = task.container_ip;
  task = event.task;
  task.healthy = healthy;
  if (task.container_ip.empty()) task.container_ip = ip;
}

void Table::apply(const TaskHealth& event, base::Now) {
  auto it = apps_.find(event.app_id);
  if (it == apps_.end()) return;
  auto task = it->second.tasks.find(event.task_id);
  if (task != it->second.tasks.end()) task->second.healthy = event.healthy;
}

// Of frameworks with the same name the connected one wins, then the active one, then the newest: a
// dead scheduler must not capture the route of its successor.
void Table::index_frameworks() {
  framework_names_.clear();
  for (const auto& [id, framework] : frameworks_) {
    std::string name = normal_service_name(framework.name);
    if (name.empty()) continue;
    auto [it, inserted] = framework_names_.try_emplace(name, id);
    if (inserted) continue;
    const Framework& held = frameworks_.find(it->second)->second;
    auto rank = [](const Framework& f) {
      return std::tuple(f.connected, f.active, f.registered.since_epoch, f.id);
    };
    if (rank(framework) > rank(held)) it->second = id;
  }
}

// Of apps with the same label the first by id is kept. Apps whose labels do not make a route are
// left out: one bad app never spoils the others.
void Table::index_apps() {
  service_apps_.clear();
  for (const auto& [id, app] : apps_)
    if (routable(app))
      service_apps_.try_emplace(normal_service_name(label(app, "DCOS_SERVICE_NAME")), id);
}

std::optional<Lookup> Table::try_app(const std::string& normal, std::string_view candidate) {
  auto it = service_apps_.find(normal);
  if (it == service_apps_.end()) return std::nullopt;
  const App& app = apps_.find(it->second)->second;
  size_t index = *port_index(app);
  std::vector<Address> good, running;
  for (const auto& [id, task] : app.tasks) {
    if (!task.running) continue;
    auto address = task_address(app, task, index);
    if (!address) continue;
    running.push_back(*address);
    if (task.healthy && task.ready) good.push_back(*address);
  }
  const auto& choice = good.empty() ? running : good;
  if (choice.empty()) return std::nullopt;
  Lookup found;
  found.kind = Lookup::Kind::Found;
  found.target.address = choice[turn_++ % choice.size()];
  found.target.address.host = host_address(found.target.address.host);
  found.target.name = candidate;
  found.target.strip_prefix = label(app, "DCOS_SERVICE_REWRITE_REQUEST_URLS") != "false";
  found.target.buffered = label(app, "DCOS_SERVICE_REQUEST_BUFFERING") != "false";
  return found;
}

Lookup Table::found_in_framework(const Framework& framework, std::string_view candidate) const {
  Lookup found;
  if (framework.webui_url->empty()) {
    found.kind = Lookup::Kind::Unavailable;
    found.reason = "framework \"" + framework.name +
                   "\" gives no web address, and the cluster has no name service "
                   "that could be asked instead";
    return found;
  }
  auto url = ServiceUrl::parse(*framework.webui_url);
  if (!url) {
    found.kind = Lookup::Kind::Unavailable;
    found.reason = "the web address of framework \"" + framework.name +
                   "\" is no http URL: " + *framework.webui_url;
    return found;
  }
  found.kind = Lookup::Kind::Found;
  found.target.address = url->address;
  found.target.address.host = host_address(url->address.host);
  found.target.base = url->base;
  found.target.name = candidate;
  return found;
}

std::optional<Lookup> Table::try_framework(std::string_view candidate,
                                           const std::string& normal) const {
  auto it = frameworks_.find(candidate);
  if (it == frameworks_.end()) {
    auto name = framework_names_.find(normal);
    if (name == framework_names_.end()) return std::nullopt;
    it = frameworks_.find(name->second);
  }
  if (!it->second.webui_url) return std::nullopt;
  return found_in_framework(it->second, candidate);
}

Lookup Table::find_service(std::string_view path, base::Now now) {
  drop_faded(now);
  Lookup result;
  auto pieces = base::tokenize(path, '/');
  size_t most = std::min(pieces.size(), kMaxNameSegments);
  std::string normal;
  for (size_t count = 1; count <= most; ++count) {
    // The normal form grows at its front: "b" -> "c.b".
    normal = count == 1 ? std::string(pieces[0]) : std::string(pieces[count - 1]) + "." + normal;
    size_t bytes = prefix_bytes(path, count);
    std::string_view candidate = path.substr(0, bytes);
    std::optional<Lookup> found;
    bool scheduler = normal == "marathon" || normal == "metronome";
    if (!scheduler) found = try_app(normal, candidate);
    if (!found) found = try_framework(candidate, normal);
    if (!found && normal == "marathon" && policy_.marathon) {
      found.emplace();
      found->kind = Lookup::Kind::Found;
      found->target.address = *policy_.marathon;
      found->target.name = candidate;
    }
    if (!found) continue;
    found->target.name_bytes = bytes;
    return *found;
  }
  if (!master_.loaded || !marathon_.loaded) {
    const SourceState& missing = master_.loaded ? marathon_ : master_;
    result.kind = Lookup::Kind::Wait;
    result.reason = std::string(master_.loaded ? "Marathon" : "the Mesos master") +
                    " has not told its services yet: " + missing.reason;
    return result;
  }
  if (master_age(now) > policy_.hard_age) {
    result.kind = Lookup::Kind::Unavailable;
    result.reason = "what is known of the Mesos master is too old: " + master_.reason;
  }
  return result;
}

const Agent* Table::find_agent(std::string_view id, base::Now now) {
  drop_faded(now);
  auto it = agents_.find(id);
  return it == agents_.end() ? nullptr : &it->second;
}

std::string Table::host_address(const std::string& host) const {
  auto it = hosts_.find(host);
  if (it != hosts_.end()) return agents_.find(*it->second.begin())->second.address.host;
  return host == "localhost" ? "127.0.0.1" : host;
}

std::optional<ServiceUrl> Table::marathon() const {
  if (policy_.marathon) return ServiceUrl{*policy_.marathon, ""};
  auto name = framework_names_.find("marathon");
  if (name == framework_names_.end()) return std::nullopt;
  const Framework& framework = frameworks_.find(name->second)->second;
  if (!framework.webui_url) return std::nullopt;
  auto url = ServiceUrl::parse(*framework.webui_url);
  if (url) url->address.host = host_address(url->address.host);
  return url;
}

base::Duration Table::master_age(base::Now now) const {
  return master_.connected || !master_.loaded ? base::Duration(0) : now.instant - master_.lost_at;
}

}  // namespace admin_router
