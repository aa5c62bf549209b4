#pragma once

// What the flags decide about the core's behaviour.

#include <cstdint>
#include <string>

#include "base/time.hpp"
#include "chronos/job.hpp"

namespace chronos {

struct Policy {
  JobDefaults defaults;
  std::string role = "*";
  std::string cluster_name;                        // in the subject of notifications; empty: none
  base::Duration failure_retry = base::seconds(60);
  int64_t disable_after_failures = 0;              // 0: never
  bool retry_only_after_success = false;           // the original's rule: after an exhausted failure, no retries
  size_t history_limit = 5;                        // runs per job that are kept
  base::Duration decline_offer = base::seconds(5);
  base::Duration reconciliation_interval = base::seconds(600);
  base::Duration confirm_interval = base::seconds(5);  // a launch that nothing is heard of is asked about
  base::Duration kill_retry = base::seconds(30);
  size_t max_jobs = 200'000;
  size_t max_runs_per_job = 1'000;                 // at once, of a concurrent job
  size_t max_launches_per_offer = 2'000;
};

}  // namespace chronos
