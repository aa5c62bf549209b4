// Containers that calls of the agent's API launch, await, signal and remove: those inside an executor's container, which
// the default executor makes of its tasks, and standalone ones.

#include <signal.h>

#include <algorithm>
#include <cmath>

#include "kernel/agent/checkpoint.hpp"
#include "kernel/agent/core.hpp"
#include "kernel/api/names.hpp"

namespace agent {

using Call = mesos::v1::agent::Call;
using Stage = ApiContainer::Stage;
using mesos::v1::ContainerID;
using mesos::v1::TaskStatus;

namespace {

constexpr int kOk = 200, kAlreadyLaunched = 202, kBadRequest = 400, kNotFound = 404, kFailed = 500;
constexpr size_t kMaxEndedSessions = 256;
constexpr size_t kMaxApiContainers = 10'000;  // with those that have ended and wait to be removed

uint64_t bytes_of(double megabytes) { return static_cast<uint64_t>(std::max(megabytes, 0.0) * (1 << 20)); }

bool shares_group(const ApiContainer& container) {
  return !container.container || !container.container->has_linux_info() || container.container->linux_info().share_cgroups();
}

/// The volume that lies at `path` of a sandbox, and what of the path lies in it.
std::optional<std::pair<mesos::v1::Resource, std::string>> volume_at(const std::vector<mesos::v1::Resource>& volumes,
                                                                     const std::string& path) {
  for (const auto& volume : volumes) {
    const std::string& at = volume.disk().volume().container_path();
    if (path == at) return std::pair(volume, std::string());
    if (!at.empty() && path.starts_with(at + "/")) return std::pair(volume, path.substr(at.size()));
  }
  return std::nullopt;
}

}  // namespace

std::optional<containerizer::Limitation> breach_of(const containerizer::Termination& end) {
  const auto of = [&end](TaskStatus::Reason reason, const char* name, uint64_t bytes) {
    mesos::v1::Resource resource;
    resource.set_name(name);
    resource.set_type(mesos::v1::Value::SCALAR);
    resource.mutable_scalar()->set_value(static_cast<double>(bytes) / (1 << 20));
    return containerizer::Limitation{reason, end.message, {std::move(resource)}};
  };
  if (end.out_of_memory) return of(TaskStatus::REASON_CONTAINER_LIMITATION_MEMORY, "mem", end.memory_used);
  if (end.disk_used) return of(TaskStatus::REASON_CONTAINER_LIMITATION_DISK, "disk", *end.disk_used);
  return end.limitation;
}

std::string container_text(const ContainerID& id) {
  std::string text = id.value();
  for (const ContainerID* at = &id; at->has_parent(); at = &at->parent()) text = at->parent().value() + "." + text;
  return text;
}

ContainerID container_id_of(const std::string& text) {
  ContainerID id;
  const size_t dot = text.rfind('.');
  id.set_value(dot == std::string::npos ? text : text.substr(dot + 1));
  if (dot != std::string::npos) *id.mutable_parent() = container_id_of(text.substr(0, dot));
  return id;
}

std::string Core::sandbox_of(const std::string& container) const {
  if (const auto owner = state_.containers.find(container); owner != state_.containers.end())
    return state_.frameworks.at(owner->second.first).executors.at(owner->second.second).directory;
  const size_t dot = container.rfind('.');
  if (dot == std::string::npos) return policy_.work_dir + "/containers/" + container;
  return sandbox_of(container.substr(0, dot)) + "/containers/" + container.substr(dot + 1);
}

std::string Core::group_of(const std::string& container) const {
  const auto found = state_.api_containers.find(container);
  if (found == state_.api_containers.end() || found->second.parent().empty()) return container;
  const std::string around = group_of(found->second.parent());
  if (found->second.session) return around;
  return shares_group(found->second) ? around : around + "/mesos/" + container.substr(container.rfind('.') + 1);
}

containerizer::ContainerSpec Core::spec_of(const ApiContainer& container) const {
  containerizer::ContainerSpec spec;
  spec.id = container.id;
  spec.command = container.command;
  spec.container = container.container;
  spec.sandbox = sandbox_of(container.id);
  spec.environment["MESOS_SANDBOX"] = spec.sandbox;
  spec.user = container.user;
  spec.term_first_only = true;
  spec.machine = is_plugin(container.id);
  spec.parent = container.parent();
  if (!spec.parent.empty()) {
    spec.parent_sandbox = sandbox_of(spec.parent);
    spec.group = group_of(container.id);
    spec.own_group = !container.session && !shares_group(container);
  }
  if (container.session) {
    spec.debug = spec.session = true;
    spec.sandbox = spec.parent_sandbox;
    spec.environment.clear();
    return spec;
  }
  auto& limits = spec.limits;
  limits.limit_swap = policy_.limit_swap;
  limits.cpus = scalar_of(container.resources, "cpus");
  limits.memory = bytes_of(scalar_of(container.resources, "mem"));
  const auto cpus = container.limits.find("cpus"), memory = container.limits.find("mem");
  if (cpus != container.limits.end())
    limits.cpu_limit = cpus->second.value();
  else if (policy_.enforce_cpu_quota && limits.cpus > 0)
    limits.cpu_limit = limits.cpus;
  if (memory == container.limits.end() ? limits.memory > 0 : !std::isinf(memory->second.value()))
    limits.memory_limit = memory == container.limits.end() ? limits.memory : bytes_of(memory->second.value());

  // What of the parent's sandbox is a persistent volume lies elsewhere.
  const auto owner = state_.containers.find(container.root());
  if (owner == state_.containers.end() || !spec.container) return spec;
  const auto& volumes = state_.frameworks.at(owner->second.first).executors.at(owner->second.second).volumes;
  auto* wanted = spec.container->mutable_volumes();
  for (auto at = wanted->begin(); at != wanted->end();) {
    const auto& path = at->source().sandbox_path();
    const auto found = path.type() == mesos::v1::Volume::Source::SandboxPath::PARENT ? volume_at(volumes, path.path()) : std::nullopt;
    auto mount = found ? volume_mount(policy_.work_dir, found->first) : base::Result<containerizer::VolumeMount>(base::not_found(""));
    if (!mount || !found->second.empty()) {
      ++at;
      continue;
    }
    mount->container_path = at->container_path();
    mount->read_only = mount->read_only || at->mode() == mesos::v1::Volume::RO;
    spec.volumes.push_back(std::move(*mount));
    at = wanted->erase(at);
  }
  return spec;
}

void Core::save(const ApiContainer& container) {
  if (container.session) return;
  dcos::agent::v1::ContainerRecord record;
  *record.mutable_id() = container_id_of(container.id);
  *record.mutable_command() = container.command;
  if (container.container) *record.mutable_container() = *container.container;
  *record.mutable_resources() = container.resources;
  *record.mutable_limits() = container.limits;
  record.set_user(container.user);
  record.set_running(container.stage == Stage::Running);
  record.set_ended(container.stage == Stage::Ended);
  if (container.end.status) record.set_status(*container.end.status);
  if (!container.end.message.empty()) record.set_message(container.end.message);
  if (container.end.out_of_memory) {
    record.set_out_of_memory(true);
    record.set_memory_used(container.end.memory_used);
  }
  journal_.put(container_key(container.id), record.SerializeAsString());
}

void Core::restore_api_container(dcos::agent::v1::ContainerRecord record) {
  const std::string text = container_text(record.id());
  ApiContainer container;
  container.id = text;
  const bool inside = !container.parent().empty();
  const bool orphan = inside && !state_.containers.contains(container.root()) && !state_.api_containers.contains(container.root());
  if (!api::validate_container_id(record.id()) || orphan) {
    if (!orphan) ++state_.recovery_errors;
    journal_.erase(container_key(text));
    return;
  }
  container.command = std::move(*record.mutable_command());
  if (record.has_container()) container.container = std::move(*record.mutable_container());
  container.resources = std::move(*record.mutable_resources());
  container.limits = std::move(*record.mutable_limits());
  container.user = record.user();
  container.stage = record.ended() ? Stage::Ended : record.running() ? Stage::Running : Stage::Launching;
  if (record.has_status()) container.end.status = record.status();
  container.end.message = record.message();
  container.end.out_of_memory = record.out_of_memory();
  container.end.memory_used = record.memory_used();
  state_.api_containers[text] = std::move(container);
}

void Core::handle(ContainerCalled event) {
  const auto answer = [&](CallAnswer with) {
    journal_.then(AnswerContainer{event.connection, with.status, std::move(with.message)});
  };
  const auto& call = event.call;
  const auto refused = [&](const ContainerID& id) {
    const auto valid = api::validate_container_id(id);
    if (!valid) answer({kBadRequest, "Failed to validate agent::Call: 'container_id' is invalid: " + valid.error().message});
    return !valid;
  };
  const auto launch = [&](const auto& asked) {
    if (refused(asked.container_id())) return;
    ApiContainer container;
    container.id = container_text(asked.container_id());
    container.command = asked.command();
    if (asked.has_container()) container.container = asked.container();
    if constexpr (requires { asked.resources(); }) {
      container.resources = asked.resources();
      container.limits = asked.limits();
    }
    container.session = call.type() == Call::LAUNCH_NESTED_CONTAINER_SESSION;
    if (auto at_once = launch_api_container(std::move(container), event.connection)) answer(std::move(*at_once));
  };
  const auto kill = [&](const auto& asked) {
    if (refused(asked.container_id())) return;
    answer(kill_api_container(asked.container_id(), asked.has_signal() ? asked.signal() : SIGKILL).value_or(CallAnswer{kOk, ""}));
  };
  switch (call.type()) {
    case Call::LAUNCH_CONTAINER: return launch(call.launch_container());
    case Call::LAUNCH_NESTED_CONTAINER:
      if (!call.launch_nested_container().container_id().has_parent())
        return answer({kBadRequest, "Failed to validate agent::Call: Expecting 'container_id.parent' to be present"});
      return launch(call.launch_nested_container());
    case Call::LAUNCH_NESTED_CONTAINER_SESSION:
      if (!call.launch_nested_container_session().container_id().has_parent())
        return answer({kBadRequest, "Failed to validate agent::Call: Expecting 'container_id.parent' to be present"});
      return launch(call.launch_nested_container_session());
    case Call::KILL_CONTAINER: return kill(call.kill_container());
    case Call::KILL_NESTED_CONTAINER: return kill(call.kill_nested_container());
    case Call::WAIT_CONTAINER: {
      if (refused(call.wait_container().container_id())) return;
      return wait_for_container(call.wait_container().container_id(), false, event.connection);
    }
    case Call::WAIT_NESTED_CONTAINER: {
      if (refused(call.wait_nested_container().container_id())) return;
      return wait_for_container(call.wait_nested_container().container_id(), true, event.connection);
    }
    case Call::REMOVE_CONTAINER:
      if (!refused(call.remove_container().container_id())) answer(remove_api_container(call.remove_container().container_id()));
      return;
    case Call::REMOVE_NESTED_CONTAINER:
      if (!refused(call.remove_nested_container().container_id()))
        answer(remove_api_container(call.remove_nested_container().container_id()));
      return;
    default: return answer({501, "This call is not supported"});
  }
}

std::optional<Core::CallAnswer> Core::launch_api_container(ApiContainer container, ConnectionId connection) {
  const std::string id = container.id, root = container.root();
  if (state_.containers.contains(id)) return CallAnswer{kAlreadyLaunched, ""};
  if (const auto known = state_.api_containers.find(id); known != state_.api_containers.end()) {
    if (known->second.stage == Stage::Ended)
      return CallAnswer{kBadRequest, "The container " + id + " has ended already; remove it to use its id again"};
    return CallAnswer{kAlreadyLaunched, ""};
  }
  if (state_.phase == Phase::Terminating) return CallAnswer{503, "The agent is ending"};
  if (state_.api_containers.size() >= kMaxApiContainers)
    return CallAnswer{503, "This agent holds " + std::to_string(kMaxApiContainers) + " containers; remove those that have ended"};
  if (!container.command.has_value() && !container.container)
    return CallAnswer{kBadRequest, "Failed to validate agent::Call: Expecting 'command' to be present"};
  const std::string parent = container.parent();
  std::string user = policy_.default_user;
  if (const Found owner = find_container(root)) {
    const auto& info = owner.executor->info;
    user = info.command().has_user() ? info.command().user() : owner.framework->info.user();
    if (owner.executor->state == ExecutorState::Terminating || owner.executor->state == ExecutorState::Terminated)
      return CallAnswer{kBadRequest, "The executor of container " + root + " is ending"};
  }
  if (const auto around = state_.api_containers.find(parent); around != state_.api_containers.end()) {
    user = around->second.user;
    if (around->second.stage != Stage::Running) return CallAnswer{kBadRequest, "The parent container " + parent + " does not run"};
  } else if (!parent.empty() && !state_.containers.contains(parent)) {
    return CallAnswer{kBadRequest, "The parent container " + parent + " cannot be found"};
  }
  container.user = container.command.has_user() ? container.command.user() : user;
  container.launcher = connection;
  ApiContainer& kept = state_.api_containers[id] = std::move(container);
  save(kept);
  LaunchContainer launch{spec_of(kept)};
  if (const Found owner = find_container(root); owner && !launch.spec.volumes.empty()) launch.disks = disks_of(*owner.executor);
  journal_.then(std::move(launch));
  return std::nullopt;
}

bool Core::api_container_started(const std::string& id, int64_t pid) {
  const auto found = state_.api_containers.find(id);
  if (found == state_.api_containers.end()) return false;
  ApiContainer& container = found->second;
  container.stage = Stage::Running;
  container.pid = pid;
  save(container);
  if (container.launcher && container.session)
    journal_.then(StreamContainer{*container.launcher, id});
  else if (container.launcher)
    journal_.then(AnswerContainer{*std::exchange(container.launcher, std::nullopt)});
  return true;
}

bool Core::api_container_failed(const std::string& id, const std::string& message) {
  const auto found = state_.api_containers.find(id);
  if (found == state_.api_containers.end()) return false;
  out_->add(Count{"slave/container_launch_errors"});
  if (found->second.launcher) journal_.then(AnswerContainer{*found->second.launcher, kBadRequest, message});
  for (auto [at, end] = waiters_.equal_range(id); at != end; at = waiters_.erase(at))
    journal_.then(AnswerContainer{at->second.first, kNotFound, "Container " + id + " cannot be found"});
  journal_.erase(container_key(id));
  // One inside another goes with that one's sandbox.
  if (found->second.parent().empty()) collect(sandbox_of(id));
  state_.api_containers.erase(found);
  exit_when_empty();
  return true;
}

bool Core::api_container_ended(const std::string& id, const containerizer::Termination& end) {
  const auto found = state_.api_containers.find(id);
  if (found == state_.api_containers.end()) return false;
  ApiContainer& container = found->second;
  if (container.launcher && !container.session)
    journal_.then(AnswerContainer{*std::exchange(container.launcher, std::nullopt)});
  if (container.session) {
    container.launcher.reset();
    ended_sessions_.push_back(id);
    if (ended_sessions_.size() > kMaxEndedSessions) {
      const auto oldest = state_.api_containers.find(ended_sessions_.front());
      if (oldest != state_.api_containers.end() && oldest->first != id && oldest->second.session &&
          oldest->second.stage == Stage::Ended)
        state_.api_containers.erase(oldest);
      ended_sessions_.pop_front();
    }
  }
  container.stage = Stage::Ended;
  container.pid = 0;
  container.end = end;
  save(container);
  if (policy_.collect_api_sandboxes && !container.session) collect(sandbox_of(id));
  answer_waiters(container);
  journal_.then(ForgetContainer{id});
  exit_when_empty();
  return true;
}

void Core::answer_waiters(const ApiContainer& container) {
  for (auto [at, end] = waiters_.equal_range(container.id); at != end; at = waiters_.erase(at)) {
    AnswerContainer effect{at->second.first};
    const auto fill = [&container](auto& wait) {
      if (container.end.status) wait.set_exit_status(*container.end.status);
      if (!container.end.message.empty()) wait.set_message(container.end.message);
      const auto breach = breach_of(container.end);
      if (!breach) return;
      wait.set_state(mesos::v1::TASK_FAILED);
      wait.set_reason(breach->reason);
      for (const auto& resource : breach->resources) *wait.mutable_limitation()->add_resources() = resource;
    };
    if (at->second.second) {
      effect.response.set_type(mesos::v1::agent::Response::WAIT_NESTED_CONTAINER);
      fill(*effect.response.mutable_wait_nested_container());
    } else {
      effect.response.set_type(mesos::v1::agent::Response::WAIT_CONTAINER);
      fill(*effect.response.mutable_wait_container());
    }
    journal_.then(std::move(effect));
  }
}

void Core::wait_for_container(const ContainerID& id, bool nested_call, ConnectionId connection) {
  const std::string text = container_text(id);
  const auto found = state_.api_containers.find(text);
  if (state_.containers.contains(text)) return (void)waiters_.emplace(text, std::pair(connection, nested_call));
  if (found == state_.api_containers.end())
    return journal_.then(AnswerContainer{connection, kNotFound, "Container " + text + " cannot be found"});
  waiters_.emplace(text, std::pair(connection, nested_call));
  if (found->second.stage == Stage::Ended) answer_waiters(found->second);
}

std::optional<Core::CallAnswer> Core::kill_api_container(const ContainerID& id, int signal) {
  const std::string text = container_text(id);
  const auto found = state_.api_containers.find(text);
  const bool executor = state_.containers.contains(text);
  if (!executor && (found == state_.api_containers.end() || found->second.stage == Stage::Ended))
    return CallAnswer{kNotFound, "Container '" + text + "' cannot be found (or is already killed)"};
  if (signal < 1 || signal > 64)
    return CallAnswer{kBadRequest, "Failed to validate agent::Call: 'signal' must be between 1 and 64, not " + std::to_string(signal)};
  // One that has no process yet has nothing that a signal could reach.
  if (signal == SIGKILL || (!executor && found->second.stage == Stage::Launching))
    journal_.then(DestroyContainer{text});
  else
    journal_.then(SignalContainer{text, signal});
  return std::nullopt;
}

Core::CallAnswer Core::remove_api_container(const ContainerID& id) {
  const std::string text = container_text(id);
  const std::string root = text.substr(0, text.find('.'));
  if (state_.containers.contains(text)) return {kBadRequest, "The container of an executor goes with its executor"};
  if (!state_.containers.contains(root) && !state_.api_containers.contains(root)) return {kFailed, "Unknown root container"};
  const auto found = state_.api_containers.find(text);
  if (found == state_.api_containers.end()) return {kOk, ""};
  if (found->second.stage != Stage::Ended) return {kFailed, "Nested container has not terminated yet"};
  const bool session = found->second.session;
  const std::string sandbox = sandbox_of(text);
  for (auto at = state_.api_containers.lower_bound(text); at != state_.api_containers.end();) {
    if (at->first != text && !at->first.starts_with(text + ".")) {
      if (at->first > text + "/") break;  // '/' follows '.': nothing below it comes after this
      ++at;
      continue;
    }
    journal_.erase(container_key(at->first));
    at = state_.api_containers.erase(at);
  }
  if (!session) remove(sandbox);
  return {kOk, ""};
}

void Core::forget_api_containers(const std::string& root) {
  for (auto at = state_.api_containers.begin(); at != state_.api_containers.end();) {
    if (at->second.root() != root || at->first == root) {
      ++at;
      continue;
    }
    // It ended before what it was in, unless that was never more than an attempt.
    if (at->second.stage != Stage::Ended) journal_.then(DestroyContainer{at->first});
    for (auto [waiter, end] = waiters_.equal_range(at->first); waiter != end; waiter = waiters_.erase(waiter))
      journal_.then(AnswerContainer{waiter->second.first, kNotFound, "Container " + at->first + " cannot be found"});
    if (at->second.launcher && at->second.stage == Stage::Launching)
      journal_.then(AnswerContainer{*at->second.launcher, kBadRequest, "Its executor has ended"});
    journal_.erase(container_key(at->first));
    at = state_.api_containers.erase(at);
  }
}

}  // namespace agent
