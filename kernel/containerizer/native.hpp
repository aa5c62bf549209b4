#pragma once

// The container runtime: processes under dcos-launch, cgroups and namespaces where the host has them.

#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "base/time.hpp"
#include "kernel/containerizer/cgroups/cgroups.hpp"
#include "kernel/containerizer/containerizer.hpp"
#include "kernel/containerizer/explain.hpp"
#include "kernel/containerizer/fetcher/counts.hpp"
#include "kernel/containerizer/images/rootfs.hpp"
#include "kernel/containerizer/log_limits.hpp"
#include "kernel/containerizer/network/listeners.hpp"
#include "kernel/containerizer/network/networks.hpp"

namespace containerizer {

class Isolators;
namespace secrets {
class Resolver;
}

/// The isolator network/ports.
struct PortsOptions {
  bool watch = false, enforce = false;   // look; end a container that listens on ports that it was not given
  base::Duration interval = base::seconds(30);
  network::PortRanges isolated{};        // only these count; empty: all
};

struct NativeOptions {
  std::string helper;                      // path of dcos-launch
  std::string runtime_directory;           // survives the agent; one directory per container
  std::string frameworks_home;
  std::string fetcher_cache_directory{};   // empty: nothing fetched is cached
  uint64_t fetcher_cache_bytes = uint64_t{2} << 30;
  base::Duration fetch_stall_timeout = base::minutes(1);
  base::Duration destroy_timeout = base::minutes(1);
  base::Duration watch_interval = base::seconds(15);  // between two looks at what containers take of the disk
  bool limit_cpu = true, limit_memory = true;
  bool isolated = true;                    // namespaces (needs root)
  bool switch_user = true;                 // run tasks as their user (needs root)
  std::string resolv_conf{};               // of containers on the host's network; empty: the host's own
  std::shared_ptr<images::Images> images{};  // null: containers with an image are refused
  std::shared_ptr<network::Networks> networks{};  // null: containers with a network of their own are refused
  PortsOptions ports{};
  bool network_metrics = true;             // what went through the interfaces of containers is counted
  images::Backend backend = images::Backend::Overlay;
  std::string sandbox_directory = "/mnt/mesos/sandbox";  // where they see their sandbox
  LogRules logs{};                         // of output files
  std::shared_ptr<Isolators> isolators{};  // null: those that need no flags
  std::shared_ptr<const secrets::Resolver> secrets{};  // null: logins of images by value only
  bool ignore_image_runtime = false;       // entry point, command, environment and working directory of images
};

class NativeContainerizer final : public Containerizer {
 public:
  /// `cgroups` may be null: then nothing is limited.
  NativeContainerizer(base::Loop& loop, base::Pool& pool, NativeOptions options,
                      std::shared_ptr<cgroups::Cgroups> cgroups);
  ~NativeContainerizer() override;  // leaves the containers alone

  void on_exit(Exit exit) override;
  void launch(ContainerSpec spec, std::function<void(Result<Started>)> done) override;
  void signal(const std::string& id, int number) override;
  void destroy(const std::string& id) override;
  void update(const std::string& id, const cgroups::Limits& limits, std::function<void(Status)> done) override;
  void add_volumes(const std::string& id, std::vector<VolumeMount> volumes, std::function<void(Status)> done) override;
  void set_ports(const std::string& id, std::vector<std::pair<uint16_t, uint16_t>> ports) override;
  void forget(const std::string& id) override;
  void recover(std::vector<ContainerSpec> known,
               std::function<void(std::map<std::string, Started>)> done) override;
  void usage(std::function<void(Statistics)> done) override;
  std::string network_of(const std::string& id) const override;
  Result<base::Fd> attach(const std::string& id) override;
  Result<Outputs> outputs(const std::string& id) const override;
  void run_inside(const std::string& id, const mesos::v1::CommandInfo& command, base::Duration timeout,
                  std::function<void(Result<int>)> done) override;

  /// NotFound when there is no such container, or it has ended.
  void explain(const std::string& id, std::function<void(Result<Explanation>)> done);

  fetcher::FetcherCounts fetcher_counts() const;
  images::ImageCounts image_counts() const;
  network::NetworkCounts network_counts() const;

  /// How many running containers have an image of their own.
  size_t running_with_image() const;

  /// How often a container was found with a port that it was not given.
  uint64_t unallocated_ports_found() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace containerizer
