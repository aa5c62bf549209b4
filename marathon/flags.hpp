#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/flags.hpp"
#include "base/result.hpp"
#include "base/tls_settings.hpp"
#include "kernel/client/protocol.hpp"
#include "marathon/core.hpp"
#include "marathon/policy.hpp"

namespace marathon {

/// The command line, with the original's names and defaults. Times without unit are milliseconds there, except
/// failover_timeout.
struct Flags {
  std::string master;
  std::optional<std::string> zk;        // a URL that parses; absent: one process, its own store
  uint64_t zk_session_timeout = 10'000;
  uint64_t leader_proxy_connection_timeout = 5'000;
  uint64_t leader_proxy_read_timeout = 10'000;
  uint32_t leader_proxy_max_open_connections = 64;
  bool leader_proxy_events = false;
  uint64_t failover_timeout = 604'800;  // seconds
  bool ha = true;
  bool checkpoint = true;
  int64_t local_port_min = 10'000;
  int64_t local_port_max = 20'000;
  std::string hostname;
  std::optional<std::string> webui_url;
  std::optional<std::string> mesos_leader_ui_url;
  std::optional<std::string> ui_url;
  std::string mesos_role = "*";
  std::string mesos_user;
  std::string framework_name = "marathon";
  std::optional<std::string> mesos_authentication_principal;
  std::optional<std::string> mesos_authentication_secret;
  std::optional<std::string> mesos_authentication_secret_file;
  std::string env_vars_prefix;
  std::string executor = "//cmd";
  std::string metrics_name_prefix = "marathon";
  bool metrics_prometheus = true;
  std::string new_group_enforce_role = "off";
  std::string accepted_resource_roles_default_behavior = "any";
  std::optional<std::string> default_accepted_resource_roles;
  std::vector<std::string> without_effect;  // flags that were given and are missed
  uint64_t max_apps = 0;
  uint64_t task_launch_confirm_timeout = 300'000;
  uint64_t task_launch_timeout = 300'000;
  uint64_t reconciliation_interval = 600'000;
  uint64_t scale_apps_interval = 300'000;
  uint64_t mesos_heartbeat_interval = 15'000;
  uint32_t mesos_heartbeat_failure_threshold = 5;
  uint64_t draining_seconds = 0;
  bool maintenance_mode = true;
  std::string gpu_scheduling_behavior = "restricted";
  uint32_t max_concurrent_marathon_health_checks = 256;
  std::string enable_features;

  base::TlsSettings tls;  // of the listener, and towards the one that acts
  std::string http_address = "127.0.0.1";
  uint16_t http_port = 8080;
  std::optional<std::string> http_credentials;
  std::optional<std::string> http_authorization;
  std::optional<std::string> http_token_keys;
  std::optional<std::string> http_token_secret_file;
  std::string http_realm = "Mesosphere";
  bool http_compression = true;
  std::optional<uint32_t> http_max_concurrent_requests;
  std::optional<std::string> access_control_allow_origin;

  std::string data_dir = "/var/lib/marathon";
  std::optional<std::string> store;
  std::optional<std::string> restore;
  uint32_t zk_max_versions = 50;

  uint32_t max_instances_per_offer = 1000;
  uint64_t decline_offer_duration = 120'000;
  bool suppress_offers = true;
  uint32_t kill_chunk_size = 100;
  uint64_t kill_retry_timeout = 30'000;
  uint32_t max_running_deployments = 10'000;
  uint64_t deployment_progress_deadline = 0;  // seconds
  bool in_place_changes = false;
  uint64_t health_mass_failure_hold = 300;  // seconds
  std::optional<std::string> default_network_name;
  std::string mesos_bridge_name = "mesos-bridge";
  uint32_t event_stream_max_outstanding_messages = 1024;
  std::string logging_level = "info";

  /// Reads arguments and MARATHON_* variables. `table` keeps what --help needs.
  static base::Result<Flags> parse(int argc, const char* const* argv,
                                   const base::FlagTable::Environment& environment,
                                   std::string& help, bool& wants_help);

  Policy policy() const;
  base::Result<client::ProtocolOptions> protocol() const;
  mesos::v1::FrameworkInfo framework(const std::string& id, uint16_t port) const;

  const char* scheme() const { return tls.enabled ? "https" : "http"; }

  /// Texts of /v2/info.
  Identity identity(uint16_t port) const;

  std::string store_location() const;
};

}  // namespace marathon
