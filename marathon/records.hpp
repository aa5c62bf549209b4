#pragma once

// What is stored, one record per object. Values are JSON, so that a person can read them.
//
//   app:<id>@<version>    a definition            current:<id>     the version that is in force
//   group:<id>            a group                 instance:<id>    one that was launched at least once
//   deployment:<id>       one under way           failure:<app>    the app's last task failure
//   tree:<version>        what a change replaced, for versions of groups
//   release:<reservation> resources and volumes to be given back
//   framework-id          given by the master     schema           version of this layout
//   start-order:<what>    for the next start alone

#include <string>

#include "base/result.hpp"
#include "marathon/state.hpp"

namespace marathon {

inline constexpr std::string_view kSchemaVersion = "1";
inline constexpr std::string_view kInstancePrefix = "instance:";

std::string app_key(const PathId& id, Version version);
std::string current_key(const PathId& id);
std::string group_key(const PathId& id);
std::string instance_key(const InstanceId& id);
std::string deployment_key(const std::string& id);
std::string failure_key(const PathId& app);
std::string tree_key(Version version);
inline constexpr std::string_view kReleasePrefix = "release:";
std::string release_key(const std::string& reservation);
inline constexpr const char* kFrameworkIdKey = "framework-id";
inline constexpr const char* kSchemaKey = "schema";

// What the next start is to do first: a file's URI each.
inline constexpr std::string_view kOrderPrefix = "start-order:";
inline constexpr const char* kBackupOrderKey = "start-order:backup";
inline constexpr const char* kRestoreOrderKey = "start-order:restore";

std::string encode_instance(const Instance& instance);
base::Result<Instance> decode_instance(const std::string& text);

std::string encode_group(const Group& group);
base::Result<Group> decode_group(const std::string& text);

/// Definitions are stored by reference: id and versions.
std::string encode_deployment(const Deployment& deployment);

struct StoredChange {
  PathId id;
  Version from, to;  // 0: none
  std::vector<InstanceId> kill_list;
};
struct StoredDeployment {
  Deployment deployment;  // without changes and steps
  std::vector<StoredChange> changes;
};
base::Result<StoredDeployment> decode_deployment(const std::string& text);

std::string encode_past_change(const PastChange& change);
base::Result<PastChange> decode_past_change(const std::string& text);

std::string encode_failure(const TaskFailure& failure);
base::Result<TaskFailure> decode_failure(const std::string& text);

}  // namespace marathon
