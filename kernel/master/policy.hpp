#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "base/time.hpp"
#include "kernel/allocator/constraints.hpp"
#include "kernel/api/mesos/v1/values.pb.h"
#include "kernel/auth/acls.hpp"
#include "kernel/auth/credentials.hpp"
#include "kernel/master/rate_limits.hpp"

namespace master {

/// What the operator decided: the flags that the core reads, with the original's defaults.
struct Policy {
  base::Duration agent_ping_timeout = base::seconds(15);
  uint32_t max_agent_ping_timeouts = 5;
  base::Duration agent_reregister_timeout = base::minutes(10);

  /// After a fail-over agents come back over a time of this much per agent, at most `most_reconnect_spread` together.
  base::Duration agent_reconnect_pace = base::microseconds(400);
  base::Duration most_reconnect_spread = base::seconds(30);

  /// After an agent came back with operations of a framework that did not: how long what became of them is kept for it.
  base::Duration orphan_operation_patience = base::minutes(10);

  /// Between tries of a write that nobody else asks for again.
  base::Duration registry_retry = base::seconds(10);

  /// At most `agent_removals` agents per `agent_removal_period` become unreachable; absent: no limit.
  std::optional<uint32_t> agent_removals{};
  base::Duration agent_removal_period = base::seconds(1);

  std::optional<base::Duration> offer_timeout{};
  base::Duration heartbeat_interval = base::seconds(15);
  base::Duration allocation_interval = base::seconds(1);
  allocator::OfferConstraints::Limits constraint_limits{};

  size_t max_completed_frameworks = 50;
  size_t max_completed_tasks_per_framework = 1000;
  size_t max_unreachable_tasks_per_framework = 1000;

  /// Absent: every valid role.
  std::optional<std::set<std::string>> roles{};
  std::map<std::string, double> weights{};
  bool root_submissions = true;

  /// Who agents may say they are; null: agents are not asked, and with `authenticate_agents` nobody would come in.
  std::shared_ptr<const auth::Credentials> credentials{};
  bool authenticate_agents = false;

  RateLimits rate_limits{};

  /// Where this master is; agents of another region are offered to region-aware frameworks only.
  std::optional<mesos::v1::DomainInfo> domain{};
  bool require_agent_domain = false;

  /// Null: everyone may do everything.
  std::shared_ptr<const auth::Acls> acls{};

  /// After a restart, roles under a limit get no offers before this part of the agents is back, or this time is over.
  double recovery_factor = 0.8;
  base::Duration recovery_timeout = base::minutes(10);

  base::Duration registry_gc_interval = base::minutes(15);
  base::Duration registry_max_agent_age = base::hours(24 * 14);
  size_t registry_max_agent_count = 102'400;
};

}  // namespace master
