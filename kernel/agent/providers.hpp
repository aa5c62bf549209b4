#pragma once

// Resource providers as operators see them: their descriptions in files, the profiles of their disks, their plugins in
// containers of this agent.

#include <map>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "base/result.hpp"
#include "kernel/agent/modules.hpp"
#include "kernel/agent/plugin_containers.hpp"
#include "kernel/agent/profile_watch.hpp"
#include "kernel/agent/shell.hpp"
#include "kernel/storage/service.hpp"

namespace agent {

struct ProviderOptions {
  std::string directory;                // of descriptions, *.json; empty: there are none, and none can be added
  ProfileSource profiles;
  std::string work_dir, runtime_dir, boot_id;
};

class Providers {
 public:
  /// Reads the descriptions and the profiles; what is wrong with one is an error that names its file.
  static base::Result<std::unique_ptr<Providers>> open(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell,
                                                       ProviderOptions options);

  /// Once the containers of before are known: tells the core what there is.
  void start();

  /// A description of type and name that there is not yet (NotFound or Conflict otherwise). Durable before it returns.
  base::Status add(const mesos::v1::ResourceProviderInfo& info);
  base::Status update(const mesos::v1::ResourceProviderInfo& info);
  base::Status remove(const std::string& type, const std::string& name);

  // What the core asks for.
  void run(const mesos::v1::ResourceProviderInfo& info);
  void stop(const std::string& provider, bool forget);
  void change(const ChangeDisk& effect);
  void publish(const std::vector<storage::DiskName>& disks, std::function<void(base::Status)> done) {
    service_.publish(disks, std::move(done));
  }

  const storage::Service& service() const { return service_; }

 private:
  using Key = std::pair<std::string, std::string>;  // type, name
  struct Description {
    mesos::v1::ResourceProviderInfo info;
    std::string file;
  };
  Providers(base::Loop& loop, base::Pool& pool, base::Store& store, Shell& shell, ProviderOptions options);
  base::Status load();
  base::Status write(const mesos::v1::ResourceProviderInfo& info, const std::string& file);

  Shell& shell_;
  ProviderOptions options_;
  PluginContainers plugins_;
  std::map<Key, Description> descriptions_;
  storage::Service service_;
  ProfileWatch profiles_;
  std::vector<std::function<void()>> held_;  // until profiles are known
};

}  // namespace agent
