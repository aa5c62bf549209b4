#include "kernel/agent/audit.hpp"

#include <fmt/format.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>
#include <thread>

#include "base/file.hpp"
#include "base/json/writer.hpp"
#include "base/loop.hpp"
#include "base/numbers.hpp"
#include "base/store/look.hpp"
#include "base/strings.hpp"
#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/agent/isolation.hpp"
#include "kernel/agent/layout.hpp"
#include "kernel/agent/places.hpp"
#include "kernel/containerizer/audit.hpp"
#include "kernel/storage/claims.hpp"

namespace agent {

using base::Result;
using base::Status;

namespace {

constexpr base::Duration kPause = base::milliseconds(500);

/// The process that holds the lock of the work directory; 0: no agent runs. Taking the lock to find out could refuse one
/// that is just starting.
pid_t find_agent(const std::string& work_dir) {
  const std::string path = lock_path(work_dir);
  struct stat info {};
  if (stat(path.c_str(), &info) != 0) return 0;
  const std::string table = base::read_file("/proc/locks").value_or("");
  for (const auto line : base::tokenize(table, '\n')) {
    const auto columns = base::tokenize(line, ' ');  // "1: FLOCK ADVISORY WRITE 123 08:01:4711 0 EOF"
    if (columns.size() < 6 || columns[1] != "FLOCK") continue;
    const auto pid = base::parse_int(columns[4]);
    if (!pid || *pid <= 0 || columns[5].substr(columns[5].rfind(':') + 1) != std::to_string(info.st_ino)) continue;
    const std::string open = "/proc/" + std::string(columns[4]) + "/fd";
    for (const auto& number : base::list_directory(open).value_or({})) {
      struct stat held {};
      if (stat((open + "/" + number).c_str(), &held) == 0 && held.st_ino == info.st_ino && held.st_dev == info.st_dev)
        return static_cast<pid_t>(*pid);
    }
  }
  return 0;
}

/// What the agent would make of its store if it were started now.
struct Recovered {
  std::unique_ptr<Core> core;
  std::vector<dcos::storage::v1::VolumeRecord> claimed{};  // volumes of storage plugins that containers have or had
  std::set<std::string> published{};                       // directories of all volumes of storage plugins
  std::vector<containerizer::ContainerSpec> known{};
  containerizer::Findings findings{};
};

Result<Recovered> recover(const Flags& flags) {
  ASSIGN_OR_RETURN(const auto entries, base::look_into_sqlite(store_path(flags.work_dir)));
  Loaded loaded = decode_store(entries);
  Recovered out;
  for (const auto& entry : entries)
    if (decode_store({entry}).damaged > 0) out.findings.push_back({"record", entry.key, "does not decode; the agent leaves it out"});

  Policy policy;
  policy.work_dir = flags.work_dir;
  if (loaded.agent) {
    policy.info = loaded.agent->info();
    policy.info.clear_id();
    policy.boot_id = loaded.agent->boot_id();
  }
  out.core = std::make_unique<Core>(std::move(policy), base::Random(1));
  const auto before = loaded;
  Effects effects;
  const base::Now now = base::system_clock().now();
  out.core->on(std::move(loaded), now, effects);
  // Nothing is written: what waits for that goes on at once.
  const auto writes = [](const Effect& effect) { return std::holds_alternative<Persist>(effect); };
  for (Effects more; std::erase_if(effects.list, writes) > 0; more = {}) {
    out.core->on(Persisted{}, now, more);
    for (auto& each : more.list) effects.list.push_back(std::move(each));
  }
  bool recovering = false;
  for (auto& each : effects.list) {
    if (auto* containers = std::get_if<RecoverContainers>(&each)) {
      out.known = std::move(containers->known);
      recovering = true;
    }
    if (const auto* exit = std::get_if<Exit>(&each)) return base::Error{base::Code::Corrupt, exit->message};
  }
  if (!recovering) return base::internal("the agent's store was not recovered");

  // Records that recovery did not take.
  const State& state = out.core->state();
  for (const auto& entry : entries) {
    dcos::storage::v1::VolumeRecord record;
    if (!entry.key.starts_with("storage/") || !record.ParseFromString(entry.value)) continue;
    if (record.pre_provisioned()) {
      out.published.insert(record.target_path().substr(0, record.target_path().rfind('/')));
      out.claimed.push_back(std::move(record));
      continue;
    }
    const auto provider = state.providers.find(entry.key.substr(8, entry.key.find('/', 8) - 8));
    if (provider == state.providers.end()) continue;
    const std::string target = storage::target_path(storage::targets_root(flags.work_dir, provider->second.info), record.id());
    out.published.insert(target.substr(0, target.rfind('/')));
  }
  const auto add = [&](const std::string& key) {
    out.findings.push_back({"record", key, "belongs to nothing; the agent drops it when it starts"});
  };
  const auto executor_of = [&state](const std::string& framework, const std::string& executor) -> const Executor* {
    const auto owner = state.frameworks.find(framework);
    if (owner == state.frameworks.end()) return nullptr;
    const auto found = owner->second.executors.find(executor);
    return found == owner->second.executors.end() ? nullptr : &found->second;
  };
  for (const auto& record : before.frameworks)
    if (!state.frameworks.contains(record.info().id().value())) add(framework_key(record.info().id().value()));
  for (const auto& record : before.executors)
    if (executor_of(record.framework_id().value(), record.info().executor_id().value()) == nullptr)
      add(executor_key(record.framework_id().value(), record.info().executor_id().value()));
  for (const auto& record : before.tasks) {
    const auto* executor = executor_of(record.framework_id().value(), record.executor_id().value());
    if (executor == nullptr || !executor->tasks.contains(record.info().task_id().value()))
      add(task_key({record.framework_id().value(), record.info().task_id().value()}));
  }
  for (const auto& record : before.containers)
    if (!state.api_containers.contains(container_text(record.id()))) add(container_key(container_text(record.id())));
  for (const auto& [path, record] : before.gc)
    if (!base::exists(path))
      out.findings.push_back({"record", gc_key(path),
                              "is to be removed and is gone already; dropped with the next look at the disk (--disk_watch_interval)"});
  return out;
}

std::vector<containerizer::KnownContainer> known_containers(const Recovered& recovered) {
  const State& state = recovered.core->state();
  std::vector<containerizer::KnownContainer> out;
  for (const auto& spec : recovered.known) {
    bool launched = false;
    if (const auto owner = state.containers.find(spec.id); owner != state.containers.end())
      launched = state.frameworks.at(owner->second.first).executors.at(owner->second.second).launched;
    if (const auto container = state.api_containers.find(spec.id); container != state.api_containers.end())
      launched = container->second.stage == ApiContainer::Stage::Running;
    out.push_back({spec, launched});
  }
  return out;
}

/// Sessions live as long as the connection that asked for them and are on no record: they belong to what they are in.
void add_sessions(const std::string& directory, std::vector<containerizer::KnownContainer>& known) {
  std::map<std::string, containerizer::KnownContainer> by_id;
  for (const auto& each : known) by_id[each.spec.id] = each;
  for (const auto& id : base::list_directory(directory).value_or({})) {
    const size_t dot = id.rfind('.');
    if (dot == std::string::npos || by_id.contains(id) || !by_id.contains(id.substr(0, dot))) continue;
    containerizer::KnownContainer session;
    session.spec.id = id;
    const auto& around = by_id[id.substr(0, dot)].spec;
    session.spec.sandbox = around.sandbox;
    session.spec.group = around.group.empty() ? around.id : around.group;
    session.spec.own_group = false;
    known.push_back(by_id[id] = std::move(session));
  }
}

void audit_sandboxes(const Core& core, const std::vector<std::string>& sandboxes, containerizer::Findings& out) {
  for (const auto& path : core.unowned(sandboxes))
    out.push_back({"sandbox", path, "no container of the agent's, and not to be removed at any time; scheduled when it starts"});
}

void audit_volumes(const Flags& flags, const Core& core, containerizer::Findings& out) {
  std::set<std::string> may;
  for (const auto& place : core.volume_places(true)) may.insert(place.path);
  for (const auto& root : volume_roots(flags.work_dir, core.state().total))
    for (const auto& path : list_volumes(root))
      if (!may.contains(path)) out.push_back({"volume", path, "data of no volume that the agent has"});
  for (const auto& place : core.volume_places(false))
    if (!base::exists(place.path)) out.push_back({"volume", place.path, "its data is not there", true});
}

/// Volumes of storage plugins that no container has, and mounts of none.
void audit_plugins(const Flags& flags, const Recovered& recovered, containerizer::Findings& out) {
  std::set<std::pair<std::string, std::string>> held;  // plugin, volume
  for (const auto& spec : recovered.known) {
    if (!spec.container) continue;
    const auto wanted = storage::wanted_volumes(*spec.container);
    if (!wanted) continue;
    for (const auto& each : *wanted) held.emplace(each.plugin, each.volume.id());
  }
  for (const auto& record : recovered.claimed)
    if (!held.contains({record.plugin(), record.id()}))
      out.push_back({"volume", record.target_path(),
                     "of storage plugin " + record.plugin() + ", and no container has it; the agent takes it back"});
  const std::string root = flags.work_dir + "/csi/";
  const std::string table = base::read_file("/proc/self/mountinfo").value_or("");
  for (const auto line : base::tokenize(table, '\n')) {
    const auto columns = base::tokenize(line, ' ');
    if (columns.size() < 5 || !columns[4].starts_with(root)) continue;
    const std::string path(columns[4]);
    if (!recovered.published.contains(path.substr(0, path.rfind('/'))))
      out.push_back({"mount", path, "of no volume that the agent has of a storage plugin; ask the plugin, or unmount it"});
  }
}

}  // namespace

Result<Audit> audit(const Flags& flags) {
  Audit out;
  const pid_t agent = find_agent(flags.work_dir);
  out.agent_runs = agent > 0;
  ASSIGN_OR_RETURN(Recovered recovered, recover(flags));
  auto known = known_containers(recovered);
  out.containers = known.size();
  if (agent > 0) add_sessions(containers_directory(flags), known);

  containerizer::AuditScope scope;
  scope.work_directory = flags.work_dir;
  scope.agent = agent;
  scope.options.runtime_directory = containers_directory(flags);
  scope.image_store = image_store(flags);
  scope.sandboxes = list_sandboxes(flags.work_dir);
  ASSIGN_OR_RETURN(const auto isolators, make_isolator_options(flags));
  scope.first_project = isolators.first_project;
  scope.last_project = isolators.last_project;
  std::unique_ptr<containerizer::cgroups::Cgroups> groups;
  // Another agent may use the root by now: then nothing in it is this one's.
  if (containerizer::cgroups::RootLock::owner(containerizer::cgroups::RootLock::directory(), flags.cgroups_root) == flags.work_dir) {
    auto opened = containerizer::cgroups::open_cgroups(flags.cgroups_hierarchy, flags.cgroups_root, {.all = true, .observe = true});
    if (opened) groups = std::move(*opened);
  }
  scope.groups = groups.get();
  ASSIGN_OR_RETURN(auto networks, network_options(flags, flags.default_container_dns
                                                             ? containerizer::ContainerDns::parse(*flags.default_container_dns).value_or({})
                                                             : containerizer::ContainerDns()));
  networks.observe = true;
  if (geteuid() == 0 && base::exists(networks.directory)) {
    ASSIGN_OR_RETURN(auto opened, containerizer::network::Networks::open(std::move(networks)));
    scope.options.networks = std::move(opened);
  }
  out.findings = containerizer::audit(scope, known);
  for (auto& finding : recovered.findings) out.findings.push_back(std::move(finding));
  audit_sandboxes(*recovered.core, scope.sandboxes, out.findings);
  audit_volumes(flags, *recovered.core, out.findings);
  audit_plugins(flags, recovered, out.findings);
  const std::string socket = runtime_directory(flags) + "/agent.sock";
  if (agent == 0 && base::exists(socket)) out.findings.push_back({"socket", socket, "no agent listens; the next one replaces it"});
  std::sort(out.findings.begin(), out.findings.end());
  return out;
}

Result<Audit> settled_audit(const Flags& flags, base::Duration patience) {
  const auto same = [](const containerizer::Finding& a, const containerizer::Finding& b) { return a.kind == b.kind && a.name == b.name; };
  const base::Instant deadline = base::system_clock().now().instant + patience;
  ASSIGN_OR_RETURN(Audit out, audit(flags));
  while (out.agent_runs && !out.findings.empty() && base::system_clock().now().instant < deadline) {
    std::this_thread::sleep_for(kPause);
    ASSIGN_OR_RETURN(Audit again, audit(flags));
    std::erase_if(out.findings, [&](const auto& one) {
      return std::none_of(again.findings.begin(), again.findings.end(), [&](const auto& other) { return same(one, other); });
    });
    out.containers = again.containers;
    out.agent_runs = again.agent_runs;
  }
  return out;
}

}  // namespace agent
