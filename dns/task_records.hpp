#pragma once

// The records of one task (pure): what README.md's table says, from the task, its framework's name and its agent's address.

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dns/address.hpp"
#include "dns/names.hpp"
#include "dns/zone.hpp"

namespace dns {

enum class IpSource { NetInfo, Mesos, Docker, Host };

struct DiscoveryPort {
  uint32_t number = 0;
  std::string name, protocol;
  bool operator==(const DiscoveryPort&) const = default;
};

/// What is kept of a task.
struct Task {
  std::string id, agent_id, name;
  std::string discovery_name;                          // empty: it brings no discovery information
  std::vector<DiscoveryPort> discovery_ports;
  std::vector<std::pair<uint16_t, uint16_t>> ports;    // host ports, both ends included
  std::vector<Address> netinfo, mesos_label, docker_label;  // addresses by source, of the newest running status
  bool port_mapping = false;                           // a port of the host leads to it
  bool running = false;
  double status_time = 0;                              // of the status that the addresses are from
  bool operator==(const Task&) const = default;
};

struct RecordRules {
  std::string domain = "mesos";
  LabelRules labels = LabelRules::Rfc1123;
  std::vector<IpSource> sources{IpSource::NetInfo, IpSource::Mesos, IpSource::Host};
};

inline constexpr std::string_view kDcosDomain = "dcos.thisdcos.directory";
inline constexpr std::string_view kVipDomain = "l4lb.thisdcos.directory";
inline constexpr std::string_view kMirrorDomain = "mesos.thisdcos.directory";

/// Appends every record, each once, sorted. Names that nobody could ask for are left out.
void append_task_records(const Task& task, const std::string& framework, const std::vector<Address>& agent,
                         const RecordRules& rules, std::vector<Record>& out);

/// Appends an A or AAAA record.
void append_address(std::vector<Record>& out, std::string name, const Address& address);

}  // namespace dns
