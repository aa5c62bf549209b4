#pragma once

// What a master says of itself in ZooKeeper, as every client of the original reads it: node "json.info_0000000131" with
// MasterInfo as JSON. Older labels are read, not written.

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"

namespace api {

inline constexpr std::string_view kMasterLabel = "json.info";

std::string render_master_info(const mesos::v1::MasterInfo& info);

/// `label` of the node: "json.info" (JSON), "info" (protobuf), "" ("master@ip:port"). The result has address, hostname and
/// port filled in from whichever field says them.
base::Result<mesos::v1::MasterInfo> parse_master_info(std::string_view label, std::string_view data);

/// "ip:port": where agents and programs connect.
std::string master_address(const mesos::v1::MasterInfo& info);

/// "hostname:port" (the address when it has no name): what redirects name.
std::string master_name(const mesos::v1::MasterInfo& info);

}  // namespace api
