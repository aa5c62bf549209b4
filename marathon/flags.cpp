#include "marathon/flags.hpp"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <climits>
#include <set>

#include "base/file.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "base/zk/url.hpp"

namespace marathon {
namespace {

constexpr const char* kApiVersion = "1.11.24";  // the release whose behaviour clients may expect

/// Flags of the original whose work is done otherwise, or is no choice any more: accepted, without effect.
constexpr const char* kIgnored[] = {
    "task_reservation_timeout", "reconciliation_initial_delay", "scale_apps_initial_delay", "on_elected_prepare_timeout",
    "min_revive_offers_interval", "launch_tokens", "launch_token_count", "launch_token_refresh_interval", "offer_matching_timeout",
    "task_lost_expunge_initial_delay", "task_lost_expunge_interval", "task_lost_expunge_gc", "max_queued_root_group_updates",
    "graceful_shutdown_timeout", "store_cache", "zk_timeout", "zk_connection_timeout", "zk_compression",
    "zk_compression_threshold", "zk_max_node_size", "zk_operation_max_retries", "zk_operation_base_retry_sleep_ms",
    "leader_election_backend", "storage_compaction_interval", "storage_compaction_scan_batch_size", "group_versions_cache_size",
    "assets_path", "https_port", "https_address", "mesos_authentication", "deprecated_features", "mesos_offer_constraints",
    "min_mesos_offer_constraints_update_interval", "revive_offers_for_new_apps", "revive_offers_repetitions",
    "reconciliation_max_batch_size", "app_info_module_execution_context_size", "default_info_service_execution_context_size",
    "deployment_manager_request_timeout", "group_manager_execution_context_size", "group_manager_request_timeout",
    "instance_tracker_num_parallel_loads", "instance_tracker_num_parallel_updates", "instance_tracker_update_queue_size",
    "launch_queue_request_timeout", "max_actor_startup_time", "max_parallel_offers", "max_parallel_status_updates",
    "max_queued_offers", "max_queued_status_updates", "scheduler_actions_execution_context_size",
    "task_operation_notification_timeout", "task_tracker_request_timeout", "task_update_request_timeout",
    "metrics_histogram_reservoir_significant_digits", "metrics_histogram_reservoir_reset_periodically",
    "metrics_histogram_reservoir_resetting_interval_ms", "metrics_histogram_reservoir_resetting_chunks",
    "leader_proxy_ssl_ignore_hostname"};

/// Flags of the original whose work is not done: accepted, with a line in the log.
constexpr const char* kMissed[] = {
    "logstash", "sentry", "sentry_tags", "tracing", "metrics_statsd", "metrics_statsd_host", "metrics_statsd_port",
    "metrics_statsd_transmission_interval_ms", "metrics_datadog", "metrics_datadog_protocol", "metrics_datadog_host",
    "metrics_datadog_port", "metrics_datadog_api_key", "metrics_datadog_transmission_interval_ms"};

/// Flags of the original without which something would be open that was closed: refused, with what to give instead.
struct Refused {
  const char* name;
  const char* instead;
};
constexpr Refused kRefused[] = {
    {"plugin_dir", "plugins of the original cannot be loaded; --http_authorization and --http_token_keys decide who may do what"},
    {"plugin_conf", "plugins of the original cannot be loaded; --http_authorization and --http_token_keys decide who may do what"},
    {"disable_http", "there is one port: --ssl_enabled makes it speak TLS only"},
    {"ssl_keystore_path", "give --ssl_cert_file and --ssl_key_file (PEM) and --ssl_enabled"},
    {"ssl_keystore_password", "give --ssl_cert_file and --ssl_key_file (PEM) and --ssl_enabled"}};

/// The name in "--name", "--disable_name" and "--name=value"; empty: no flag.
std::string_view name_of(std::string_view word) {
  if (!word.starts_with("--")) return {};
  word.remove_prefix(2);
  return word.substr(0, word.find('='));
}

/// Is one of `names`, or its "disable_" form?
template <size_t N>
bool is_among(std::string_view name, const char* const (&names)[N]) {
  if (name.starts_with("disable_")) name.remove_prefix(8);
  return std::any_of(names, names + N, [&](const char* known) { return name == known; });
}

std::string own_hostname() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

std::string own_user() {
  const passwd* entry = ::getpwuid(::geteuid());
  return entry ? entry->pw_name : "root";
}

base::Duration milliseconds(uint64_t value) { return base::milliseconds(static_cast<int64_t>(value)); }

/// A basic credential for the master, when principal and secret are given.
base::Result<std::string> authorization(const Flags& flags) {
  if (!flags.mesos_authentication_principal) return std::string();
  std::string secret = flags.mesos_authentication_secret.value_or("");
  if (flags.mesos_authentication_secret_file) {
    auto content = base::read_file(*flags.mesos_authentication_secret_file, 64 << 10);
    if (!content) return content.error().with_context("--mesos_authentication_secret_file");
    secret = std::string(base::trim(*content));
  }
  if (secret.empty()) return std::string();
  return "Basic " + base::base64_encode(*flags.mesos_authentication_principal + ":" + secret);
}

/// As /v2/info has it. What is no choice here is told as the original's default.
std::string zookeeper_config(const Flags& flags) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  w.field("zk", base::zk::parse_url(*flags.zk).value().redacted());
  w.field("zk_compression", true);
  w.field("zk_compression_threshold", 65'536);
  w.field("zk_connection_timeout", 10'000);
  w.field("zk_max_node_size", 1'024'000);
  w.field("zk_max_versions", flags.zk_max_versions);
  w.field("zk_session_timeout", flags.zk_session_timeout);
  w.field("zk_timeout", 10'000);
  w.end_object();
  return text;
}

void add_cluster(base::FlagTable& t, Flags& f) {
  t.section("Cluster");
  t.add(&f.master, "master", "The masters: host:port, several separated by commas, or zk://host:port,.../path.", {.required = true});
  t.add(&f.framework_name, "framework_name", "The name under which this scheduler registers.");
  t.add(&f.failover_timeout, "failover_timeout",
        "Seconds for which the cluster keeps the tasks when this scheduler is away.");
  t.add(&f.checkpoint, "checkpoint", "Tasks survive a restart of their agent.");
  t.add(&f.ha, "ha", "Accepted for compatibility; several schedulers run with --zk.");
  t.add(&f.mesos_role, "mesos_role", "The role in which resources are asked for.");
  t.add(&f.new_group_enforce_role, "new_group_enforce_role",
        "top: the name of a new top-level group is the role of everything in it; off: it is not.",
        {.validate = [](const std::string& text) -> base::Status {
          if (text == "top" || text == "off") return {};
          return base::invalid("must be top or off");
        }});
  t.add(&f.accepted_resource_roles_default_behavior, "accepted_resource_roles_default_behavior",
        "What apps without acceptedResourceRoles use: any (reserved for their role, and unreserved), unreserved or reserved.",
        {.validate = [](const std::string& text) -> base::Status {
          if (text == "any" || text == "unreserved" || text == "reserved") return {};
          return base::invalid("must be any, unreserved or reserved");
        }});
  t.add(&f.default_accepted_resource_roles, "default_accepted_resource_roles",
        "The same as a list of roles, as releases before 1.10 had it: * is unreserved, the role of --mesos_role reserved, both any.");
  t.add(&f.mesos_user, "mesos_user", "The user that tasks run as when the app names none (default: this process's).");
  t.add(&f.hostname, "hostname", "The name under which others reach this machine (default: its own).");
  t.add(&f.webui_url, "webui_url", "The address shown for this scheduler (default: http(s)://hostname:port).");
  t.add(&f.mesos_leader_ui_url, "mesos_leader_ui_url", "Where people find the master's pages.");
  t.add(&f.ui_url, "ui_url", "Where /ui/ leads people: the dashboard's page of services.");
  t.add(&f.mesos_authentication_principal, "mesos_authentication_principal", "The principal to register with.");
  t.add(&f.mesos_authentication_secret, "mesos_authentication_secret", "Its secret.", {.secret = true});
  t.add(&f.mesos_authentication_secret_file, "mesos_authentication_secret_file", "A file with its secret.");
  t.add(&f.mesos_heartbeat_interval, "mesos_heartbeat_interval", "Expected milliseconds between heartbeats.");
  t.add(&f.mesos_heartbeat_failure_threshold, "mesos_heartbeat_failure_threshold",
        "So many missing heartbeats end a subscription, and a new one is made.");
}

void add_http(base::FlagTable& t, Flags& f) {
  t.section("HTTP");
  t.add(&f.http_address, "http_address", "The address to listen on.");
  t.add(&f.http_port, "http_port", "The port to listen on; 0 takes a free one.");
  t.add(&f.http_credentials, "http_credentials", "user:password that every request must carry.", {.secret = true});
  t.add(&f.http_authorization, "http_authorization",
        "A JSON file of users with passwords, path prefixes and actions; what it does not grant is refused.");
  t.add(&f.http_token_keys, "http_token_keys",
        "A file with the public key (PEM) or keys (JWKS) of who signs tokens by RS256, such as the gateway's; their 'uid' is the user.");
  t.add(&f.http_token_secret_file, "http_token_secret_file",
        "A file with a secret of at least 32 bytes, by which tokens are signed (HS256); others may not read it.");
  t.add(&f.http_realm, "http_realm", "The realm named when credentials are missing.");
  t.add(&f.http_compression, "http_compression", "Compress answers for clients that take it.");
  t.add(&f.http_max_concurrent_requests, "http_max_concurrent_requests", "More at once are answered 503.");
  t.add(&f.access_control_allow_origin, "access_control_allow_origin", "Origin that browsers may call from.");
  t.add(&f.metrics_name_prefix, "metrics_name_prefix", "What the names of metrics begin with.");
  t.add(&f.metrics_prometheus, "metrics_prometheus", "Answer /metrics/prometheus.");
  t.add(&f.event_stream_max_outstanding_messages, "event_stream_max_outstanding_messages",
        "An event stream that is this many events behind is closed.");
}

void add_tasks(base::FlagTable& t, Flags& f) {
  t.section("Tasks and offers");
  t.add(&f.local_port_min, "local_port_min", "The lowest service port given to apps.");
  t.add(&f.local_port_max, "local_port_max", "The highest service port given to apps.");
  t.add(&f.executor, "executor", "What runs the tasks of apps that name no executor: //cmd, or the path of a program.");
  t.add(&f.env_vars_prefix, "env_vars_prefix", "Prefix of the port variables of tasks.");
  t.add(&f.max_apps, "max_apps", "The most apps; 0: no limit.");
  t.add(&f.task_launch_confirm_timeout, "task_launch_confirm_timeout",
        "Milliseconds until a launch that nothing is heard of is given up.");
  t.add(&f.task_launch_timeout, "task_launch_timeout", "Milliseconds until a task that does not start is killed.");
  t.add(&f.reconciliation_interval, "reconciliation_interval", "Milliseconds between reconciliations.");
  t.add(&f.scale_apps_interval, "scale_apps_interval", "Milliseconds between checks of every app's count.");
  t.add(&f.max_instances_per_offer, "max_instances_per_offer", "The most instances launched on one offer.");
  t.add(&f.decline_offer_duration, "decline_offer_duration", "Milliseconds for which unused offers are refused.");
  t.add(&f.suppress_offers, "suppress_offers", "Ask for no offers when nothing waits.");
  t.add(&f.kill_chunk_size, "kill_chunk_size", "The most kills under way at once.");
  t.add(&f.kill_retry_timeout, "kill_retry_timeout", "Milliseconds until a kill is repeated.");
  t.add(&f.max_running_deployments, "max_running_deployments", "The most deployments at once.");
  t.add(&f.deployment_progress_deadline, "deployment_progress_deadline",
        "Seconds without progress after which a deployment fails, for apps that name none; 0: never.");
  t.add(&f.in_place_changes, "in_place_changes",
        "Changes that tasks do not see (labels, strategies, delays, placement, dependencies) restart none of them.");
  t.add(&f.health_mass_failure_hold, "health_mass_failure_hold",
        "When checks of most instances of several apps fail at once, nothing is killed for them for so many seconds.");
  t.add(&f.max_concurrent_marathon_health_checks, "max_concurrent_marathon_health_checks",
        "The most health checks under way at once.");
  t.add(&f.maintenance_mode, "maintenance_mode", "Place nothing on agents in maintenance.");
  t.add(&f.draining_seconds, "draining_seconds", "So long before its maintenance an agent takes no instances.");
  t.add(&f.gpu_scheduling_behavior, "gpu_scheduling_behavior",
        "restricted: agents with GPUs take GPU apps only; unrestricted: any.",
        {.validate = [](const std::string& text) -> base::Status {
          if (text == "restricted" || text == "unrestricted") return {};
          return base::invalid("must be restricted or unrestricted");
        }});
  t.add(&f.enable_features, "enable_features", "Comma-separated: gpu_resources, secrets.");
  t.add(&f.default_network_name, "default_network_name", "The network of container networks without a name.");
  t.add(&f.mesos_bridge_name, "mesos_bridge_name", "The network behind container/bridge.");
}

void add_storage(base::FlagTable& t, Flags& f) {
  t.section("State");
  t.add(&f.data_dir, "data_dir", "The directory of the store.");
  t.add(&f.store, "store", "Where state is kept: sqlite:/path/file.db or memory: (default: sqlite in data_dir).");
  t.add(&f.restore, "restore", "A file with the answer of GET /v2/backup, read into the store before the start; it must "
        "be empty.");
  t.add(&f.zk_max_versions, "zk_max_versions", "Versions kept of each app.");
  t.add(&f.zk, "zk", "zk://user:password@host:port,.../path: several of these processes elect one that acts there, and keep "
        "the state there instead of in data_dir; the others pass requests on to it.", {.secret = true});
  t.add(&f.zk_session_timeout, "zk_session_timeout",
        "Milliseconds without a sign of life after which another takes over.");
  t.add(&f.leader_proxy_connection_timeout, "leader_proxy_connection_timeout",
        "Milliseconds until a connection to the acting process is given up.");
  t.add(&f.leader_proxy_read_timeout, "leader_proxy_read_timeout",
        "Milliseconds for which the acting process may think about its answer.");
  t.add(&f.leader_proxy_max_open_connections, "leader_proxy_max_open_connections",
        "The most connections to the acting process.");
  t.add(&f.leader_proxy_events, "leader_proxy_events",
        "Pass event streams on as well; without it their clients are sent to the acting process.");
  t.section("Log");
  t.add(&f.logging_level, "logging_level", "debug, info, warn or error.");
}

}  // namespace

base::Result<Flags> Flags::parse(int argc, const char* const* argv,
                                 const base::FlagTable::Environment& environment, std::string& help,
                                 bool& wants_help) {
  Flags flags;
  base::FlagTable table("dcos-marathon", "Keeps the apps you asked for running, on any machine of the cluster.",
                        "MARATHON_");
  add_cluster(table, flags);
  add_http(table, flags);
  add_tasks(table, flags);
  add_storage(table, flags);
  table.section("TLS: --http_port then speaks it");
  base::TlsFlags tls;
  tls.add_to(table);
  table.section("Without effect, accepted for compatibility");
  std::vector<std::optional<std::string>> ignored(std::size(kIgnored) + std::size(kMissed));
  for (size_t i = 0; i < std::size(kIgnored); ++i) table.add(&ignored[i], kIgnored[i], "What it tuned is not needed here.");
  for (size_t i = 0; i < std::size(kMissed); ++i) {
    table.add(&ignored[std::size(kIgnored) + i], kMissed[i], "What it sent elsewhere is not sent: a line in the log says so.");
  }
  // The original writes "--disable_x" where others write "--no-x", and takes values as separate words.
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) {
    std::string word = argv[i];
    const std::string name(i > 0 ? name_of(word) : "");
    for (const Refused& refused : kRefused) {
      if (name == refused.name) return base::invalid(fmt::format("--{} is not known here: {}", name, refused.instead));
    }
    const bool alone = !name.empty() && word.find('=') == std::string::npos;
    if (alone && i + 1 < argc && std::string_view(argv[i + 1]).substr(0, 2) != "--") word += "=" + std::string(argv[++i]);
    // Some are switches, some have values: it does not matter.
    if (is_among(name, kMissed)) flags.without_effect.push_back(name);
    if (is_among(name, kIgnored) || is_among(name, kMissed)) continue;
    if (word.starts_with("--disable_")) word = "--no-" + word.substr(10);
    words.push_back(std::move(word));
  }
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());
  const auto parsed = table.parse(static_cast<int>(arguments.size()), arguments.data(), environment,
                                  [](const std::string& path) { return base::read_file(path); });
  help = table.help();
  wants_help = table.help_requested();
  if (wants_help) return flags;
  if (!parsed) return parsed.error();
  ASSIGN_OR_RETURN(flags.tls, tls.settings(environment));
  if (flags.zk) {
    if (auto url = base::zk::parse_url(*flags.zk); !url) return std::move(url).error().with_context("--zk");
    if (flags.store) return base::invalid("--store and --zk name two places for the state: leave one out");
    if (flags.zk_session_timeout < 1000) return base::invalid("--zk_session_timeout must be at least 1000 milliseconds");
  }
  if (auto masters = client::parse_masters(flags.master); !masters) return std::move(masters).error().with_context("--master");
  if (flags.local_port_min < 1 || flags.local_port_max > 65535 || flags.local_port_min > flags.local_port_max) {
    return base::invalid("--local_port_min and --local_port_max must be a range within 1 to 65535");
  }
  if (flags.hostname.empty()) flags.hostname = own_hostname();
  if (flags.mesos_user.empty()) flags.mesos_user = own_user();
  return flags;
}

Policy Flags::policy() const {
  Policy p;
  p.defaults.role = mesos_role;
  p.principal = mesos_authentication_principal.value_or("");
  p.defaults.network_name = default_network_name.value_or("");
  p.defaults.bridge_name = mesos_bridge_name;
  p.validation.role = mesos_role;
  for (std::string_view feature : base::tokenize(enable_features, ',')) {
    if (base::trim(feature) == "gpu_resources") p.validation.gpu_resources = true;
    if (base::trim(feature) == "secrets") p.validation.secrets = true;
  }
  p.match.maintenance_mode = maintenance_mode;
  p.match.draining = base::seconds(static_cast<int64_t>(draining_seconds));
  p.match.gpu_restricted = gpu_scheduling_behavior == "restricted";
  p.local_port_min = static_cast<int>(local_port_min);
  p.local_port_max = static_cast<int>(local_port_max);
  p.max_apps = max_apps;
  p.executor = executor;
  p.metrics_prefix = metrics_name_prefix;
  p.metrics_prometheus = metrics_prometheus;
  p.enforce_role_of_new_groups = new_group_enforce_role == "top";
  if (default_accepted_resource_roles) {
    std::set<std::string> roles;
    for (std::string_view role : base::tokenize(*default_accepted_resource_roles, ',')) roles.emplace(base::trim(role));
    if (roles == std::set<std::string>{"*"}) p.match.roles_used = RolesUsed::Unreserved;
    if (mesos_role != "*" && roles == std::set<std::string>{mesos_role}) p.match.roles_used = RolesUsed::Reserved;
  }
  if (accepted_resource_roles_default_behavior == "unreserved") p.match.roles_used = RolesUsed::Unreserved;
  if (accepted_resource_roles_default_behavior == "reserved") p.match.roles_used = RolesUsed::Reserved;
  p.max_running_deployments = max_running_deployments;
  p.max_versions = zk_max_versions;
  p.max_instances_per_offer = max_instances_per_offer;
  p.kill_chunk_size = kill_chunk_size;
  p.max_concurrent_health_checks = max_concurrent_marathon_health_checks;
  p.kill_retry = milliseconds(kill_retry_timeout);
  p.decline_offer = milliseconds(decline_offer_duration);
  p.task_launch_confirm = milliseconds(task_launch_confirm_timeout);
  p.task_launch = milliseconds(task_launch_timeout);
  p.reconciliation_interval = milliseconds(reconciliation_interval);
  p.scale_apps_interval = milliseconds(scale_apps_interval);
  p.progress_deadline = base::seconds(static_cast<int64_t>(deployment_progress_deadline));
  p.mass_failure_hold = base::seconds(static_cast<int64_t>(health_mass_failure_hold));
  p.in_place_changes = in_place_changes;
  p.suppress_offers = suppress_offers;
  p.env_vars_prefix = env_vars_prefix;
  return p;
}

base::Result<client::ProtocolOptions> Flags::protocol() const {
  client::ProtocolOptions options;
  ASSIGN_OR_RETURN(options.masters, client::parse_masters(master));
  options.tls = tls;
  options.https = client::masters_by_https(master);
  ASSIGN_OR_RETURN(options.authorization, authorization(*this));
  options.heartbeat_interval = milliseconds(mesos_heartbeat_interval);
  options.missed_heartbeats = static_cast<int>(mesos_heartbeat_failure_threshold);
  return options;
}

mesos::v1::FrameworkInfo Flags::framework(const std::string& id, uint16_t port) const {
  using Info = mesos::v1::FrameworkInfo;
  Info info;
  info.set_user(mesos_user);
  info.set_name(framework_name);
  if (!id.empty()) info.mutable_id()->set_value(id);
  info.set_failover_timeout(static_cast<double>(failover_timeout));
  info.set_checkpoint(checkpoint);
  info.add_roles(mesos_role);
  info.set_hostname(hostname);
  info.set_webui_url(webui_url.value_or(fmt::format("{}://{}:{}", scheme(), hostname, port)));
  if (mesos_authentication_principal) info.set_principal(*mesos_authentication_principal);
  for (auto capability : {Info::Capability::PARTITION_AWARE, Info::Capability::REGION_AWARE,
                          Info::Capability::MULTI_ROLE, Info::Capability::RESERVATION_REFINEMENT,
                          Info::Capability::TASK_KILLING_STATE}) {
    info.add_capabilities()->set_type(capability);
  }
  if (policy().validation.gpu_resources) info.add_capabilities()->set_type(Info::Capability::GPU_RESOURCES);
  return info;
}

Identity Flags::identity(uint16_t port) const {
  Identity identity;
  identity.leader = fmt::format("{}:{}", hostname, port);
  identity.version = kApiVersion;
  std::string config;
  base::json::Writer w(config);
  w.begin_object();
  if (access_control_allow_origin) w.field("access_control_allow_origin", *access_control_allow_origin);
  w.field("checkpoint", checkpoint);
  w.field("decline_offer_duration", decline_offer_duration);
  if (default_network_name) w.field("default_network_name", *default_network_name);
  if (!env_vars_prefix.empty()) w.field("env_vars_prefix", env_vars_prefix);
  w.field("executor", executor);
  w.field("failover_timeout", failover_timeout);
  w.key("features");
  w.begin_array();
  for (std::string_view feature : base::tokenize(enable_features, ',')) w.value(base::trim(feature));
  w.end_array();
  w.field("framework_name", framework_name);
  w.field("ha", ha);
  w.field("hostname", hostname);
  // What is no choice here is told as the original's default.
  w.field("launch_token", 100);
  w.field("launch_token_refresh_interval", 30'000);
  w.field("leader_proxy_connection_timeout_ms", leader_proxy_connection_timeout);
  w.field("leader_proxy_read_timeout_ms", leader_proxy_read_timeout);
  w.field("local_port_max", local_port_max);
  w.field("local_port_min", local_port_min);
  w.field("maintenance_mode", maintenance_mode);
  const auto zookeeper = base::zk::parse_url(master);
  w.field("master", zookeeper ? zookeeper->redacted() : master);
  w.field("max_instances_per_offer", max_instances_per_offer);
  w.field("mesos_bridge_name", mesos_bridge_name);
  w.field("mesos_heartbeat_failure_threshold", mesos_heartbeat_failure_threshold);
  w.field("mesos_heartbeat_interval", mesos_heartbeat_interval);
  if (mesos_leader_ui_url) w.field("mesos_leader_ui_url", *mesos_leader_ui_url);
  w.field("mesos_role", mesos_role);
  w.field("mesos_user", mesos_user);
  w.field("min_revive_offers_interval", 5'000);
  w.field("new_group_enforce_role", new_group_enforce_role);
  w.field("offer_matching_timeout", 3'000);
  w.field("on_elected_prepare_timeout", 180'000);
  w.field("reconciliation_initial_delay", 15'000);
  w.field("reconciliation_interval", reconciliation_interval);
  w.field("scale_apps_initial_delay", 15'000);
  w.field("scale_apps_interval", scale_apps_interval);
  w.field("store_cache", true);
  w.field("task_launch_confirm_timeout", task_launch_confirm_timeout);
  w.field("task_launch_timeout", task_launch_timeout);
  w.field("task_lost_expunge_initial_delay", 300'000);
  w.field("task_lost_expunge_interval", 30'000);
  w.field("task_reservation_timeout", 20'000);
  w.field("webui_url", webui_url.value_or(fmt::format("{}://{}:{}", scheme(), hostname, port)));
  w.end_object();
  identity.marathon_config = std::move(config);
  if (zk) identity.zookeeper_config = zookeeper_config(*this);
  identity.http_config = fmt::format(R"({{"http_port":{},"https_port":8443}})", port);
  return identity;
}

std::string Flags::store_location() const {
  if (zk) return base::zk::parse_url(*zk).value().redacted();
  return store.value_or("sqlite:" + data_dir + "/marathon.db");
}

}  // namespace marathon
