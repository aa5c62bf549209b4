#pragma once

// What the flags decide about the core's behaviour.

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace metronome {

struct Policy {
  std::string role = "*";
  std::string env_prefix;                            // before HOST
  size_t history_limit = 1000;                       // runs that are kept per job, of each outcome
  base::Duration decline_offer = base::seconds(5);
  base::Duration reconciliation_interval = base::minutes(15);
  base::Duration confirm_interval = base::seconds(10);  // launches that nothing was heard of
  base::Duration kill_retry = base::seconds(10);
  size_t max_launches_per_offer = 100;
  size_t max_jobs = 100'000;
  size_t max_active_runs = 1000;                     // per job
  std::vector<std::pair<std::string, std::string>> config;  // shown by GET /info
};

}  // namespace metronome
