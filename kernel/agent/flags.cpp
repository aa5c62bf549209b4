#include "kernel/agent/flags.hpp"

#include <boost/json.hpp>
#include <set>

#include "base/json/proto.hpp"
#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/zk/url.hpp"
#include "kernel/agent/modules.hpp"
#include "kernel/api/mesos/v1/agents.pb.h"
#include "kernel/api/mesos/v1/containers.pb.h"
#include "kernel/containerizer/container_dns.hpp"
#include "kernel/containerizer/isolators/capability_names.hpp"
#include "kernel/containerizer/isolators/selection.hpp"
#include "kernel/containerizer/network/policy.hpp"
#include "kernel/containerizer/network/request.hpp"

namespace agent {
namespace {

struct Absent {
  const char* name;
  const char* default_value;  // null: unset
};

// Flags of the original whose functions this build lacks.
constexpr Absent kAbsentValues[] = {
    {"appc_store_dir", nullptr},
    {"docker_volume_checkpoint_dir", "/var/run/mesos/isolators/docker/volume"},
    {"docker", "docker"},
    {"docker_socket", "/var/run/docker.sock"},
    {"docker_remove_delay", "6hrs"},
    {"docker_mesos_image", nullptr},
    {"docker_stop_timeout", "0ns"},
    {"authenticatee", "crammd5"},
    {"authorizer", "local"},
    {"volume_gid_range", nullptr},
    {"hadoop_home", nullptr},
    {"agent_subsystems", nullptr},
    {"perf_events", nullptr},
    {"perf_interval", "1mins"},
    {"perf_duration", "10secs"},
    {"modules_dir", nullptr},
    {"hooks", nullptr},
    {"secret_resolver", nullptr},
    {"master_detector", nullptr},
    {"ip6", nullptr},
    {"ip6_discovery_command", nullptr},
    {"http_authenticators", "basic"},
    {"appc_simple_discovery_uri_prefix", "http://"},
};

// Flags of the original that say nothing to this build, whatever their value: there is no Docker daemon and no systemd in the
// way, executors speak HTTP alone, and the log is written as it comes.
constexpr const char* kIgnored[] = {"executor_reregistration_retry_interval", "systemd_runtime_directory", "logbufsecs"};
constexpr const char* kIgnoredSwitches[] = {"docker_kill_orphans", "http_command_executor", "systemd_enable_support", "quiet",
                                            "initialize_driver_logging"};

struct AbsentSwitch {
  const char* name;
  bool default_value;
};

constexpr AbsentSwitch kAbsentSwitches[] = {
    {"cgroups_cpu_enable_pids_and_tids_count", false},
    {"docker_volume_chown", false},
    {"memory_profiling", false},
};

/// What an agent without these could not do for the master.
base::Status check_features(const std::string& text) {
  using Capability = mesos::v1::AgentInfo::Capability;
  const auto parsed = base::json::parse(text);
  if (!parsed) return parsed.error().with_context("--agent_features");
  const auto* list = base::json::find(*parsed, "/capabilities");
  if (list == nullptr || !list->is_array()) return base::invalid("--agent_features must have a list 'capabilities'");
  std::set<std::string> named;
  for (const auto& each : list->get_array()) {
    Capability::Type type{};
    const auto name = base::json::get_string(each, "/type");
    if (!name) return name.error().with_context("--agent_features");
    if (!Capability::Type_Parse(*name, &type)) return base::invalid("--agent_features: there is no capability '" + *name + "'");
    named.insert(*name);
  }
  for (const char* needed : {"MULTI_ROLE", "HIERARCHICAL_ROLE", "RESERVATION_REFINEMENT", "AGENT_OPERATION_FEEDBACK",
                             "RESOURCE_PROVIDER", "AGENT_DRAINING", "TASK_RESOURCE_LIMITS"})
    if (!named.contains(needed)) return base::invalid("--agent_features: " + std::string(needed) + " is required");
  return {};
}

}  // namespace

Flags::Flags()
    : table_(std::make_unique<base::FlagTable>(
          "dcos-agent", "Runs tasks on this machine for the frameworks of a cluster.", "MESOS_")) {
  using Options = base::FlagTable::Options;
  auto& t = *table_;
  t.section("Cluster");
  t.add(&master, "master",
        "Where the master is: host:port, zk://host:port,.../path (the one that leads), or file:///path of a file with it.",
        Options{.required = true});
  t.add(&zk_session_timeout, "zk_session_timeout", "How long ZooKeeper may be silent before the leading master counts as unknown.");
  t.add(&ip, "ip", "Address to listen on; default: the one that the host name stands for.");
  t.add(&port, "port", "Port to listen on.");
  t.add(&advertise_ip, "advertise_ip", "Address that others reach this agent at, when it is not --ip.");
  t.add(&advertise_port, "advertise_port", "Port that others reach this agent at, when it is not --port.");
  t.add(&ip_discovery_command, "ip_discovery_command", "Program that prints the address to listen on.");
  t.add(&hostname, "hostname", "Name that this agent is shown under; default: the machine's.");
  t.add(&hostname_lookup, "hostname_lookup", "Without --hostname: look the name up; otherwise the address is used.");
  t.add(&registration_backoff_factor, "registration_backoff_factor", "First delay between attempts to register.");
  t.section("Access");
  t.add(&credential, "credential", R"(File with who this agent is to the master: {"principal":"p","secret":"s"}.)",
        Options{.from_file = true, .secret = true});
  t.add(&authentication_backoff_factor, "authentication_backoff_factor",
        "Accepted; attempts are --authentication_timeout_min apart, then more.");
  t.add(&authentication_timeout_min, "authentication_timeout_min",
        "How long the master may take to authenticate this agent, the first time.");
  t.add(&authentication_timeout_max, "authentication_timeout_max", "And after some times; each time is twice as long as the one before.");
  t.add(&http_credentials, "http_credentials",
        R"(File with who may ask this agent: {"credentials":[{"principal":..,"secret":..}]}.)", Options{.from_file = true, .secret = true});
  t.add(&authenticate_http_readonly, "authenticate_http_readonly", "Reading endpoints ask for a principal and its secret.");
  t.add(&authenticate_http_readwrite, "authenticate_http_readwrite", "/api/v1 and /logging/toggle ask for a principal and its secret.");
  t.add(&jwt_secret_key, "jwt_secret_key",
        "File with the key of executors' tokens: each executor gets one that is good for its own container alone.",
        Options{.aliases = {"executor_secret_key"}, .from_file = true, .secret = true});
  t.add(&authenticate_http_executors, "authenticate_http_executors", "/api/v1/executor asks executors for their token.");
  t.add(&acls, "acls", "Access control lists, as JSON or as the path of a file: who may see and do what on this agent.",
        Options{.from_file = true});
  tls_flags_->add_to(t);
  t.section("What this machine offers");
  t.add(&resources, "resources", "cpus:4;mem:4096;... or JSON; what is not named is detected.", Options{.from_file = true});
  t.add(&attributes, "attributes", "rack:abc;zone:east", Options{});
  t.add(&default_role, "default_role", "Role that resources without a role belong to.");
  t.add(&domain, "domain", "Region and zone of this machine as JSON.", Options{.from_file = true});
  t.section("Directories");
  t.add(&work_dir, "work_dir", "Sandboxes and the agent's own state; must survive a reboot.", Options{.required = true});
  t.add(&runtime_dir, "runtime_dir", "Records of running containers; default: below the work directory.");
  t.add(&launcher_dir, "launcher_dir", "Where dcos-launch is; default: beside this program.");
  t.add(&frameworks_home, "frameworks_home", "Put before relative paths of URIs.");
  t.add(&default_container_dns, "default_container_dns",
        "How containers resolve names: JSON of the original, and network mode HOST for containers on the host's network.",
        {.from_file = true, .validate = [](const std::string& text) -> base::Status {
           const auto dns = containerizer::ContainerDns::parse(text);
           return dns ? base::Status() : base::Status(dns.error());
         }});
  t.add(&log_dir, "log_dir", "Accepted; the log goes to standard error.");
  t.add(&external_log_file, "external_log_file", "File in which somebody keeps the log; served as /slave/log.");
  t.section("Containers");
  t.add(&isolation, "isolation", "Isolators, separated by commas.");
  t.add(&launcher, "launcher", "linux or posix; default: linux for root.");
  t.add(&containerizers, "containerizers", "Only mesos; images run natively.");
  t.add(&switch_user, "switch_user", "Run tasks as the user that they name.");
  t.add(&cgroups_hierarchy, "cgroups_hierarchy", "Where cgroups are mounted.");
  t.add(&cgroups_root, "cgroups_root", "Name of this agent's cgroup; every agent of a machine needs its own.");
  t.add(&cgroups_enable_cfs, "cgroups_enable_cfs", "Hold tasks to the processors they asked for.");
  t.add(&cgroups_limit_swap, "cgroups_limit_swap", "Count swap as memory.");
  t.add(&cgroups_destroy_timeout, "cgroups_destroy_timeout", "How long the end of a container may take.");
  t.add(&fetcher_stall_timeout, "fetcher_stall_timeout", "A download without progress for that long fails.");
  t.add(&fetcher_cache_size, "fetcher_cache_size", "How much of fetched files is kept for other containers; 0B: nothing.");
  t.add(&fetcher_cache_dir, "fetcher_cache_dir", "Where they are kept, in a directory per agent; default: below the work directory.");
  t.add(&container_logger, "container_logger",
        "org_apache_mesos_LogrotateContainerLogger: stdout and stderr are turned over at 10 MB, nine old files stay, or as "
        "its parameters in --modules say; default: they grow without limit.");
  t.section("What containers may do");
  t.add(&effective_capabilities, "effective_capabilities", R"({"capabilities":["CHOWN"]}: those of programs that ask for none.)",
        Options{.from_file = true});
  t.add(&bounding_capabilities, "bounding_capabilities", "The same: those that any program can come to have.",
        Options{.from_file = true});
  t.add(&seccomp_config_dir, "seccomp_config_dir", "Directory of profiles in docker's format that containers may name.");
  t.add(&seccomp_profile_name, "seccomp_profile_name",
        "Profile of containers that name none; 'default' is built in. Unset: Docker's kind of container has the built-in one, "
        "others have none.");
  t.add(&allowed_devices, "allowed_devices",
        R"({"allowed_devices":[{"device":{"path":"/dev/fuse"},"access":{"read":true}}]}: besides the common ones.)",
        Options{.from_file = true});
  t.add(&cgroups_pids_limit, "cgroups_pids_limit", "How many processes and threads a container may have; unset: no limit.");
  t.add(&userns_first_id, "userns_first_id",
        "The machine's user and group ids from this one on are for containers alone (namespaces/user), 65536 for each.");
  t.add(&userns_containers, "userns_containers", "How many containers at most have such ids at the same time.");
  t.add(&default_container_shm_size, "default_container_shm_size", "Size of a container's /dev/shm; default: 64MB.");
  t.add(&disallow_sharing_agent_ipc_namespace, "disallow_sharing_agent_ipc_namespace", "Refuse containers that ask for it.");
  t.add(&disallow_sharing_agent_pid_namespace, "disallow_sharing_agent_pid_namespace", "Refuse containers that ask for it.");
  t.add(&host_path_volume_force_creation, "host_path_volume_force_creation",
        "/dir:... below which missing host paths of volumes are made.");
  t.add(&secret_dir, "secret_dir",
        "Directory of secrets that tasks refer to: secret a/b is the file a/b. It and its files must be closed to others.");
  t.add(&secret_command, "secret_command",
        "Instead of --secret_dir: a program that reads a/b from its standard input and answers with the secret on its standard output.");
  t.add(&container_disk_watch_interval, "container_disk_watch_interval", "Between two looks at the space that containers take.");
  t.add(&enforce_container_disk_quota, "enforce_container_disk_quota",
        "Hold containers to their disk: disk/du ends them, disk/xfs refuses their writes.");
  t.add(&xfs_project_range, "xfs_project_range", "[first-last]: XFS projects for containers.");
  t.add(&xfs_kill_containers, "xfs_kill_containers", "disk/xfs ends containers instead of refusing their writes.");
  t.add(&xfs_quota_headroom, "xfs_quota_headroom", "How far beyond their disk they get until then.");
  t.add(&nvidia_gpu_devices, "nvidia_gpu_devices", "0,1,...: the /dev/nvidiaN that containers may have; default: all.");
  t.add(&cgroups_net_cls_primary_handle, "cgroups_net_cls_primary_handle", "0xAAAA: upper half of the class of packets.");
  t.add(&cgroups_net_cls_secondary_handles, "cgroups_net_cls_secondary_handles",
        "0xAAAA,0xBBBB: first and last lower half; default: all.");
  t.add(&default_container_info, "default_container_info", "ContainerInfo, as JSON, of executors that bring none.",
        {.from_file = true, .validate = [](const std::string& text) -> base::Status {
           mesos::v1::ContainerInfo info;
           return base::json::proto_from_json(text, info);
         }});
  t.section("Images");
  t.add(&image_providers, "image_providers", "Kinds of images that containers may have: docker (OCI images too); empty: none.");
  t.add(&image_provisioner_backend, "image_provisioner_backend", "overlay or copy; default: overlay where it can be mounted.");
  t.add(&docker_registry, "docker_registry",
        "Registry of images without one in their name; or a directory: images are archives repository:tag.tar in it.");
  t.add(&docker_store_dir, "docker_store_dir", "Where images are kept; default: below the work directory.");
  t.add(&docker_config, "docker_config", "Logins of registries, as in docker's config.json.",
        Options{.from_file = true, .secret = true});
  t.add(&docker_registry_mirrors, "docker_registry_mirrors",
        "[registry=]url,... that are asked first; without a registry: for the default one.");
  t.add(&docker_insecure_registries, "docker_insecure_registries",
        "host[:port],... whose certificates are not checked and that may speak plain HTTP.");
  t.add(&docker_archive_directories, "docker_archive_directories", "/dir,... where images named file:///dir/image.tar may be.");
  t.add(&docker_parallel_downloads, "docker_parallel_downloads", "How many layers are downloaded at a time.");
  t.add(&docker_stall_timeout, "docker_stall_timeout", "A download of a layer without progress for that long is begun anew.");
  t.add(&docker_ignore_runtime, "docker_ignore_runtime", "Take no entry point, command, environment and directory from images.");
  t.add(&image_gc_config, "image_gc_config", R"({"image_disk_headroom":0.1,...}: when unused images are removed.)",
        Options{.from_file = true});
  t.add(&sandbox_directory, "sandbox_directory", "Where containers with an image see their sandbox.");
  t.section("Networks of containers");
  t.add(&network_cni_config_dir, "network_cni_config_dir", "Directory of networks: *.conf and *.conflist, read again at each launch.");
  t.add(&network_cni_plugins_dir, "network_cni_plugins_dir",
        "/dir:... of CNI plugins; mesos-cni-port-mapper with bridge and host-local is built in.");
  t.add(&network_cni_root_dir_persist, "network_cni_root_dir_persist",
        "Keep what is known of containers' networks below --work_dir, durably, so that they are cleaned up after a reboot too.");
  t.add(&network_cni_metrics, "network_cni_metrics", "Count what goes through the interfaces of containers with networks of their own.");
  t.add(&network_cni_plugin_timeout, "network_cni_plugin_timeout", "A plugin that takes longer is ended, and its call has failed.");
  t.add(&docker_bridge_network, "docker_bridge_network", "The network that docker's BRIDGE stands for.");
  t.add(&network_policy, "network_policy", R"({"rules":[...]}: which containers may connect to which, by the labels of their networks.)",
        {.from_file = true, .validate = [](const std::string& text) -> base::Status {
           const auto policy = containerizer::network::Policy::parse(text);
           return policy ? base::Status() : base::Status(policy.error());
         }});
  t.add(&container_ports_watch_interval, "container_ports_watch_interval",
        "How often the isolator network/ports looks at the ports that containers on the host's network listen on.");
  t.add(&container_ports_isolated_range, "container_ports_isolated_range", "[31000-32000]: network/ports cares about these alone.");
  t.add(&check_agent_port_range_only, "check_agent_port_range_only", "network/ports cares about the agent's own ports alone.");
  t.add(&enforce_container_ports, "enforce_container_ports", "End a container that listens on a port that it was not given.");
  t.section("Executors");
  t.add(&executor_environment_variables, "executor_environment_variables", "JSON object: variables of every executor.",
        Options{.from_file = true});
  t.add(&executor_registration_timeout, "executor_registration_timeout", "How long a new executor may take to subscribe.");
  t.add(&executor_reregistration_timeout, "executor_reregistration_timeout",
        "How long an executor may take to come back after the agent was restarted; at most 15secs.");
  t.add(&executor_shutdown_grace_period, "executor_shutdown_grace_period", "Between asking an executor to end and killing it.");
  t.add(&max_completed_executors_per_framework, "max_completed_executors_per_framework", "How many ended ones are shown.");
  t.add(&domain_socket_location, "domain_socket_location",
        "Unix socket of this agent's API; default: agent.sock below the runtime directory. Default executors use it.");
  t.add(&http_executor_domain_sockets, "http_executor_domain_sockets", "Tell all executors without an image of that socket.");
  t.add(&http_heartbeat_interval, "http_heartbeat_interval",
        "Between two signs of life on streams of a container's output.");
  t.add(&agent_features, "agent_features", R"({"capabilities":[{"type":"MULTI_ROLE"},...]}: checked; all that there are are always used.)",
        Options{.from_file = true});
  t.section("Storage");
  t.add(&resource_provider_config_dir, "resource_provider_config_dir",
        "Directory with descriptions of resource providers, one JSON file (*.json) each: storage plugins whose disks this agent offers.");
  t.add(&disk_profile_adaptor, "disk_profile_adaptor",
        "Where kinds of disks are described: org_apache_mesos_UriDiskProfileAdaptor, whose parameter uri in --modules names the "
        "file or URL.");
  t.add(&csi_plugin_config_dir, "csi_plugin_config_dir",
        "Directory with descriptions of storage plugins, one JSON file each: their volumes are given to containers that name them. "
        "Needs the isolator volume/csi.");
  t.section("Oversubscription");
  t.add(&resource_estimator, "resource_estimator",
        "What idle resources are offered a second time, as revocable ones: org_apache_mesos_FixedResourceEstimator or "
        "dcos_UsageResourceEstimator, with parameters in --modules; default: none.");
  t.add(&oversubscribed_resources_interval, "oversubscribed_resources_interval", "How often they are estimated.");
  t.add(&qos_controller, "qos_controller",
        "When executors on revocable resources must go: org_apache_mesos_LoadQoSController, with parameters in --modules; default: never.");
  t.add(&qos_correction_interval_min, "qos_correction_interval_min", "How often that is asked at most; a second at least.");
  t.add(&revocable_cpu_low_priority, "revocable_cpu_low_priority", "Revocable CPUs get what others leave over.");
  t.section("Recovery and cleaning");
  t.add(&recover, "recover", "reconnect: go on; cleanup: end all tasks and exit.");
  t.add(&recovery_timeout, "recovery_timeout", "How long executors wait for the agent to come back.");
  t.add(&reconfiguration_policy, "reconfiguration_policy", "additive: resources may grow; equal: nothing may change.");
  t.add(&strict, "strict", "Accepted; records that do not decode are reported and left out.");
  t.add(&gc_delay, "gc_delay", "How long sandboxes of ended executors stay.");
  t.add(&gc_non_executor_container_sandboxes, "gc_non_executor_container_sandboxes",
        "So are those of ended containers that calls of the API launched; otherwise they stay until they are removed by a call.");
  t.add(&gc_disk_headroom, "gc_disk_headroom", "Part of the disk that is kept free by removing sandboxes earlier.");
  t.add(&disk_watch_interval, "disk_watch_interval", "How often the disk is looked at.");
  t.add(&firewall_rules, "firewall_rules", R"({"disabled_endpoints":{"paths":["/files/browse"]}})", Options{.from_file = true});
  t.add(&modules, "modules", "JSON of the original: parameters of what is built in under the names of its modules.",
        Options{.from_file = true});
  t.add(&logging_level, "logging_level", "INFO, WARNING or ERROR.");
  t.section("Accepted at their defaults: this build does not have these functions");
  for (const auto& flag : kAbsentValues) t.add(&absent_values_[flag.name], flag.name, "");
  for (const auto& flag : kAbsentSwitches) t.add(&absent_switches_[flag.name], flag.name, "");
  t.section("Accepted without effect");
  for (const char* name : kIgnored) t.add(&ignored_[name], name, "");
  for (const char* name : kIgnoredSwitches) t.add(&absent_switches_[name], name, "");
}

base::Status Flags::parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                          const base::FlagTable::FileReader& read) {
  RETURN_IF_ERROR(table_->parse(argc, argv, environment, read));
  if (help_requested() || version_requested()) return {};
  ASSIGN_OR_RETURN(tls, tls_flags_->settings(environment));
  if (const auto given = environment.find("LIBPROCESS_IP"); given != environment.end()) libprocess_ip = given->second;
  return check();
}

base::Status Flags::check() const {
  for (const auto& flag : kAbsentValues) {
    const auto& value = absent_values_.at(flag.name);
    if (value && (flag.default_value == nullptr || *value != flag.default_value))
      return base::unsupported("--" + std::string(flag.name) + "=" + *value + " is not supported by this build" +
                               (flag.default_value != nullptr ? " (only the default, " + std::string(flag.default_value) + ")"
                                                              : ""));
  }
  for (const auto& flag : kAbsentSwitches) {
    const auto& value = absent_switches_.at(flag.name);
    if (value && *value != flag.default_value)
      return base::unsupported("--" + std::string(*value ? "" : "no-") + flag.name + " is not supported by this build");
  }
  if (base::zk::is_url(master)) {
    if (auto url = base::zk::parse_url(master); !url) return std::move(url).error().with_context("--master");
  }
  if (zk_session_timeout < base::milliseconds(500)) return base::invalid("--zk_session_timeout must be at least 500ms");
  if (authentication_timeout_min <= base::Duration(0) || authentication_timeout_max < authentication_timeout_min)
    return base::invalid("--authentication_timeout_min must be positive and not more than --authentication_timeout_max");
  if ((authenticate_http_readonly || authenticate_http_readwrite) && !http_credentials)
    return base::invalid("authentication needs --http_credentials=FILE: without it nobody could ever be let in");
  if (jwt_secret_key && base::trim(*jwt_secret_key).empty()) return base::invalid("--jwt_secret_key: the key is empty");
  if (authenticate_http_executors && !jwt_secret_key)
    return base::invalid("--authenticate_http_executors needs --jwt_secret_key=FILE: without it no executor could ever be let in");
  if (tls.enabled && tls.verify_server && tls.ca_file.empty() && !tls.ca_dir.empty())
    return base::invalid("--ssl_ca_dir does not serve for the link to the master: give --ssl_ca_file");
  if (containerizers != "mesos")
    return base::unsupported("--containerizers=" + containerizers + ": this build has the mesos containerizer only");
  if (recover != "reconnect" && recover != "cleanup") return base::invalid("--recover must be reconnect or cleanup");
  if (reconfiguration_policy != "equal" && reconfiguration_policy != "additive")
    return base::invalid("--reconfiguration_policy must be equal or additive");
  if (executor_reregistration_timeout > base::seconds(15))
    return base::invalid("--executor_reregistration_timeout may be at most 15secs");
  if (ip && ip_discovery_command) return base::invalid("--ip and --ip_discovery_command exclude each other");
  if (launcher && *launcher != "linux" && *launcher != "posix") return base::invalid("--launcher must be linux or posix");
  if (disk_watch_interval < base::milliseconds(1)) return base::invalid("--disk_watch_interval must be positive");
  if (secret_command && !secret_command->starts_with('/')) return base::invalid("--secret_command must be an absolute path");
  if (secret_dir && secret_command) return base::invalid("--secret_dir or --secret_command, not both");
  if (logging_level != "INFO" && logging_level != "WARNING" && logging_level != "ERROR")
    return base::invalid("--logging_level must be INFO, WARNING or ERROR");
  if (gc_disk_headroom < 0 || gc_disk_headroom > 1) return base::invalid("--gc_disk_headroom must be between 0 and 1");
  if (work_dir.empty() || work_dir[0] != '/') return base::invalid("--work_dir must be an absolute path");
  for (const auto part : base::tokenize(cgroups_root, '/'))
    if (part == "." || part == "..") return base::invalid("--cgroups_root may not contain '" + std::string(part) + "'");
  if (base::tokenize(cgroups_root, '/').empty()) return base::invalid("--cgroups_root may not be empty");
  if (http_heartbeat_interval < base::milliseconds(100)) return base::invalid("--http_heartbeat_interval must be at least 100ms");
  if (domain_socket_location && (!domain_socket_location->starts_with('/') || domain_socket_location->size() >= 108))
    return base::invalid("--domain_socket_location must be an absolute path of less than 108 characters");
  if (agent_features) RETURN_IF_ERROR(check_features(*agent_features));
  RETURN_IF_ERROR(check_containers());
  ASSIGN_OR_RETURN(const Modules known, parse_modules(modules.value_or("")));
  RETURN_IF_ERROR(log_rules(container_logger.value_or(""), known));
  RETURN_IF_ERROR(disk_profiles(disk_profile_adaptor.value_or(""), known));
  RETURN_IF_ERROR(agent::resource_estimator(resource_estimator.value_or(""), known));
  RETURN_IF_ERROR(agent::qos_controller(qos_controller.value_or(""), known));
  if (oversubscribed_resources_interval < base::milliseconds(100))
    return base::invalid("--oversubscribed_resources_interval must be at least 100ms");
  RETURN_IF_ERROR(check_networks());
  return check_images();
}

base::Status Flags::check_containers() const {
  const auto named = [](base::Status status, const char* flag) {
    return status ? status : base::Status(status.error().with_context(flag));
  };
  const auto selected = containerizer::Isolation::parse(isolation);
  if (!selected) return selected.error();
  if (selected->has("volume/csi") && !selected->has("filesystem/linux"))
    return base::invalid("--isolation: volume/csi needs filesystem/linux");
  if (selected->has("volume/csi") != csi_plugin_config_dir.has_value())
    return base::invalid("the isolator volume/csi and --csi_plugin_config_dir need each other");
  std::optional<uint64_t> effective, bounding;
  if (effective_capabilities) {
    auto mask = containerizer::parse_capabilities(*effective_capabilities);
    if (!mask) return mask.error().with_context("--effective_capabilities");
    effective = *mask;
  }
  if (bounding_capabilities) {
    auto mask = containerizer::parse_capabilities(*bounding_capabilities);
    if (!mask) return mask.error().with_context("--bounding_capabilities");
    bounding = *mask;
  }
  if (effective && bounding && (*effective & ~*bounding) != 0)
    return base::invalid("--effective_capabilities: " + containerizer::render_capabilities(*effective & ~*bounding) +
                         " is not among --bounding_capabilities");
  if (allowed_devices) {
    mesos::v1::DeviceWhitelist devices;
    RETURN_IF_ERROR(named(base::json::proto_from_json(*allowed_devices, devices), "--allowed_devices"));
    for (const auto& item : devices.allowed_devices())
      if (!item.device().path().starts_with('/'))
        return base::invalid("--allowed_devices: every device needs an absolute path");
  }
  if (default_container_shm_size) {
    const auto bytes = base::parse_bytes(*default_container_shm_size);
    if (!bytes) return bytes.error().with_context("--default_container_shm_size");
    if (*bytes == 0) return base::invalid("--default_container_shm_size must be positive");
  }
  if (container_disk_watch_interval < base::milliseconds(100))
    return base::invalid("--container_disk_watch_interval must be at least 100ms");
  if (cgroups_pids_limit && *cgroups_pids_limit == 0) return base::invalid("--cgroups_pids_limit must be at least 1");
  // The blocks of an agent that is restarted with other flags must be the same or apart.
  if (userns_first_id == 0 || userns_first_id % 65536 != 0)
    return base::invalid("--userns_first_id must be a multiple of 65536, at least 65536");
  if (userns_containers == 0 || userns_first_id + uint64_t{userns_containers} * 65536 > uint64_t{1} << 31)
    return base::invalid("--userns_containers must be at least 1, and --userns_first_id + 65536 for each at most 2147483648");
  return {};
}

base::Status Flags::check_networks() const {
  const auto absolute = [](const char* flag, const std::optional<std::string>& paths) -> base::Status {
    const std::string list = paths.value_or("");
    for (const auto path : base::tokenize(list, ':'))
      if (!path.starts_with('/')) return base::invalid(std::string("--") + flag + ": " + std::string(path) + " is no absolute path");
    return {};
  };
  RETURN_IF_ERROR(absolute("network_cni_config_dir", network_cni_config_dir));
  RETURN_IF_ERROR(absolute("network_cni_plugins_dir", network_cni_plugins_dir));
  if (network_cni_plugins_dir && !network_cni_config_dir)
    return base::invalid("--network_cni_plugins_dir needs --network_cni_config_dir, the directory of the networks");
  if (network_cni_plugin_timeout < base::milliseconds(100)) return base::invalid("--network_cni_plugin_timeout must be at least 100ms");
  if (!containerizer::network::valid_network_name(docker_bridge_network))
    return base::invalid("--docker_bridge_network must be the name of a network");
  if (container_ports_watch_interval < base::milliseconds(100))
    return base::invalid("--container_ports_watch_interval must be at least 100ms");
  if (check_agent_port_range_only && container_ports_isolated_range)
    return base::invalid("--check_agent_port_range_only and --container_ports_isolated_range exclude each other");
  return {};
}

base::Status Flags::check_images() const {
  const std::string providers = image_providers.value_or(""), directories = docker_archive_directories.value_or("");
  for (const auto provider : base::tokenize(providers, ','))
    if (provider != "docker" && provider != "oci")
      return base::unsupported("--image_providers=" + std::string(provider) +
                               " is not supported by this build; it has docker (OCI images too)");
  if (!sandbox_directory.starts_with('/') || sandbox_directory == "/")
    return base::invalid("--sandbox_directory must be an absolute path other than /");
  for (const auto part : base::tokenize(sandbox_directory, '/'))
    if (part == "..") return base::invalid("--sandbox_directory may not contain '..'");
  if (!docker_registry.starts_with('/') && !docker_registry.starts_with("file:///") && !docker_registry.starts_with("https://") &&
      !docker_registry.starts_with("http://"))
    return base::invalid("--docker_registry must be http(s)://host[:port] or an absolute directory");
  for (const auto directory : base::tokenize(directories, ','))
    if (!directory.starts_with('/')) return base::invalid("--docker_archive_directories must be absolute paths");
  if (docker_parallel_downloads == 0 || docker_parallel_downloads > 64)
    return base::invalid("--docker_parallel_downloads must be 1 to 64");
  if (docker_stall_timeout < base::milliseconds(100)) return base::invalid("--docker_stall_timeout must be at least 100ms");
  return {};
}

std::map<std::string, std::string> Flags::effective() const {
  auto out = table_->effective();
  if (const auto url = base::zk::parse_url(master)) out["master"] = url->redacted();
  return out;
}

}  // namespace agent
