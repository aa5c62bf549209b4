#pragma once

// State shared by the native_*.cpp files and nested.cpp: the life of a container, how it is made, finding containers again.
// Private to them.

#include <map>
#include <memory>
#include <set>
#include <string>

#include "kernel/containerizer/fd_watch.hpp"
#include "kernel/containerizer/fetcher/fetcher.hpp"
#include "kernel/containerizer/isolators/isolators.hpp"
#include "kernel/containerizer/launch/launcher.hpp"
#include "kernel/containerizer/native.hpp"
#include "kernel/containerizer/network/request.hpp"
#include "kernel/containerizer/plan.hpp"

namespace containerizer {

/// STARTING: on the pool. FETCHING: URIs on their way. PULLING: so is its image. JOINING: so are its networks. LAUNCHING: the
/// helper sets up. RUNNING. ENDING: cleaned up.
enum class Stage { Starting, Fetching, Pulling, Joining, Launching, Running, Ending };

struct Container {
  ContainerSpec spec;
  Stage stage = Stage::Starting;
  base::Time since{};                        // in that stage
  bool destroy_wanted = false;
  std::string ports_told{};                  // what was last said of ports that it was not given
  bool out_of_memory = false;
  std::optional<Breach> breach;              // for which it is being ended
  std::optional<Limitation> limitation{};    // why it is being ended
  int64_t pid = 0;
  std::optional<launch::UserIds> user;
  std::vector<std::string> logins{};         // of the image and of each volume's: a docker config.json, or empty
  images::ImagePtr image;                    // held until the container's end
  std::vector<images::ImagePtr> volume_images{};  // so are these
  std::string failure;                       // what the helper could not do
  std::optional<network::Request> networks{};      // that it is to join; absent: the host's
  std::optional<network::Attachment> attached{};   // once it has
  std::unique_ptr<FdWatch> process, sync, oom;
  base::Loop::TimerId kill_timer = 0;
  std::function<void(Result<Started>)> done;  // empty once answered
  bool ends_with_children = false;           // its process has ended; those inside are on their way out
};

using ContainerPtr = std::shared_ptr<Container>;

struct NativeContainerizer::Impl : std::enable_shared_from_this<NativeContainerizer::Impl> {
  Impl(base::Loop& l, base::Pool& p, NativeOptions o, std::shared_ptr<cgroups::Cgroups> c);

  std::string runtime(const std::string& id) const { return options.runtime_directory + "/" + id; }

  void enter(const ContainerPtr& container, Stage stage);
  void prepare(const ContainerPtr& container);
  Result<std::vector<std::string>> look_up_logins(const std::optional<ImageWish>& image, const std::vector<ImageWish>& volumes) const;
  void fetch(const ContainerPtr& container);

  // native_images.cpp
  void pull(const ContainerPtr& container);
  void pull_volumes(const ContainerPtr& container);
  void pull_one(const ContainerPtr& container, images::PullRequest request, std::function<void(images::ImagePtr)> then);
  void cancel_pulls(const Container& container);
  void release_images(const Container& container);

  void join(const ContainerPtr& container);
  void start(const ContainerPtr& container);
  void started(const ContainerPtr& container, launch::Helper helper, base::Fd oom_events);
  void read_sync(const ContainerPtr& container);
  void watch_process(const ContainerPtr& container, base::Fd pidfd);
  void watch_oom(const ContainerPtr& container, base::Fd events);
  void kill_tree(const ContainerPtr& container);
  void send(const ContainerPtr& container, int number);

  /// The launch failed before a helper ran, or its helper has ended without running the task.
  void launch_failed(const ContainerPtr& container, Error error);

  /// The first process has ended: kill the rest, remove the groups, tell. Containers inside it go first.
  void ended(const ContainerPtr& container);

  void tell_end(const ContainerPtr& container, Termination& end, bool ran);

  /// Undoes the networks of a container whose processes are gone, then calls `then` with what went wrong.
  void leave(const ContainerPtr& container, std::function<void(Status)> then);

  /// After a restart: asks the plugins, undoes what nobody needs.
  void recover_networks(const std::map<std::string, Started>& running, const std::set<std::string>& known);

  /// native_ports.cpp: looks at what containers on the host's network listen on.
  void look_at_ports();
  void judge_ports(const std::map<std::string, network::PortRanges>& found);
  /// Whatever stage it is in, and what is inside it.
  void destroy(const ContainerPtr& container);

  /// Kills the containers directly inside; false when there are none.
  bool destroy_children(const std::string& id);

  /// The container is gone: one that waited for that can end.
  void child_gone(const std::string& parent);

  /// Files of ended containers; may take long.
  void empty_trash();

  /// Looks at what the running containers take of the disk, and again after --container_disk_watch_interval.
  void watch_later();
  void watch_now();

  void recovered(std::vector<ContainerSpec> known, std::function<void(std::map<std::string, Started>)> done);

  base::Loop& loop;
  base::Pool& pool;
  base::Pool network_pool;  // plugins may hang, and nobody else is to wait for them
  NativeOptions options;
  std::shared_ptr<cgroups::Cgroups> groups;
  fetcher::Fetcher files;
  std::map<std::string, ContainerPtr> containers;
  Exit exit;
  base::Loop::TimerId watch_timer = 0;
  base::Loop::TimerId network_timer = 0, ports_timer = 0;
  std::shared_ptr<network::PortsWatch> ports_watch{};  // used by one job at a time
  bool ports_busy = false;
  uint64_t ports_found = 0;
  bool stopped = false;
};

/// Under what name a container holds the image of a volume.
std::string holder_of_volume(const std::string& id, size_t number);

// native_launch.cpp; what reads or writes files is for a thread of the pool.

/// What is told of a container that runs.
Started started_of(const Container& container);

/// Where files of ended containers wait for their removal, beside the containers' directories.
inline std::string root_trash(const NativeOptions& options) { return options.runtime_directory + ".trash"; }

/// Who runs the program: a user of the image's or of the machine's.
void set_user(const NativeOptions& options, const ContainerSpec& spec, const std::optional<launch::UserIds>& user,
              launch::LaunchOrder& order);

PlanContext plan_context(const NativeOptions& options, const images::Image* image);

/// What the agent's flags leave of a container's limits.
cgroups::Limits enforced(const NativeOptions& options, cgroups::Limits limits);

/// The sandbox, as its user's.
Status make_sandbox(const std::string& path, const std::optional<launch::UserIds>& user);

/// Persistent volumes become their user's; one whose directory is gone is an error.
Status own_volumes(const std::vector<VolumeMount>& volumes, const std::optional<launch::UserIds>& user);

struct Around;

struct Launched {
  launch::Helper helper;
  base::Fd oom_events;
};

/// Control groups, mount points, and the helper.
Result<Launched> launch_now(const NativeOptions& options, cgroups::Cgroups* groups, const ContainerSpec& spec,
                            const std::optional<launch::UserIds>& user, const std::string& runtime,
                            const images::ImagePtr& image, const std::vector<images::ImagePtr>& volume_images,
                            const std::optional<network::Attachment>& attached, const Around& around);

/// What is known of an ended container; removes its groups.
Termination collect_end(const NativeOptions& options, cgroups::Cgroups* groups, const ContainerSpec& spec);

// native_recovery.cpp

/// Ids of the containers that have a group or a record on this machine and are not among `known`, those inside others before
/// what they are in. Reads.
std::vector<std::string> orphans_of(const NativeOptions& options, const cgroups::Cgroups* groups, const std::set<std::string>& known);

// nested.cpp

/// The control group that the container's processes are in.
std::string group_of(const ContainerSpec& spec);

/// The group that a container of this id has when it has its own: "a/mesos/b" of "a.b".
std::string group_of_id(const std::string& id);
std::string id_of_group(const std::string& group);

/// What of its parent a container inside it needs; taken on the loop's thread.
struct Around {
  pid_t pid = 0;
  std::optional<network::Attachment> attached{};  // the networks that it is in with its parent
  std::optional<launch::LaunchOrder> guest{};  // of a debug container: its whole order
};

/// An error when the parent does not run.
Result<Around> look_around(const NativeOptions& options, const std::map<std::string, ContainerPtr>& containers,
                           const Container& container);

/// Makes `order` one for a container inside another.
void share_parent(const NativeOptions& options, const ContainerSpec& spec, const Around& around, launch::LaunchOrder& order);

/// As the container's own program was started, but for the program: what joins it later.
Result<launch::LaunchOrder> plan_inside(const NativeOptions& options, const Container& container,
                                        const mesos::v1::CommandInfo& command);

}  // namespace containerizer
