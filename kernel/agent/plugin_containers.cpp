#include "kernel/agent/plugin_containers.hpp"

#include <unistd.h>

#include <algorithm>

namespace agent {
namespace {

using Call = mesos::v1::agent::Call;

constexpr int kLaunched = 202;  // 200 is one that this call launched

Call container_call(Call::Type type) {
  Call call;
  call.set_type(type);
  return call;
}

}  // namespace

void PluginContainers::run(const std::string& plugin, int index, const mesos::v1::CSIPluginContainerInfo& info,
                           const std::string& socket, const std::function<void()>& runs,
                           const std::function<void(std::string)>& ended) {
  const std::string prefix = plugin_prefix(plugin) + std::to_string(index) + "-";
  std::vector<std::string> over;
  for (const auto& [id, container] : shell_.core().state().api_containers) {
    if (!id.starts_with(prefix)) continue;
    if (container.stage != ApiContainer::Stage::Ended) {  // from before the agent was started
      await(id, ended);
      return runs();
    }
    over.push_back(id);
  }
  for (const auto& id : over) {
    Call call = container_call(Call::REMOVE_CONTAINER);
    *call.mutable_remove_container()->mutable_container_id() = container_id_of(id);
    shell_.container_call(std::move(call), [](int, const std::string&) {});
  }
  unlink(socket.c_str());
  const std::string id = prefix + random_.uuid().substr(0, 8);
  Call call = container_call(Call::LAUNCH_CONTAINER);
  auto& launch = *call.mutable_launch_container();
  *launch.mutable_container_id() = container_id_of(id);
  *launch.mutable_command() = info.command();
  auto& variable = *launch.mutable_command()->mutable_environment()->add_variables();
  variable.set_name("CSI_ENDPOINT");
  variable.set_value("unix://" + socket);
  *launch.mutable_resources() = info.resources();
  if (info.has_container()) *launch.mutable_container() = info.container();
  shell_.container_call(std::move(call), [this, alive = alive_, id, runs, ended](int status, const std::string& message) {
    if (!*alive) return;
    if (status != 200 && status != kLaunched) return ended(message);
    await(id, ended);
    runs();
  });
}

void PluginContainers::await(const std::string& container, const std::function<void(std::string)>& ended) {
  Call call = container_call(Call::WAIT_CONTAINER);
  *call.mutable_wait_container()->mutable_container_id() = container_id_of(container);
  shell_.container_call(std::move(call), [alive = alive_, container, ended](int, const std::string& message) {
    if (*alive) ended(message.empty() ? "container " + container + " is over, see its stderr" : message);
  });
}

void PluginContainers::end_all(const std::string& begin, const std::set<std::string>& but) {
  const std::string first = plugin_prefix(begin).substr(0, plugin_prefix(begin).size() - 1);  // "csi-<begin>"
  std::vector<std::string> running;
  for (const auto& [id, container] : shell_.core().state().api_containers) {
    if (!id.starts_with(first) || container.stage == ApiContainer::Stage::Ended) continue;
    const bool kept = std::any_of(but.begin(), but.end(), [&id = id](const auto& plugin) { return id.starts_with(plugin_prefix(plugin)); });
    if (!kept) running.push_back(id);
  }
  for (const auto& id : running) {
    Call call = container_call(Call::KILL_CONTAINER);
    *call.mutable_kill_container()->mutable_container_id() = container_id_of(id);
    shell_.container_call(std::move(call), [](int, const std::string&) {});
  }
}

}  // namespace agent
