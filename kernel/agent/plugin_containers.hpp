#pragma once

// Storage plugins in containers of this agent: launched, found again after a restart of it, ended.

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "base/random.hpp"
#include "kernel/agent/shell.hpp"
#include "kernel/api/mesos/v1/storage.pb.h"

namespace agent {

class PluginContainers {
 public:
  explicit PluginContainers(Shell& shell) : shell_(shell) {}
  ~PluginContainers() { *alive_ = false; }

  /// Container `index` of a plugin is to serve on `socket`: `runs` when it does, `ended` when it ended or did not start.
  void run(const std::string& plugin, int index, const mesos::v1::CSIPluginContainerInfo& info, const std::string& socket,
           const std::function<void()>& runs, const std::function<void(std::string)>& ended);

  /// All containers of a plugin are to end.
  void end(const std::string& plugin) { end_all(plugin + "-", {}); }

  /// Those of all plugins whose ids begin so, but of these.
  void end_all(const std::string& begin, const std::set<std::string>& but);

 private:
  void await(const std::string& container, const std::function<void(std::string)>& ended);

  Shell& shell_;
  base::Random random_ = base::Random::from_os();
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace agent
