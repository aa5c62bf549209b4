#pragma once

// The plugins of --csi_plugin_config_dir: volumes of source CSI_VOLUME are published for containers that are launched and
// taken back after the last of them has ended.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "base/result.hpp"
#include "kernel/agent/plugin_containers.hpp"
#include "kernel/agent/shell.hpp"
#include "kernel/containerizer/secrets/secrets.hpp"
#include "kernel/storage/service.hpp"

namespace agent {

struct VolumePluginOptions {
  std::string directory;  // of descriptions; empty: no container has such volumes
  std::string work_dir, runtime_dir, boot_id;
  std::shared_ptr<const containerizer::secrets::Resolver> secrets{};  // null: by value only
};

class VolumePlugins {
 public:
  /// Reads the descriptions; what is wrong with one is an error that names its file.
  static base::Result<std::unique_ptr<VolumePlugins>> open(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell,
                                                           VolumePluginOptions options);

  /// Tells the core which containers are plugins; before it is told what its store has.
  void introduce();

  /// Runs the plugins. `running`: containers of an earlier run of this agent; what no one of them has is taken back.
  void start(const std::vector<containerizer::ContainerSpec>& running);

  /// Publishes the volumes of a container that is about to be launched: `done` gets where they are, in their order. A plugin
  /// that is not known yet is looked for in the directory. Released by release(), also when it failed.
  void claim(const std::string& container, const mesos::v1::ContainerInfo& info,
             std::function<void(base::Result<std::vector<containerizer::PublishedVolume>>)> done);
  void release(const std::string& container) { service_.release(container); }

 private:
  struct Description {
    mesos::v1::CSIPluginInfo info;
    std::string file;
  };
  VolumePlugins(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell, VolumePluginOptions options);
  base::Status load();
  base::Result<std::string> run(const std::string& plugin);  // its id

  base::Store& store_;
  Shell& shell_;
  VolumePluginOptions options_;
  PluginContainers plugins_;
  std::map<std::string, Description> descriptions_;  // by type
  std::set<std::string> running_;                    // types
  storage::Service service_;
};

}  // namespace agent
