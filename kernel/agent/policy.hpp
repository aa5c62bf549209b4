#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/time.hpp"
#include "kernel/api/mesos/v1/agents.pb.h"
#include "kernel/api/mesos/v1/containers.pb.h"
#include "kernel/auth/credentials.hpp"

namespace agent {

/// What the flags and the machine say and the core decides by.
struct Policy {
  mesos::v1::AgentInfo info;              // without id
  std::string version;
  std::string boot_id;
  std::string ip;                         // that tasks on the host's network are reached at
  uint16_t port = 5051;
  std::string work_dir;
  std::string default_user;               // empty: the agent's own
  std::string default_executor;           // path of the program that runs task groups
  std::string socket;                     // unix socket of the agent's API; empty: none
  bool additive = true;                   // reconfiguration policy; else equal
  bool cleanup = false;                   // --recover=cleanup
  bool enforce_cpu_quota = false;
  bool limit_swap = false;
  bool revocable_low_priority = true;     // of revocable CPUs
  bool socket_for_all = false;            // of executors; else the default ones alone are told of the socket
  bool collect_api_sandboxes = false;     // of ended containers that calls launched
  std::optional<mesos::v1::ContainerInfo> default_container;  // of executors that bring none
  std::map<std::string, std::string> executor_environment;
  std::string executor_key;               // executors get tokens made with it; empty: they have none
  base::Duration executor_registration_timeout = base::minutes(1);
  base::Duration executor_reregistration_timeout = base::seconds(2);
  base::Duration executor_shutdown_grace_period = base::seconds(5);
  base::Duration recovery_timeout = base::minutes(15);
  base::Duration registration_backoff = base::seconds(1);
  std::optional<auth::BasicCredential> credential{};  // who this agent says it is to the master
  base::Duration authentication_timeout_min = base::seconds(5), authentication_timeout_max = base::minutes(1);
  base::Duration gc_delay = base::hours(24 * 7);
  double gc_disk_headroom = 0.1;
  size_t max_completed_executors = 150;
  size_t max_completed_frameworks = 50;
  size_t max_completed_tasks = 200;
};

}  // namespace agent
