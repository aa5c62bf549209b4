#include "dns/records.hpp"

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "dns/answer.hpp"
#include "kernel/api/mesos/v1/master/master.pb.h"

namespace dns {
namespace {

using mesos::v1::TaskState;
using mesos::v1::master::Event;

constexpr size_t kMaxAddresses = 64;   // of one task
constexpr size_t kMaxHosts = 100'000;  // names of machines that are remembered

bool has_ended(TaskState state) {
  switch (state) {
    case mesos::v1::TASK_STAGING:
    case mesos::v1::TASK_STARTING:
    case mesos::v1::TASK_RUNNING:
    case mesos::v1::TASK_KILLING: return false;
    default: return true;  // an unreachable task that returns is told as a new one
  }
}

void add_address(std::vector<Address>& list, std::string_view text) {
  const auto address = parse_address(text);
  if (!address || list.size() >= kMaxAddresses) return;
  if (std::find(list.begin(), list.end(), *address) == list.end()) list.push_back(*address);
}

/// Takes the addresses of a running status when none newer was seen.
void take_status(Task& task, const mesos::v1::TaskStatus& status) {
  if (status.state() != mesos::v1::TASK_RUNNING || status.timestamp() < task.status_time) return;
  task.status_time = status.timestamp();
  task.netinfo.clear();
  task.mesos_label.clear();
  task.docker_label.clear();
  task.port_mapping = false;
  for (const auto& network : status.container_status().network_infos()) {
    for (const auto& ip : network.ip_addresses()) add_address(task.netinfo, ip.ip_address());
    if (network.port_mappings_size() > 0) task.port_mapping = true;
  }
  for (const auto& label : status.labels().labels()) {
    if (label.key() == "MesosContainerizer.NetworkSettings.IPAddress") add_address(task.mesos_label, label.value());
    if (label.key() == "Docker.NetworkSettings.IPAddress") add_address(task.docker_label, label.value());
  }
}

Task task_of(const mesos::v1::Task& proto) {
  Task task;
  task.id = proto.task_id().value();
  task.agent_id = proto.agent_id().value();
  task.name = proto.name();
  task.running = proto.state() == mesos::v1::TASK_RUNNING;
  task.discovery_name = proto.discovery().name();
  for (const auto& port : proto.discovery().ports().ports()) {
    task.discovery_ports.push_back({port.number(), port.name(), port.protocol()});
  }
  for (const auto& resource : proto.resources()) {
    if (resource.name() != "ports") continue;
    for (const auto& range : resource.ranges().range()) {
      if (range.begin() == 0 || range.end() > 65535 || range.begin() > range.end()) continue;
      task.ports.emplace_back(static_cast<uint16_t>(range.begin()), static_cast<uint16_t>(range.end()));
    }
  }
  for (const auto& status : proto.statuses()) take_status(task, status);
  for (const auto& network : proto.container().network_infos()) {
    if (network.port_mappings_size() > 0) task.port_mapping = true;
  }
  return task;
}

/// "slave(1)@10.0.0.1:5051".
std::optional<Endpoint> endpoint_of_pid(std::string_view pid) {
  const size_t at = pid.find('@');
  if (at == std::string_view::npos) return std::nullopt;
  return parse_endpoint(pid.substr(at + 1), 0);
}

}  // namespace

Records::Records(RecordsOptions options) : options_(std::move(options)), zone_(std::make_shared<Zone>()) {
  std::vector<Record> fixed;
  const Address local = *parse_address("127.0.0.1");
  append_address(fixed, "localhost", local);
  append_address(fixed, "localhost", *parse_address("::1"));
  append_address(fixed, "ready.spartan", local);
  for (const Address& listener : options_.listeners) {
    append_address(fixed, "ns.spartan", listener);
    if (is_below(options_.soa_mname, options_.rules.domain)) append_address(fixed, options_.soa_mname, listener);
  }
  for (Record& record : fixed) edit_.add(std::move(record));
}

void Records::swap_records(std::set<Record>& current, std::set<Record> next) {
  for (const Record& record : current) {
    if (!next.contains(record)) edit_.remove(record);
  }
  for (const Record& record : next) {
    if (!current.contains(record)) edit_.add(record);
  }
  current = std::move(next);
}

std::vector<Address> Records::addresses_of(const std::string& host) {
  if (const auto literal = parse_address(host)) return {*literal};
  if (host.empty() || host.size() > 253) return {};
  if (const auto known = hosts_.find(host); known != hosts_.end()) return known->second;
  if (hosts_.size() + unresolved_.size() < kMaxHosts) unresolved_.insert(host);
  return {};
}

std::vector<std::string> Records::take_unresolved() {
  std::vector<std::string> hosts(unresolved_.begin(), unresolved_.end());
  for (const std::string& host : hosts) hosts_.try_emplace(host);
  unresolved_.clear();
  return hosts;
}

void Records::resolved(const std::string& host, const std::vector<Address>& addresses) {
  const auto known = hosts_.find(host);
  // A failed look-up is no news about the machine.
  if (known == hosts_.end() || addresses.empty() || known->second == addresses) return;
  known->second = addresses;
  if (host == leader_host_) set_leader();
  for (auto& [id, agent] : agents_) {
    if (agent.known && agent.host == host) set_agent_addresses(id, agent, addresses);
  }
  for (auto& [id, framework] : frameworks_) {
    if (framework.known && framework.hostname == host) swap_records(framework.records, framework_records(framework));
  }
}

// Masters ---------------------------------------------------------------------------------------------------------

std::set<Record> Records::master_records(std::optional<Endpoint> leader) const {
  std::set<Record> records;
  const std::string& domain = options_.rules.domain;
  const auto add = [&](const std::string& name, const Address& address) {
    std::vector<Record> one;
    append_address(one, name, address);
    return records.insert(std::move(one[0])).second;
  };
  if (!leader) return records;
  add("leader." + domain, leader->address);
  add("master." + domain, leader->address);
  for (const char* protocol : {"_leader._tcp.", "_leader._udp."}) {
    records.insert({protocol + domain, Kind::SRV, srv_data(leader->port, "leader." + domain)});
  }
  size_t number = 0;
  bool leader_numbered = false;
  for (const Endpoint& master : options_.masters) {
    const bool leads = master == *leader;
    if (!leads && !add("master." + domain, master.address)) continue;  // a second one of that address
    if (leads && leader_numbered) continue;
    add("master" + std::to_string(number++) + "." + domain, master.address);
    leader_numbered = leader_numbered || leads;
  }
  if (!leader_numbered) add("master" + std::to_string(number) + "." + domain, leader->address);

  std::vector<Address> all{leader->address};
  for (const Endpoint& master : options_.masters) all.push_back(master.address);
  const std::string dcos(kDcosDomain);
  add("leader." + dcos, leader->address);
  for (const Address& address : all) add("master." + dcos, address);
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  // Names of scripts from when there were five coordinators.
  for (size_t i = 0; i < 5; ++i) add("zk-" + std::to_string(i + 1) + ".zk", all[i % all.size()]);
  return records;
}

void Records::set_leader() {
  const std::vector<Address> addresses = addresses_of(leader_host_);
  if (!addresses.empty()) {
    swap_records(master_records_, master_records(Endpoint{addresses[0], leader_port_}));
  } else if (leader_host_.empty()) {
    swap_records(master_records_, {});
  }  // else the old leader's records stay until the new one's address is known
}

// Frameworks ------------------------------------------------------------------------------------------------------

std::set<Record> Records::framework_records(const Framework& framework) {
  std::vector<Record> records;
  const std::string fragment = sanitize_domain(framework.name, options_.rules.labels);
  const std::string name = fragment + "." + options_.rules.domain;
  if (!fragment.empty() && is_valid_name(name)) {
    for (const Address& address : addresses_of(framework.hostname)) append_address(records, name, address);
  }
  return {records.begin(), records.end()};
}

void Records::put_framework(const mesos::v1::master::Response_GetFrameworks_Framework& proto) {
  Framework& framework = frameworks_[proto.framework_info().id().value()];
  framework.drop_at.reset();
  if (!framework.known || framework.name != proto.framework_info().name()) {
    for (auto& [id, tracked] : framework.tasks) hide(framework, tracked);
    framework.known = true;
    framework.name = proto.framework_info().name();
    for (auto& [id, tracked] : framework.tasks) show(framework, tracked);
  }
  framework.hostname = proto.framework_info().hostname();
  swap_records(framework.records, framework_records(framework));
}

void Records::erase_framework(const std::string& id) {
  const auto found = frameworks_.find(id);
  if (found == frameworks_.end()) return;
  for (auto& [task, tracked] : found->second.tasks) hide(found->second, tracked);
  swap_records(found->second.records, {});
  frameworks_.erase(found);
}

// Agents ----------------------------------------------------------------------------------------------------------

void Records::set_agent_addresses(const std::string& id, Agent& agent, std::vector<Address> addresses) {
  if (agent.addresses != addresses) {
    for (auto& [framework_id, framework] : frameworks_) {
      for (auto& [task_id, tracked] : framework.tasks) {
        if (tracked.task.agent_id == id) hide(framework, tracked);
      }
    }
    agent.addresses = std::move(addresses);
    for (auto& [framework_id, framework] : frameworks_) {
      for (auto& [task_id, tracked] : framework.tasks) {
        if (tracked.task.agent_id == id) show(framework, tracked);
      }
    }
  }
  std::vector<Record> records;
  const std::string name = "slave." + options_.rules.domain;
  for (const Address& address : agent.addresses) append_address(records, name, address);
  if (agent.port != 0) records.push_back({"_slave._tcp." + options_.rules.domain, Kind::SRV, srv_data(agent.port, name)});
  swap_records(agent.records, {records.begin(), records.end()});
}

void Records::put_agent(const mesos::v1::master::Response_GetAgents_Agent& proto, base::Instant now) {
  const std::string& id = proto.agent_info().id().value();
  Agent& agent = agents_[id];
  const auto endpoint = endpoint_of_pid(proto.pid());
  agent.known = true;
  agent.host = endpoint ? endpoint->address.text() : proto.agent_info().hostname();
  agent.port = endpoint ? endpoint->port : static_cast<uint16_t>(proto.agent_info().port());
  set_agent_addresses(id, agent, addresses_of(agent.host));
  if (!agent.drop_at) return;
  // It is back: what it still runs is told at once, so what is not told within a moment does not run any more.
  agent.drop_at.reset();
  for (auto& [framework_id, framework] : frameworks_) {
    for (auto& [task_id, tracked] : framework.tasks) {
      if (tracked.task.agent_id == id && tracked.drop_at) tracked.drop_at = now + options_.keep_tasks;
    }
  }
}

void Records::erase_agent(const std::string& id) {
  const auto found = agents_.find(id);
  if (found == agents_.end()) return;
  for (auto& [framework_id, framework] : frameworks_) {
    std::vector<std::string> gone;
    for (const auto& [task_id, tracked] : framework.tasks) {
      if (tracked.task.agent_id == id) gone.push_back(task_id);
    }
    for (const std::string& task : gone) erase_task(framework, task);
  }
  swap_records(found->second.records, {});
  agents_.erase(found);
}

// Tasks -----------------------------------------------------------------------------------------------------------

void Records::append_records(const Framework& framework, const Task& task, std::vector<Record>& out) const {
  const auto agent = agents_.find(task.agent_id);
  if (agent != agents_.end()) append_task_records(task, framework.name, agent->second.addresses, options_.rules, out);
}

void Records::show(Framework& framework, Tracked& tracked) {
  const auto agent = agents_.find(tracked.task.agent_id);
  if (replacing_) return;
  const bool complete = framework.known && agent != agents_.end() && agent->second.known && !agent->second.addresses.empty();
  if (tracked.published || !tracked.task.running || !complete) return;
  tracked.published = true;
  ++published_tasks_;
  std::vector<Record> records;
  append_records(framework, tracked.task, records);
  for (Record& record : records) edit_.add(std::move(record));
}

void Records::hide(Framework& framework, Tracked& tracked) {
  if (!tracked.published) return;
  tracked.published = false;
  --published_tasks_;
  std::vector<Record> records;
  append_records(framework, tracked.task, records);
  for (Record& record : records) edit_.remove(std::move(record));
}

void Records::put_task(const mesos::v1::Task& proto) {
  Framework& framework = frameworks_[proto.framework_id().value()];
  if (has_ended(proto.state())) return erase_task(framework, proto.task_id().value());
  Task task = task_of(proto);
  const std::string id = task.id;
  Tracked& tracked = framework.tasks[id];
  tracked.drop_at.reset();
  if (tracked.task == task) return show(framework, tracked);
  hide(framework, tracked);
  tracked.task = std::move(task);
  show(framework, tracked);
}

void Records::update_task(const std::string& framework_id, const mesos::v1::TaskStatus& status, int state) {
  const auto framework = frameworks_.find(framework_id);
  if (framework == frameworks_.end()) return;
  const auto found = framework->second.tasks.find(status.task_id().value());
  if (found == framework->second.tasks.end()) return;
  if (has_ended(static_cast<TaskState>(state))) return erase_task(framework->second, found->first);
  Task task = found->second.task;
  take_status(task, status);
  task.running = state == mesos::v1::TASK_RUNNING;
  found->second.drop_at.reset();
  if (task == found->second.task) return;
  hide(framework->second, found->second);
  found->second.task = std::move(task);
  show(framework->second, found->second);
}

void Records::erase_task(Framework& framework, const std::string& id) {
  const auto found = framework.tasks.find(id);
  if (found == framework.tasks.end()) return;
  hide(framework, found->second);
  framework.tasks.erase(found);
}

// Events ----------------------------------------------------------------------------------------------------------

void Records::replace(const mesos::v1::master::Response_GetState& state, const std::string& leader,
                      base::Instant now) {
  cluster_loaded_ = dirty_ = true;
  const size_t colon = leader.rfind(':');
  const auto port = base::parse_uint(colon == std::string::npos ? "" : leader.substr(colon + 1));
  leader_host_ = leader.substr(0, colon);
  if (leader_host_.starts_with('[') && leader_host_.ends_with(']')) leader_host_ = leader_host_.substr(1, leader_host_.size() - 2);
  leader_port_ = port && *port <= 65535 ? static_cast<uint16_t>(*port) : 5050;
  set_leader();
  std::set<std::string> agents, expected, frameworks;
  std::set<std::pair<std::string, std::string>> tasks;
  for (const auto& agent : state.get_agents().agents()) agents.insert(agent.agent_info().id().value());
  for (const auto& agent : state.get_agents().recovered_agents()) expected.insert(agent.id().value());
  for (const auto& f : state.get_frameworks().frameworks()) frameworks.insert(f.framework_info().id().value());
  for (const auto& task : state.get_tasks().tasks()) tasks.emplace(task.framework_id().value(), task.task_id().value());

  // A master that knows no agent at all has lost its records: they are on their way to it.
  const bool knows_none = agents.empty() && expected.empty();
  bool keeps = false;
  for (auto it = agents_.begin(); it != agents_.end();) {
    auto& [id, agent] = *it++;
    if (agents.contains(id)) continue;
    if (!expected.contains(id) && !knows_none) {
      erase_agent(std::string(id));
      continue;
    }
    keeps = true;
    if (!agent.drop_at) agent.drop_at = now + options_.keep_agents;
  }
  for (auto it = frameworks_.begin(); it != frameworks_.end();) {
    auto& [id, framework] = *it++;
    std::vector<std::string> gone;
    for (auto& [task_id, tracked] : framework.tasks) {
      if (tasks.contains({id, task_id})) continue;
      const auto agent = agents_.find(tracked.task.agent_id);
      const bool kept = agent != agents_.end() && agent->second.drop_at;
      kept ? void(tracked.drop_at = agent->second.drop_at) : gone.push_back(task_id);
    }
    for (const std::string& task : gone) erase_task(framework, task);
    if (frameworks.contains(id)) continue;
    if (!keeps && framework.tasks.empty()) {
      erase_framework(std::string(id));
    } else if (!framework.drop_at) {
      framework.drop_at = now + options_.keep_agents;
    }
  }
  // What stays is made first and the edit, which does not, afterwards: so that its memory can go back in one piece.
  replacing_ = true;
  for (const auto& framework : state.get_frameworks().frameworks()) put_framework(framework);
  for (const auto& agent : state.get_agents().agents()) put_agent(agent, now);
  for (const auto& task : state.get_tasks().tasks()) put_task(task);
  replacing_ = false;
  for (auto& [id, framework] : frameworks_) {
    for (auto& [task_id, tracked] : framework.tasks) show(framework, tracked);
  }
}

void Records::apply(const Event& event, base::Instant now) {
  switch (event.type()) {
    case Event::TASK_ADDED: return put_task(event.task_added().task());
    case Event::TASK_UPDATED:
      return update_task(event.task_updated().framework_id().value(), event.task_updated().status(),
                         event.task_updated().state());
    case Event::AGENT_ADDED: return put_agent(event.agent_added().agent(), now);
    case Event::AGENT_REMOVED: return erase_agent(event.agent_removed().agent_id().value());
    case Event::FRAMEWORK_ADDED: return put_framework(event.framework_added().framework());
    case Event::FRAMEWORK_UPDATED: return put_framework(event.framework_updated().framework());
    case Event::FRAMEWORK_REMOVED: return erase_framework(event.framework_removed().framework_info().id().value());
    default: return;
  }
}

bool Records::expire(base::Instant now) {
  bool kept = false;
  const auto due = [&](const std::optional<base::Instant>& at) {
    kept = kept || (at && *at > now);
    return at && *at <= now;
  };
  for (auto it = agents_.begin(); it != agents_.end();) {
    auto& [id, agent] = *it++;
    if (due(agent.drop_at)) erase_agent(std::string(id));
  }
  for (auto it = frameworks_.begin(); it != frameworks_.end();) {
    auto& [id, framework] = *it++;
    std::vector<std::string> gone;
    for (const auto& [task_id, tracked] : framework.tasks) {
      if (due(tracked.drop_at)) gone.push_back(task_id);
    }
    for (const std::string& task : gone) erase_task(framework, task);
    if (due(framework.drop_at)) erase_framework(std::string(id));
  }
  return kept;
}

// Virtual addresses -----------------------------------------------------------------------------------------------

namespace {

std::optional<Record> vip_record(const VipRecord& vip) {
  std::string name = base::to_lower(vip.name);
  while (name.ends_with('.')) name.pop_back();
  const auto address = parse_address(vip.host);
  if (!address || !is_valid_name(name) || !is_below(name, kVipDomain) || name == kVipDomain) return std::nullopt;
  std::vector<Record> one;
  append_address(one, std::move(name), *address);
  return one[0];
}

}  // namespace

size_t Records::replace_vips(const std::vector<VipRecord>& vips) {
  std::set<Record> next;
  size_t refused = 0;
  for (const VipRecord& vip : vips) {
    auto record = vip_record(vip);
    record ? void(next.insert(std::move(*record))) : void(++refused);
  }
  swap_records(vips_, std::move(next));
  dirty_ = dirty_ || !vips_loaded_;
  vips_loaded_ = true;
  return refused;
}

size_t Records::change_vips(const std::vector<VipRecord>& added, const std::vector<VipRecord>& removed) {
  size_t refused = 0;
  for (const VipRecord& vip : removed) {
    const auto record = vip_record(vip);
    if (!record) ++refused;
    if (record && vips_.erase(*record) > 0) edit_.remove(*record);
  }
  for (const VipRecord& vip : added) {
    const auto record = vip_record(vip);
    if (!record) ++refused;
    if (record && vips_.insert(*record).second) edit_.add(*record);
  }
  return refused;
}

// Out -------------------------------------------------------------------------------------------------------------

std::shared_ptr<const Zone> Records::commit(base::Time now) {
  if (!dirty()) return nullptr;
  auto next = edit_.apply(*zone_);
  next->serial = std::max(zone_->serial, static_cast<uint32_t>(now.since_epoch / base::seconds(1)));
  next->cluster_loaded = cluster_loaded_;
  next->vips_loaded = vips_loaded_;
  zone_ = std::move(next);
  dirty_ = false;
  return zone_;
}

std::vector<Records::Listing> Records::listing() const {
  std::vector<Listing> frameworks;
  for (const auto& [id, framework] : frameworks_) {
    if (!framework.known) continue;
    Listing& listed = frameworks.emplace_back(Listing{framework.name, {}});
    for (const auto& [task_id, tracked] : framework.tasks) {
      const auto agent = agents_.find(tracked.task.agent_id);
      if (tracked.published && agent != agents_.end()) listed.tasks.emplace_back(tracked.task, agent->second.addresses);
    }
  }
  return frameworks;
}

}  // namespace dns
