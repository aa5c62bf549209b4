#pragma once

// What the flags decide about the core's behaviour.

#include <string>

#include "base/time.hpp"
#include "marathon/app_json.hpp"
#include "marathon/matcher.hpp"
#include "marathon/validation.hpp"

namespace marathon {

/// The kernel's own executor of a command.
inline constexpr std::string_view kCommandExecutor = "//cmd";

struct Policy {
  AppDefaults defaults;
  ValidationPolicy validation;
  MatchPolicy match;
  int local_port_min = 10000;
  int local_port_max = 20000;
  size_t max_apps = 0;  // 0: no limit
  size_t max_running_deployments = 10'000;
  size_t max_versions = 50;
  size_t max_instances_per_offer = 1000;
  size_t max_instances_per_app = 100'000;
  size_t kill_chunk_size = 100;
  size_t max_concurrent_health_checks = 256;
  base::Duration kill_retry = base::seconds(30);
  base::Duration decline_offer = base::seconds(120);
  base::Duration task_launch_confirm = base::seconds(300);
  base::Duration task_launch = base::seconds(300);
  base::Duration overdue_interval = base::seconds(5);
  base::Duration reconciliation_interval = base::seconds(600);
  base::Duration scale_apps_interval = base::seconds(300);
  base::Duration progress_deadline{0};  // of deployments whose apps name none; 0: they may take for ever
  base::Duration mass_failure_hold = base::seconds(300);  // 0: health checks that fail all at once kill at once
  bool in_place_changes = false;        // what tasks do not see restarts none of them
  bool suppress_offers = true;
  bool enforce_role_of_new_groups = false;  // --new_group_enforce_role=top
  std::string metrics_prefix = "marathon";
  bool metrics_prometheus = true;
  std::string principal;         // of the framework; empty: none
  std::string env_vars_prefix;
  std::string executor{kCommandExecutor};  // of apps that name none
  bool force_app_delete = true;  // an app's own deployment never blocks its deletion
};

}  // namespace marathon
