#pragma once

// An immutable picture of the state, taken on the core's thread by copying pointers and read anywhere.

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "kernel/allocator/allocator.hpp"
#include "kernel/master/state.hpp"

namespace master {


struct AgentView {
  AgentId id;
  std::shared_ptr<const AgentInfo> info;
  std::string version, pid;
  std::vector<AgentInfo::Capability> capabilities;
  bool active = false, deactivated = false, connected = false;
  std::optional<mesos::v1::DrainInfo> drain{};
  base::Time drain_started{};
  base::Time registered{};
  std::optional<base::Time> reregistered{};
  Resources total;
  Resources offered;                         // with allocation
  std::map<FrameworkId, Resources> used;     // by tasks and executors
  std::vector<std::pair<FrameworkId, std::shared_ptr<const ExecutorInfo>>> executors;
  std::vector<std::shared_ptr<const mesos::v1::Operation>> operations;
  std::vector<std::shared_ptr<const mesos::v1::ResourceProviderInfo>> providers;
};

struct FrameworkView {
  FrameworkId id;
  std::shared_ptr<const FrameworkInfo> info;
  std::shared_ptr<const mesos::v1::scheduler::OfferConstraints> constraints;
  bool active = false, connected = false, recovered = false, completed = false, multi_role = false;
  base::Time registered{};
  std::optional<base::Time> reregistered{};
  base::Time unregistered{};
  std::string why;  // completed: why it was removed
  Resources used, offered;
  std::vector<std::shared_ptr<const mesos::v1::Task>> tasks, unreachable_tasks;
  std::vector<PackedTask> completed_tasks;
  std::vector<std::shared_ptr<const mesos::v1::Offer>> offers;
  std::vector<std::shared_ptr<const mesos::v1::InverseOffer>> inverse_offers;
  std::vector<std::pair<AgentId, std::shared_ptr<const ExecutorInfo>>> executors;
};

struct Snapshot {
  std::shared_ptr<const mesos::v1::MasterInfo> master;
  base::Time started{}, elected{};
  base::Time taken{};
  std::vector<AgentView> agents;
  std::vector<std::shared_ptr<const AgentInfo>> recovered_agents;
  size_t unreachable_agents = 0;
  std::vector<FrameworkView> frameworks;
  std::vector<FrameworkView> completed_frameworks;
  std::vector<allocator::RoleState> roles;
  std::map<std::string, double> weights;
  std::map<std::string, mesos::v1::quota::QuotaConfig> quotas;
  mesos::v1::maintenance::Schedule schedule;
  mesos::v1::maintenance::ClusterStatus maintenance;
  bool shows_flags = true;  // false: the reader may not see them
};

AgentView make_view(const Agent& agent);
FrameworkView make_view(const Framework& framework);

}  // namespace master
