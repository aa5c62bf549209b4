#pragma once

// Planned maintenance: which machines go away when. A machine is named by host name, address or both; what is left out
// matches anything. Source: the original's maintenance documentation.

#include <map>
#include <optional>
#include <string>

#include "kernel/api/mesos/v1/maintenance/maintenance.pb.h"

namespace master {

/// By machine_key.
using Machines = std::map<std::string, mesos::v1::MachineInfo>;

/// "hostname|ip": host names compare without case.
std::string machine_key(const mesos::v1::MachineID& id);

/// The machine in maintenance that an agent at `hostname` and `ip` stands on; null when there is none.
const mesos::v1::MachineInfo* find_machine(const Machines& machines, const std::string& hostname, const std::string& ip);

/// What is wrong with the schedule, given the machines that are down now.
std::optional<std::string> validate_schedule(const mesos::v1::maintenance::Schedule& schedule, const Machines& machines);

/// What is wrong with a list of machines that are all to be in `mode` now.
std::optional<std::string> validate_machines(const google::protobuf::RepeatedPtrField<mesos::v1::MachineID>& ids,
                                             const Machines& machines, mesos::v1::MachineInfo::Mode mode);

/// The machines of a new schedule; those that are down stay down.
Machines plan_machines(const mesos::v1::maintenance::Schedule& schedule, const Machines& machines);

/// The schedule without these machines; windows without machines go.
mesos::v1::maintenance::Schedule without_machines(const mesos::v1::maintenance::Schedule& schedule,
                                                  const google::protobuf::RepeatedPtrField<mesos::v1::MachineID>& ids);

}  // namespace master
