#pragma once

// The providers of one agent: performs what each asks for. On the loop's thread.

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "base/store/store.hpp"
#include "kernel/storage/plugin.hpp"
#include "kernel/storage/provider.hpp"

namespace storage {

class Service {
 public:
  struct Options {
    std::string work_dir;     // of the agent
    std::string socket_dir;   // sockets of plugins that run in containers
    std::string boot_id;
    std::string kind = "Provider";  // what it runs, for people
    /// The bytes of a secret; may block, called on the pool.
    std::function<base::Result<std::string>(const mesos::v1::Secret&)> resolve{};
  };
  /// To the agent.
  struct Callbacks {
    std::function<void(const std::string& provider, Survey)> surveyed;
    std::function<void(const std::string& id, base::Result<mesos::v1::Resource>)> changed;
    /// Container `index` of a plugin is to run, with a socket to serve on; `runs` when it does, `ended` when it ended or did
    /// not start.
    std::function<void(const std::string& provider, int index, const mesos::v1::CSIPluginContainerInfo&, const std::string& socket,
                       std::function<void()> runs, std::function<void(std::string)> ended)> run;
    /// All containers of a plugin are to end.
    std::function<void(const std::string& provider)> end;
  };

  Service(base::Loop& loop, base::Pool& pool, base::Store& store, Options options, Callbacks callbacks);
  ~Service();

  /// Of all providers from now on.
  void set_profiles(Profiles profiles);

  /// `info` with id. One that runs is started anew with this description.
  base::Status run(const mesos::v1::ResourceProviderInfo& info);

  /// Its plugin's containers end; volumes stay as they are. With `forget` what the store has of it is erased.
  void stop(const std::string& provider, bool forget);

  void change(const std::string& provider, ChangeDisk change);

  /// `done` when all of them are at their target paths.
  void publish(const std::vector<DiskName>& disks, std::function<void(base::Status)> done);

  /// A volume that exists without us is published for `holder`, see provider_claims.cpp. `done`: where it is, or why not.
  struct Claimed {
    std::string path;
    bool in_use = false;  // others have it too
  };
  void claim(const std::string& provider, const std::string& holder, dcos::storage::v1::VolumeRecord volume,
             std::function<void(base::Result<Claimed>)> done);
  void release(const std::string& holder);

  /// After `run()`: who has what, by the volumes' ids.
  void tell_holders(const std::string& provider, std::map<std::string, std::set<std::string>> holders);

  size_t running() const { return providers_.size(); }
  size_t connected() const;

 private:
  struct Running;
  void tell(Running& provider, Event event);
  void perform(Running& provider, RunPlugin& effect);
  void perform(Running& provider, Call& effect);
  void perform(Running& provider, RemoveDirectories& effect);
  void perform(Running& provider, Persist& effect);
  void perform(Running& provider, SetTimer& effect);
  void perform(Running& provider, Surveyed& effect);
  void perform(Running& provider, DiskChanged& effect);
  void perform(Running& provider, Published& effect);
  void perform(Running& provider, Trace& effect);
  void make_call(Running& provider, Call& effect);

  base::Loop& loop_;
  base::Pool& pool_;
  base::Store& store_;
  Options options_;
  Callbacks callbacks_;
  Profiles profiles_;
  std::map<std::string, std::shared_ptr<Running>> providers_;
  uint64_t next_ticket_ = 1;
};

}  // namespace storage
