#include "tests/sim/volume_checker.hpp"

#include <fmt/format.h>

#include <optional>
#include <tuple>

#include "marathon/instance.hpp"

namespace sim {

namespace {

/// The task of an app's container, or one that a pod's executor could have.
std::optional<marathon::TaskName> name_of(const std::string& holder) {
  constexpr std::string_view kExecutor = "instance-";
  if (!holder.starts_with(kExecutor)) return marathon::parse_task_id(holder);
  const size_t dot = holder.rfind('.');
  if (dot == std::string::npos || dot < kExecutor.size()) return std::nullopt;
  return marathon::parse_task_id(fmt::format("{}.instance-{}._app.1", holder.substr(kExecutor.size(), dot - kExecutor.size()),
                                             holder.substr(dot + 1)));
}

}  // namespace

void VolumeChecker::removed(const std::string& agent, const std::string& path) {
  const auto found = volumes_.find({agent, path});
  if (found == volumes_.end()) return;
  const Volume& volume = found->second;
  if (!volume.users.empty())
    world_.fail(fmt::format("{} removes {}, on which {} runs", agent, path, volume.users.begin()->second.first));
  if (!volume.instance.empty() && !asks_.may_lose(volume.app, volume.written))
    world_.fail(fmt::format("{} removes {} with the data of {}, for which nobody has asked", agent, path, volume.instance));
  const auto own = of_instance_.find(volume.instance);
  if (own != of_instance_.end() && own->second == found->first) of_instance_.erase(own);
  volumes_.erase(found);
}

void VolumeChecker::started(const std::string& agent, const std::string& container, const std::string& holder,
                            const std::vector<containerizer::VolumeMount>& mounts) {
  const auto name = name_of(holder);
  if (!name || !asks_.resident(name->app)) return;
  bool any = false;
  for (const auto& mount : mounts) {
    const auto found = volumes_.find({agent, mount.source});
    if (mount.persistence_id.empty()) continue;
    any = true;
    if (found == volumes_.end()) {
      world_.fail(fmt::format("{} runs on {}, but {} is not there", holder, agent, mount.source));
      continue;
    }
    Volume& volume = found->second;
    if (!volume.users.empty())
      world_.fail(fmt::format("{} and {} run on one volume, {}", volume.users.begin()->second.first, holder, mount.source));
    volume.users[container] = {name->instance, name->app};
    if (!volume.instance.empty() && volume.instance != name->instance)
      world_.fail(fmt::format("{} runs on the data of {}", holder, volume.instance));
    if (volume.instance == name->instance) ++found_again_;
    const auto own = of_instance_.find(name->instance);
    if (own != of_instance_.end() && own->second != found->first)
      world_.fail(fmt::format("{} runs on {} of {}, but its data are on {} of {}", holder, mount.source, agent,
                              own->second.second, own->second.first));
  }
  if (!any) world_.fail(fmt::format("{} runs without its volume", holder));
}

void VolumeChecker::wrote(const std::string& agent, const std::string& container) {
  for (auto& [place, volume] : volumes_) {
    const auto user = volume.users.find(container);
    if (place.first != agent || user == volume.users.end() || !volume.instance.empty()) continue;
    ++written_;
    std::tie(volume.instance, volume.app) = user->second;
    volume.written = world_.now().instant;
    of_instance_[volume.instance] = place;
  }
}

void VolumeChecker::ended(const std::string& agent, const std::string& container) {
  for (auto& [place, volume] : volumes_) {
    if (place.first == agent) volume.users.erase(container);
  }
}

}  // namespace sim
