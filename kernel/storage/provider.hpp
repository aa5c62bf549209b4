#pragma once

// One provider of disks: brings its plugin up, asks it what it has, makes and deletes its volumes and publishes them on
// this machine. Deterministic: told events, asks for effects. provider.cpp dispatches, brings the plugin up and surveys it;
// provider_disks.cpp makes and deletes volumes, provider_volumes.cpp moves them between their states, provider_claims.cpp
// knows which containers use volumes that exist without us.

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/store/store.hpp"
#include "base/time.hpp"
#include "kernel/api/mesos/v1/offers.pb.h"
#include "kernel/storage/csi.pb.h"
#include "kernel/storage/disks.hpp"
#include "kernel/storage/profiles.hpp"
#include "kernel/storage/records.pb.h"

namespace storage {

/// What a plugin answered, or why it did not. `code` is gRPC's; 0: well.
struct Answer {
  int code = 0;
  std::string message;
  std::string body;
};

inline constexpr int kCancelled = 1, kDeadlineExceeded = 4, kNotFound = 5, kAborted = 10, kUnavailable = 14;

/// Which part of a plugin is asked.
enum class Part { Controller, Node };

// Events -----------------------------------------------------------------------------------------------------------

/// The first one: what the store has, and the profiles for this provider.
struct Started {
  std::vector<dcos::storage::v1::VolumeRecord> volumes;
  Profiles profiles;
};
struct ProfilesChanged {
  Profiles profiles;
};
/// The answer to RunPlugin: container number `index` of the description runs, or has ended.
struct PluginRuns {
  int index = 0;
};
struct PluginEnded {
  int index = 0;
  std::string why;
};
/// CREATE_DISK or DESTROY_DISK, once more after every start until DiskChanged answered it. `id` names the operation and,
/// where one is made, the volume.
struct ChangeDisk {
  std::string id;
  mesos::v1::Offer::Operation operation;
};
/// A volume is to be at its target path. Answered by Published.
struct PublishVolume {
  uint64_t ticket = 0;
  std::string volume;
};
/// A container wants a volume that exists without us: `volume` says which and how. Answered by Published.
struct ClaimVolume {
  uint64_t ticket = 0;
  std::string holder;  // the container
  dcos::storage::v1::VolumeRecord volume;
};
/// The container has ended: a volume that nobody claims any more is taken back.
struct ReleaseVolumes {
  std::string holder;
};
/// Which containers of an earlier run of the agent still run, by the volumes that they have: the others are taken back.
struct HoldersKnown {
  std::map<std::string, std::set<std::string>> holders;
};
struct Answered {
  uint64_t call = 0;
  Answer answer;
};
struct Persisted {
  uint64_t ticket = 0;
  base::Status status;
};
struct TimerFired {
  std::string timer;
};

using Event = std::variant<Started, ProfilesChanged, PluginRuns, PluginEnded, ChangeDisk, PublishVolume, ClaimVolume,
                           ReleaseVolumes, HoldersKnown, Answered, Persisted, TimerFired>;

// Effects ----------------------------------------------------------------------------------------------------------

/// The container `index` of the description is to run.
struct RunPlugin {
  int index = 0;
};
/// What a call says besides that is not to be seen: looked up when the call is made.
struct CallSecrets {
  int field = 0;  // of the request: a map of strings
  std::map<std::string, mesos::v1::Secret> secrets{};
};
/// A call; `directories` are made before. Answered by Answered.
struct Call {
  uint64_t id = 0;
  Part part = Part::Controller;
  std::string method;  // "/csi.v1.Node/NodePublishVolume"
  std::string body;
  base::Duration timeout{};
  std::vector<std::string> directories{};
  CallSecrets secrets{};
};
/// Directories of a volume that is nowhere mounted any more; those that are not empty stay.
struct RemoveDirectories {
  std::vector<std::string> paths;
};
/// Answered by Persisted.
struct Persist {
  uint64_t ticket = 0;
  base::StoreBatch batch;
};
struct SetTimer {
  std::string timer;
  base::Instant at;
};
/// What the plugin has; told after each start of it and when that was asked for.
struct Surveyed {
  Survey survey;
};
/// What CREATE_DISK or DESTROY_DISK made of its source, or why not.
struct DiskChanged {
  std::string id;
  base::Result<mesos::v1::Resource> disk;
};
struct Published {
  uint64_t ticket = 0;
  base::Status status;
  std::string path{};   // where it is
  bool in_use = false;  // another container has it too
};
struct Trace {
  bool warning = false;
  std::string text;
};

using Effect = std::variant<RunPlugin, Call, RemoveDirectories, Persist, SetTimer, Surveyed, DiskChanged, Published, Trace>;
using Effects = std::vector<Effect>;

// ------------------------------------------------------------------------------------------------------------------

struct Settings {
  mesos::v1::ResourceProviderInfo info;  // with id
  std::string work_dir;                  // of the agent
  std::string boot_id;
  std::string title;                     // for people: "Provider local"
};

/// Keys of a provider's volumes begin with this.
std::string volume_prefix(const std::string& provider);

class Provider {
 public:
  using State = dcos::storage::v1::VolumeRecord::State;

  explicit Provider(Settings settings);

  void on(Event event, base::Now now, Effects& out);

  const mesos::v1::ResourceProviderInfo& info() const { return settings_.info; }
  bool connected() const { return stage_ == Stage::Connected; }
  size_t volumes() const { return volumes_.size(); }
  std::optional<State> state_of(const std::string& volume) const;

 private:
  using Record = dcos::storage::v1::VolumeRecord;
  /// How far the plugin is known: each stage is a call, in this order.
  enum class Stage { Waiting, Probe, Info, Capabilities, Controller, NodeCapabilities, NodeInfo, Connected };
  enum class Goal { None, Published, Gone };
  struct Volume {
    Record record;
    Goal goal = Goal::None;
    bool busy = false;                   // a call or a commit is under way, or a delay runs
    std::vector<uint64_t> waiting;       // tickets of PublishVolume and ClaimVolume
    std::string creation, deletion;      // ids of operations that wait for it
    std::set<std::string> holders;       // containers that claim it
    std::vector<std::pair<base::Instant, ClaimVolume>> next;  // claims that wait until it was taken back
    base::Instant asked{};               // for it to be published
    base::Duration backoff{0};
  };
  struct Disk {
    mesos::v1::Offer::Operation operation;
    bool busy = false;
    base::Duration backoff{0};
  };
  struct Capabilities {
    bool controller = false, create_delete = false, publish = false, list = false, capacity = false, stage = false;
    bool topology = false;               // not every volume can be reached from every machine
    std::string node_id;
    std::optional<csi::v1::Topology> here{};
  };
  using Reaction = void (Provider::*)(const std::string& subject, Answer answer);
  struct Pending {
    Reaction reaction;
    std::string subject;
  };

  // provider.cpp
  void handle(Started event);
  void handle(ProfilesChanged event);
  void handle(PluginRuns event);
  void handle(PluginEnded event);
  void handle(ChangeDisk event);
  void handle(PublishVolume event);
  void handle(ClaimVolume event);
  void handle(ReleaseVolumes event);
  void handle(HoldersKnown event);
  void handle(Answered event);
  void handle(Persisted event);
  void handle(TimerFired event);
  bool serves(Part part) const;                    // its description says so
  void connect();
  void ask();                                     // what the stage is for
  void heard(const std::string& subject, Answer answer);
  base::Status understand(const std::string& body);
  void connection_failed(const std::string& why);
  void want_survey();
  void survey();
  void survey_next();
  void listed(const std::string& subject, Answer answer);
  void measured(const std::string& profile, Answer answer);
  void survey_failed(const Answer& answer);
  void call(Part part, const char* method, const google::protobuf::MessageLite& message, Reaction reaction,
            std::string subject, std::vector<std::string> directories = {}, CallSecrets secrets = {});
  void set_timer(std::string timer, base::Duration after) { out_->push_back(SetTimer{std::move(timer), now_.instant + after}); }
  void say(bool warning, const std::string& text);

  // provider_disks.cpp
  void start_disks();
  void start(const std::string& id, Disk& disk);
  void create(const std::string& id, Disk& disk);
  void created(const std::string& id, Answer answer);
  void adopt(const std::string& id, Disk& disk);
  void adopted(const std::string& id, Answer answer);
  void keep(const std::string& id, Disk& disk, csi::v1::Volume made);
  void finish(const std::string& id, base::Result<mesos::v1::Resource> disk);
  bool retry_disk(const std::string& id, const char* what, const Answer& answer);
  base::Result<std::pair<std::string, const Profile*>> profile_of(const mesos::v1::Offer::Operation& operation) const;

  // provider_volumes.cpp
  void advance(const std::string& id);
  void up(const std::string& id, Volume& volume);
  void down(const std::string& id, Volume& volume);
  void enter(const std::string& id, Volume& volume, State state);
  void save(Volume& volume, const std::string& id);
  void saved(const std::string& id);
  void moved(const std::string& id, Answer answer);
  void deleted(const std::string& id, Answer answer);
  void gone(const std::string& id, bool deleted);
  void give_up(const std::string& id, Volume& volume, const std::string& why);
  std::string staging_path(const std::string& id) const;
  std::string target(const std::string& id) const;

  // provider_claims.cpp
  void want(const std::string& id, Volume& volume);
  void let_go(const std::string& id, Volume& volume);
  void claims_expired(const std::string& id, Volume& volume);

  Settings settings_;
  Profiles profiles_;
  Stage stage_ = Stage::Waiting;
  bool started_ = false;
  bool complained_ = false;                       // about the plugin, since it was last connected
  base::Duration connect_backoff_{0};
  std::map<int, bool> running_;                   // its containers
  std::map<int, base::Duration> restart_backoff_;
  Capabilities can_;
  std::map<std::string, Volume> volumes_;         // by id
  std::map<std::string, Disk> disks_;             // by operation
  bool survey_wanted_ = false, surveying_ = false;
  Survey survey_;
  std::vector<std::string> unmeasured_;           // profiles whose space was not asked for yet
  std::map<uint64_t, Pending> calls_;
  std::map<uint64_t, std::string> commits_;       // ticket -> volume
  uint64_t next_ = 1;

  // Of the event being handled.
  base::Now now_{};
  Effects* out_ = nullptr;
};

}  // namespace storage
