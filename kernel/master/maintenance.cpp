#include "kernel/master/maintenance.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace master {

using mesos::v1::MachineID;
using mesos::v1::MachineInfo;
using mesos::v1::maintenance::Schedule;

namespace {

std::string key_of(const std::string& hostname, const std::string& ip) { return base::to_lower(hostname) + "|" + ip; }

std::string text(const MachineID& id) {
  if (id.hostname().empty()) return id.ip();
  return id.ip().empty() ? id.hostname() : id.hostname() + " (" + id.ip() + ")";
}

/// Four numbers up to 255, or something with colons.
bool is_address(const std::string& ip) {
  if (ip.find(':') != std::string::npos) {
    return std::all_of(ip.begin(), ip.end(), [](unsigned char c) { return std::isxdigit(c) || c == ':' || c == '.'; });
  }
  const auto parts = base::split(ip, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           const auto number = base::parse_uint(part);
           return part.size() <= 3 && number && *number <= 255;
         });
}

std::optional<std::string> validate_machine(const MachineID& id) {
  if (id.hostname().empty() && id.ip().empty()) return "Both 'hostname' and 'ip' for a machine are empty";
  if (id.hostname().size() > 255) return "The hostname of a machine is longer than 255 characters";
  if (!id.ip().empty() && !is_address(id.ip())) return "'" + id.ip() + "' is not an IP address";
  if (id.hostname().find_first_of("/| ") != std::string::npos) return "'" + id.hostname() + "' is not a hostname";
  return std::nullopt;
}

}  // namespace

std::string machine_key(const MachineID& id) { return key_of(id.hostname(), id.ip()); }

const MachineInfo* find_machine(const Machines& machines, const std::string& hostname, const std::string& ip) {
  for (const std::string& key : {key_of(hostname, ip), key_of(hostname, ""), key_of("", ip)}) {
    const auto found = machines.find(key);
    if (found != machines.end()) return &found->second;
  }
  return nullptr;
}

std::optional<std::string> validate_schedule(const Schedule& schedule, const Machines& machines) {
  std::set<std::string> named;
  for (const auto& window : schedule.windows()) {
    if (window.machine_ids().empty()) return "List of machines in the maintenance window is empty";
    if (window.unavailability().has_duration() && window.unavailability().duration().nanoseconds() < 0) {
      return "Unavailability 'duration' is negative";
    }
    for (const MachineID& id : window.machine_ids()) {
      if (auto why = validate_machine(id)) return why;
      if (!named.insert(machine_key(id)).second) return "Machine '" + text(id) + "' appears more than once in the schedule";
    }
  }
  for (const auto& [key, info] : machines) {
    if (info.mode() == MachineInfo::DOWN && !named.count(key)) {
      return "Machine '" + text(info.id()) + "' is deactivated and cannot be removed from the schedule";
    }
  }
  return std::nullopt;
}

std::optional<std::string> validate_machines(const google::protobuf::RepeatedPtrField<MachineID>& ids, const Machines& machines,
                                             MachineInfo::Mode mode) {
  if (ids.empty()) return "List of machines is empty";
  std::set<std::string> named;
  for (const MachineID& id : ids) {
    if (auto why = validate_machine(id)) return why;
    if (!named.insert(machine_key(id)).second) return "Machine '" + text(id) + "' appears more than once";
    const auto found = machines.find(machine_key(id));
    if (found == machines.end()) return "Machine '" + text(id) + "' is not part of a maintenance schedule";
    if (found->second.mode() != mode) {
      return fmt::format("Machine '{}' is not in {} mode and cannot be {}", text(id), MachineInfo::Mode_Name(mode),
                         mode == MachineInfo::DOWN ? "brought up" : "brought down");
    }
  }
  return std::nullopt;
}

Machines plan_machines(const Schedule& schedule, const Machines& machines) {
  Machines out;
  for (const auto& window : schedule.windows()) {
    for (const MachineID& id : window.machine_ids()) {
      MachineInfo& info = out[machine_key(id)];
      *info.mutable_id() = id;
      *info.mutable_unavailability() = window.unavailability();
      const auto known = machines.find(machine_key(id));
      const bool down = known != machines.end() && known->second.mode() == MachineInfo::DOWN;
      info.set_mode(down ? MachineInfo::DOWN : MachineInfo::DRAINING);
    }
  }
  return out;
}

Schedule without_machines(const Schedule& schedule, const google::protobuf::RepeatedPtrField<MachineID>& ids) {
  std::set<std::string> leaving;
  for (const MachineID& id : ids) leaving.insert(machine_key(id));
  Schedule out;
  for (const auto& window : schedule.windows()) {
    mesos::v1::maintenance::Window kept;
    *kept.mutable_unavailability() = window.unavailability();
    for (const MachineID& id : window.machine_ids()) {
      if (!leaving.count(machine_key(id))) *kept.add_machine_ids() = id;
    }
    if (!kept.machine_ids().empty()) *out.add_windows() = std::move(kept);
  }
  return out;
}

}  // namespace master
