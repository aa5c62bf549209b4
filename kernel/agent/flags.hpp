#pragma once

// The agent's flags: those of the original by name. What this build does not do is accepted at its default value and
// refused, with a sentence, at any other.

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/flags.hpp"
#include "base/result.hpp"
#include "base/tls_settings.hpp"

namespace agent {

constexpr const char* kDefaultIsolation =
    "cgroups/cpu,cgroups/mem,cgroups/pids,cgroups/devices,namespaces/pid,namespaces/ipc,filesystem/linux,posix/rlimits,"
    "linux/capabilities,linux/devices,linux/seccomp,volume/secret";

struct Flags {
  Flags();

  /// Reads arguments and environment and checks what belongs together. Afterwards help_requested() or
  /// version_requested() may say that nothing else is wanted.
  base::Status parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                     const base::FlagTable::FileReader& read);

  std::string master, work_dir;
  base::Duration zk_session_timeout = base::seconds(10);
  std::optional<std::string> ip, advertise_ip, ip_discovery_command, hostname, resources, attributes, runtime_dir,
      launcher_dir, frameworks_home, default_container_dns, executor_environment_variables, domain, log_dir, firewall_rules,
      external_log_file, default_container_info, domain_socket_location, agent_features;
  std::string libprocess_ip;  // the variable LIBPROCESS_IP of this process, for executors
  bool http_executor_domain_sockets = false, gc_non_executor_container_sandboxes = false;
  base::Duration http_heartbeat_interval = base::seconds(30);
  std::optional<std::string> image_providers, image_provisioner_backend, docker_store_dir, docker_config,
      docker_registry_mirrors, docker_insecure_registries, docker_archive_directories, image_gc_config;
  std::optional<std::string> network_cni_config_dir, network_cni_plugins_dir, network_policy, container_ports_isolated_range;
  std::string docker_bridge_network = "mesos-bridge";
  bool network_cni_root_dir_persist = false, network_cni_metrics = true;
  bool check_agent_port_range_only = false, enforce_container_ports = false;
  base::Duration network_cni_plugin_timeout = base::minutes(1), container_ports_watch_interval = base::seconds(30);
  std::string docker_registry = "https://registry-1.docker.io", sandbox_directory = "/mnt/mesos/sandbox";
  std::optional<std::string> fetcher_cache_dir, container_logger, modules, resource_provider_config_dir, disk_profile_adaptor,
      csi_plugin_config_dir;
  std::optional<std::string> resource_estimator, qos_controller;
  base::Duration oversubscribed_resources_interval = base::seconds(15), qos_correction_interval_min = base::Duration{0};
  bool revocable_cpu_low_priority = true;
  base::Bytes fetcher_cache_size{uint64_t{2} << 30};
  uint32_t docker_parallel_downloads = 3;
  bool docker_ignore_runtime = false;
  base::Duration docker_stall_timeout = base::minutes(1);
  std::optional<uint16_t> advertise_port;
  uint16_t port = 5051;
  bool hostname_lookup = true;
  std::string default_role = "*";
  std::string isolation = kDefaultIsolation;
  std::optional<std::string> effective_capabilities, bounding_capabilities, seccomp_config_dir, seccomp_profile_name,
      allowed_devices, default_container_shm_size, host_path_volume_force_creation, secret_dir, secret_command;
  std::optional<uint32_t> cgroups_pids_limit;
  uint32_t userns_first_id = 1879048192, userns_containers = 4000;
  std::optional<std::string> nvidia_gpu_devices, cgroups_net_cls_primary_handle, cgroups_net_cls_secondary_handles;
  std::string xfs_project_range = "[5000-10000]", xfs_quota_headroom = "10MB";
  bool enforce_container_disk_quota = false, xfs_kill_containers = false;
  base::Duration container_disk_watch_interval = base::seconds(15);
  bool disallow_sharing_agent_ipc_namespace = false, disallow_sharing_agent_pid_namespace = false;
  std::optional<std::string> launcher;
  std::string containerizers = "mesos";
  std::string recover = "reconnect";
  std::string reconfiguration_policy = "additive";
  std::string cgroups_hierarchy = "/sys/fs/cgroup";
  std::string cgroups_root = "mesos";
  std::string logging_level = "INFO";
  bool strict = true, switch_user = true, cgroups_enable_cfs = false, cgroups_limit_swap = false;
  double gc_disk_headroom = 0.1;
  base::Duration gc_delay = base::hours(24 * 7), disk_watch_interval = base::minutes(1),
                 executor_registration_timeout = base::minutes(1), executor_reregistration_timeout = base::seconds(2),
                 executor_shutdown_grace_period = base::seconds(5), recovery_timeout = base::minutes(15),
                 registration_backoff_factor = base::seconds(1), cgroups_destroy_timeout = base::minutes(1),
                 fetcher_stall_timeout = base::minutes(1);
  uint32_t max_completed_executors_per_framework = 150;
  std::optional<std::string> credential, http_credentials, acls, jwt_secret_key;
  base::Duration authentication_backoff_factor = base::seconds(1), authentication_timeout_min = base::seconds(5),
                 authentication_timeout_max = base::minutes(1);
  bool authenticate_http_readonly = false, authenticate_http_readwrite = false, authenticate_http_executors = false;
  base::TlsSettings tls;

  bool help_requested() const { return table_->help_requested(); }
  bool version_requested() const { return table_->version_requested(); }
  std::string help() const { return table_->help(); }

  /// For /flags.
  std::map<std::string, std::string> effective() const;

 private:
  base::Status check() const;
  base::Status check_images() const;
  base::Status check_containers() const;
  base::Status check_networks() const;

  std::map<std::string, std::optional<std::string>> absent_values_;
  std::map<std::string, std::optional<bool>> absent_switches_;
  std::map<std::string, std::optional<std::string>> ignored_;
  std::unique_ptr<base::FlagTable> table_;
  std::unique_ptr<base::TlsFlags> tls_flags_ = std::make_unique<base::TlsFlags>();
};

}  // namespace agent
