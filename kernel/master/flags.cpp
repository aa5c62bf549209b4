#include "kernel/master/flags.hpp"

#include <algorithm>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/api/domain.hpp"

namespace master {

namespace {

constexpr char kSummary[] =
    "Leads a cluster: agents register with it, schedulers get offers from it and launch tasks.\n\n"
    "  dcos-master --ip=127.0.0.1 --port=5050 --work_dir=/var/lib/dcos/master\n"
    "  dcos-master --ip=10.0.0.1 --zk=zk://10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181/mesos\n\n"
    "Agents find the link port by GET /agent-link on the HTTP port; both must be reachable for them. What must survive a "
    "restart is in <work_dir>/registry.db, or in ZooKeeper. See /help on the HTTP port for the endpoints.";

using Options = base::FlagTable::Options;

Options aliases(std::vector<std::string> names) {
  Options options;
  options.aliases = std::move(names);
  return options;
}

}  // namespace

base::Result<std::pair<uint32_t, base::Duration>> parse_rate(std::string_view text) {
  const auto parts = base::split(text, '/');
  if (parts.size() != 2) return base::invalid("'" + std::string(text) + "' is not a rate such as 1/10mins");
  ASSIGN_OR_RETURN(const uint64_t permits, base::parse_uint(parts[0]));
  ASSIGN_OR_RETURN(const base::Duration period, base::parse_duration(parts[1]));
  if (permits == 0 || permits > 1'000'000 || period <= base::Duration(0)) {
    return base::invalid("a rate needs at least one permit and a positive duration");
  }
  return std::pair(static_cast<uint32_t>(permits), period);
}

base::Result<std::set<std::string>> read_whitelist(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, 16 << 20));
  std::set<std::string> out;
  for (const auto line : base::tokenize(text, '\n')) {
    if (!base::trim(line).empty()) out.emplace(base::trim(line));
  }
  return out;
}

Flags::Flags() : table("dcos-master", kSummary, "MESOS_") {
  add_address_flags();
  add_registry_flags();
  add_election_flags();
  add_policy_flags();
  add_allocation_flags();
  add_access_flags();
  tls_flags_.add_to(table);
  add_log_flags();
  add_absent_flags();
}

void Flags::add_address_flags() {
  table.section("Addresses");
  table.add(&ip, "ip", "address to listen on");
  table.add(&port, "port", "port of the HTTP APIs; 0 takes a free one");
  table.add(&agent_link_port, "agent_link_port", "port on which agents connect; default: port + 1000; 0 takes a free one");
  table.add(&advertise_ip, "advertise_ip", "address that others use to reach this master, when it is not --ip");
  table.add(&advertise_port, "advertise_port", "port that others use to reach this master, when it is not --port");
  table.add(&hostname, "hostname", "name that others see; default: the name of the host, or the address");
  table.add(&hostname_lookup, "hostname_lookup", "find out the host's name when --hostname is not given");
  table.add(&cluster, "cluster", "name of the cluster, shown in /state");
}

void Flags::add_registry_flags() {
  table.section("Registry");
  table.add(&work_dir, "work_dir", "directory for what must survive a restart");
  table.add(&registry, "registry",
            "'replicated_log' keeps the registry: in work_dir (SQLite), with --zk in ZooKeeper; 'in_memory' forgets it");
  table.add(&registry_fetch_timeout, "registry_fetch_timeout",
            "a leader that has not read the registry from ZooKeeper by then lets another lead");
  table.add(&registry_store_timeout_, "registry_store_timeout", "accepted; a write that fails is reported and tried again");
  table.add(&policy.registry_gc_interval, "registry_gc_interval", "how often old unreachable and gone agents are forgotten");
  table.add(&policy.registry_max_agent_age, "registry_max_agent_age", "how long unreachable and gone agents are remembered");
  table.add(&registry_max_agent_count_, "registry_max_agent_count", "how many unreachable and gone agents are remembered");
}

void Flags::add_election_flags() {
  table.section("Several masters");
  Options url;
  url.from_file = true;
  url.secret = true;  // it may hold a password; /flags shows it without
  table.add(&zk_, "zk", "ZooKeeper, by which several masters elect one: zk://[user:password@]host:port,.../path, or a file with it", url);
  table.add(&zk_session_timeout, "zk_session_timeout",
            "how long ZooKeeper waits for a master that is silent before another leads; at least two of its ticks");
  table.add(&quorum_, "quorum", "accepted; how many copies make the registry durable is the ZooKeeper ensemble's matter");
}

base::Status Flags::check_election() {
  if (!zk_) return {};
  auto parsed = base::zk::parse_url(*zk_);
  if (!parsed) return std::move(parsed).error().with_context("--zk");
  zk = std::move(*parsed);
  if (zk_session_timeout < base::milliseconds(500) || zk_session_timeout > base::minutes(5)) {
    return base::invalid("--zk_session_timeout must be between 500ms and 5mins");
  }
  if (!(policy.recovery_factor >= 0 && policy.recovery_factor <= 1)) {
    return base::invalid("--allocator_agent_recovery_factor must be between 0 and 1");
  }
  if (quorum_ && *quorum_ == 0) return base::invalid("--quorum must be at least 1");
  return {};
}

void Flags::add_policy_flags() {
  table.section("Agents");
  table.add(&policy.agent_ping_timeout, "agent_ping_timeout", "how often an agent is asked for a sign of life",
            aliases({"slave_ping_timeout"}));
  table.add(&policy.max_agent_ping_timeouts, "max_agent_ping_timeouts", "missed answers after which an agent is unreachable",
            aliases({"max_slave_ping_timeouts"}));
  table.add(&policy.agent_reregister_timeout, "agent_reregister_timeout",
            "how long an agent may stay away after a disconnection or a restart of the master (at least 10mins)",
            aliases({"slave_reregister_timeout"}));
  table.add(&agent_removal_rate_limit_, "agent_removal_rate_limit", "agents that become unreachable per time, as 1/10mins",
            aliases({"slave_removal_rate_limit"}));
  Options json;
  json.from_file = true;
  table.add(&domain_, "domain",
            R"(region and zone of this master: {"fault_domain":{"region":{"name":..},"zone":{"name":..}}}, or a file with it)", json);
  table.add(&policy.require_agent_domain, "require_agent_domain", "agents without a fault domain are refused");
  table.section("Frameworks");
  table.add(&roles_, "roles", "deprecated: the only roles that may be used, separated by commas");
  table.add(&policy.root_submissions, "root_submissions", "frameworks may run as root");
  table.add(&max_completed_frameworks_, "max_completed_frameworks", "removed frameworks that are remembered");
  table.add(&max_completed_tasks_, "max_completed_tasks_per_framework", "ended tasks that are remembered per framework");
  table.add(&max_unreachable_tasks_, "max_unreachable_tasks_per_framework",
            "unreachable tasks that are remembered per framework");
  table.add(&max_operator_event_stream_subscribers, "max_operator_event_stream_subscribers",
            "subscribers of the operator API's events; beyond, the oldest is cut off");
  table.add(&publish_per_framework_metrics, "publish_per_framework_metrics", "metrics show each framework by itself");
}

void Flags::add_allocation_flags() {
  table.section("Offers");
  table.add(&policy.offer_timeout, "offer_timeout", "an offer that is not answered by then is taken back; default: never");
  table.add(&policy.allocation_interval, "allocation_interval",
            "shortest life of a decline's filter; offers are made as soon as resources are free, without an interval");
  table.add(&weights_, "weights", "deprecated: weights of roles as role=2,other=1.5; the registry's win");
  table.add(&role_sorter_, "role_sorter", "order of roles: drf or random", aliases({"user_sorter"}));
  table.add(&framework_sorter_, "framework_sorter", "order of frameworks in a role: drf or random");
  table.add(&excluded_names_, "fair_sharing_excluded_resource_names", "resources that do not count towards shares");
  table.add(&allocator_options.filter_gpu_resources, "filter_gpu_resources",
            "agents with gpus are offered to frameworks with the GPU_RESOURCES capability only");
  table.add(&min_allocatable_, "min_allocatable_resources", "an offer has at least one of these, e.g. cpus:0.01|mem:32");
  table.add(&policy.recovery_factor, "allocator_agent_recovery_factor",
            "after a restart, roles with a quota limit get offers when this part of the agents is back (0 to 1); others at once");
  table.add(&policy.recovery_timeout, "allocator_recovery_timeout", "how long roles with a quota limit wait for that at most");
  table.add(&whitelist_, "whitelist",
            "file with the hostnames of the only agents to offer, one per line; read again every 5 seconds");
  table.add(&constraint_memory_, "offer_constraints_re2_max_mem",
            "how much memory a regular expression of a framework's offer constraints may take");
  table.add(&constraint_program_size_, "offer_constraints_re2_max_program_size",
            "how large the program of such a regular expression may be");
}

void Flags::add_access_flags() {
  table.section("Access");
  Options file;
  file.from_file = true;
  file.secret = true;
  table.add(&credentials_, "credentials", "file with the principals and secrets: {\"credentials\":[{\"principal\":..,\"secret\":..}]}",
            file);
  table.add(&authenticate_readonly_, "authenticate_http_readonly", "reading endpoints ask for a principal and its secret");
  table.add(&authenticate_readwrite_, "authenticate_http_readwrite", "changing endpoints ask for a principal and its secret",
            aliases({"authenticate_http"}));
  table.add(&authenticate_schedulers_, "authenticate_http_frameworks", "schedulers are asked for a principal and its secret");
  table.add(&policy.authenticate_agents, "authenticate_agents", "agents are asked for a principal and the proof of its secret",
            aliases({"authenticate_slaves"}));
  Options lists;
  lists.from_file = true;
  table.add(&rate_limits_, "rate_limits",
            "calls per second of schedulers by principal, as JSON or the path of a file: "
            R"({"limits":[{"principal":..,"qps":..,"capacity":..}],..})",
            lists);
  table.add(&acls_, "acls", "access control lists, as JSON or as the path of a file: who may do what", lists);
  table.add(&firewall_rules_, "firewall_rules",
            "endpoints that answer 403, as JSON or as the path of a file: "
            R"({"disabled_endpoints":{"paths":["/files/browse"]}})",
            lists);
}

base::Status Flags::read_access() {
  std::shared_ptr<const auth::Credentials> credentials;
  if (credentials_) {
    auto read = auth::Credentials::parse(*credentials_);
    if (!read) return read.error().with_context("--credentials");
    credentials = std::make_shared<const auth::Credentials>(std::move(*read));
  }
  if ((authenticate_readonly_ || authenticate_readwrite_ || authenticate_schedulers_) && !credentials) {
    return base::invalid("authentication needs --credentials=FILE: without it nobody could ever be let in");
  }
  authentication = Authentication(credentials, authenticate_readonly_, authenticate_readwrite_, authenticate_schedulers_);
  policy.credentials = credentials;
  if (policy.authenticate_agents && !credentials) {
    return base::invalid("--authenticate_agents needs --credentials=FILE: without it no agent could ever be let in");
  }
  if (firewall_rules_) {
    auto read = auth::Firewall::parse(*firewall_rules_);
    if (!read) return read.error().with_context("--firewall_rules");
    firewall = std::move(*read);
  }
  if (rate_limits_) {
    auto read = RateLimits::parse(*rate_limits_);
    if (!read) return read.error().with_context("--rate_limits");
    policy.rate_limits = std::move(*read);
  }
  if (acls_) {
    auto read = auth::Acls::parse(*acls_);
    if (!read) return read.error().with_context("--acls");
    policy.acls = std::make_shared<const auth::Acls>(std::move(*read));
  }
  return {};
}

base::Status Flags::read_domain() {
  if (!domain_) return {};
  auto read = api::parse_domain(*domain_);
  if (!read) return std::move(read).error().with_context("--domain");
  policy.domain = std::move(*read);
  allocator_options.region = policy.domain->fault_domain().region().name();
  return {};
}

void Flags::add_log_flags() {
  table.section("Log");
  table.add(&logging_level, "logging_level", "INFO, WARNING or ERROR; DEBUG shows every launch");
  table.add(&quiet, "quiet", "log errors only");
  table.add(&log_dir, "log_dir", "shown in /state; the log itself goes to standard error");
  table.add(&external_log_file, "external_log_file", "file in which somebody keeps our log; served as /master/log");
}

void Flags::absent(std::string name, std::optional<std::string> default_text, std::string sentence,
                   std::vector<std::string> names) {
  auto flag = std::make_unique<Absent>();
  flag->name = name;
  flag->sentence = sentence;
  flag->optional = !default_text;
  flag->default_text = default_text.value_or("");
  flag->text = flag->default_text;
  if (flag->optional) {
    table.add(&flag->optional_text, std::move(name), "not supported: " + sentence, aliases(std::move(names)));
  } else {
    table.add(&flag->text, std::move(name), "not supported: " + sentence, aliases(std::move(names)));
  }
  absent_.push_back(std::move(flag));
}

void Flags::absent_switch(std::string name, bool default_value, std::string sentence, std::vector<std::string> names) {
  auto flag = std::make_unique<Absent>();
  flag->name = name;
  flag->sentence = sentence;
  flag->boolean = true;
  flag->truth = flag->default_truth = default_value;
  table.add(&flag->truth, std::move(name), "not supported: " + sentence, aliases(std::move(names)));
  absent_.push_back(std::move(flag));
}

void Flags::add_absent_flags() {
  table.section("Known, not supported: accepted at their defaults");
  absent("authorizers", "local", "access control lists are the only authorizer");
  absent_switch("authenticate_frameworks", false, "there is no authentication of frameworks", {"authenticate"});
  absent("authentication_v0_timeout", "15secs", "there is no message protocol of the original");
  absent("authenticators", "crammd5", "there is no message protocol of the original");
  absent("http_authenticators", "basic", "Basic is the only scheme");
  absent("http_framework_authenticators", std::nullopt, "Basic is the only scheme");
  absent("recovery_agent_removal_limit", "100%", "a master that misses many agents waits for them instead of ending",
         {"recovery_slave_removal_limit"});
  absent("allocator", "hierarchical", "there is one allocator");
  absent_switch("log_auto_initialize", true, "the registry is made when it is missing");
  absent_switch("registry_strict", false, "the registry is always strict");
  absent("ip_discovery_command", std::nullopt, "give the address by --ip");
  absent("hooks", std::nullopt, "modules cannot be loaded");
  absent("modules", std::nullopt, "modules cannot be loaded");
  absent("modules_dir", std::nullopt, "modules cannot be loaded");
  absent("master_contender", std::nullopt, "modules cannot be loaded; see --zk");
  absent("master_detector", std::nullopt, "modules cannot be loaded; see --zk");
  absent("webui_dir", "/usr/local/share/mesos/webui", "pages are served by the gateway");
  absent_switch("memory_profiling", false, "use a profiler from outside");
  absent_switch("initialize_driver_logging", true, "there are no drivers in this process");
  absent("logbufsecs", "0", "the log is not buffered");
  absent("max_executors_per_agent", std::nullopt, "the number of executors is not limited", {"max_executors_per_slave"});
}

base::Status Flags::parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment) {
  const auto read = [](const std::string& path) { return base::read_file(path, 16 << 20); };
  RETURN_IF_ERROR(table.parse(argc, argv, environment, read));
  if (table.help_requested() || table.version_requested()) return {};
  ASSIGN_OR_RETURN(tls, tls_flags_.settings(environment));
  return check();
}

base::Status Flags::check() {
  RETURN_IF_ERROR(check_election());
  RETURN_IF_ERROR(check_absent());
  if (registry != "replicated_log" && registry != "in_memory") {
    return base::invalid("--registry must be 'replicated_log' or 'in_memory', not '" + registry + "'");
  }
  if (!in_memory() && !work_dir && !zk) {
    return base::invalid("--work_dir is needed: the registry lives there (or use --registry=in_memory to forget it at exit)");
  }
  if (policy.agent_reregister_timeout < base::minutes(10)) {
    return base::invalid("--agent_reregister_timeout must be at least 10mins: agents back off that long after a failover");
  }
  if (policy.agent_ping_timeout < base::seconds(1) || policy.agent_ping_timeout > base::minutes(15)) {
    return base::invalid("--agent_ping_timeout must be between 1secs and 15mins");
  }
  if (policy.max_agent_ping_timeouts < 1) return base::invalid("--max_agent_ping_timeouts must be at least 1");
  if (policy.offer_timeout && *policy.offer_timeout <= base::Duration(0)) {
    return base::invalid("--offer_timeout must be positive");
  }
  if (agent_removal_rate_limit_) {
    ASSIGN_OR_RETURN(const auto rate, parse_rate(*agent_removal_rate_limit_));
    policy.agent_removals = rate.first;
    policy.agent_removal_period = rate.second;
  }
  if (roles_) {
    policy.roles.emplace();
    for (const auto role : base::tokenize(*roles_, ',')) policy.roles->insert(std::string(base::trim(role)));
    policy.roles->insert("*");
  }
  RETURN_IF_ERROR(read_weights());
  RETURN_IF_ERROR(read_access());
  RETURN_IF_ERROR(read_domain());
  policy.max_completed_frameworks = max_completed_frameworks_;
  policy.max_completed_tasks_per_framework = max_completed_tasks_;
  policy.max_unreachable_tasks_per_framework = max_unreachable_tasks_;
  policy.registry_max_agent_count = registry_max_agent_count_;

  allocator_options.allocation_interval = policy.allocation_interval;
  ASSIGN_OR_RETURN(allocator_options.min_allocatable, resources::parse_alternatives(min_allocatable_));
  const auto sorter = [](const std::string& name) -> base::Result<allocator::Options::Sorter> {
    if (name == "drf") return allocator::Options::Sorter::Drf;
    if (name == "random") return allocator::Options::Sorter::Random;
    return base::invalid("a sorter is 'drf' or 'random', not '" + name + "'");
  };
  ASSIGN_OR_RETURN(allocator_options.role_sorter, sorter(role_sorter_));
  ASSIGN_OR_RETURN(allocator_options.framework_sorter, sorter(framework_sorter_));
  if (excluded_names_) {
    for (const auto name : base::tokenize(*excluded_names_, ',')) {
      allocator_options.fair_sharing_excluded.insert(std::string(base::trim(name)));
    }
  }
  if (whitelist_ && *whitelist_ != "*") {
    whitelist_path = whitelist_->starts_with("file://") ? whitelist_->substr(7) : *whitelist_;
    ASSIGN_OR_RETURN(allocator_options.whitelist, read_whitelist(*whitelist_path));
  }
  policy.constraint_limits = {.memory_bytes = static_cast<int64_t>(std::min<uint64_t>(constraint_memory_.value, 1 << 30)),
                              .program_size = static_cast<int>(std::min<uint32_t>(constraint_program_size_, 1 << 20))};
  const std::string wanted = base::to_upper(logging_level);
  if (wanted != "INFO" && wanted != "WARNING" && wanted != "ERROR" && wanted != "DEBUG") {
    return base::invalid("--logging_level must be INFO, WARNING, ERROR or DEBUG");
  }
  logging_level = wanted;
  return {};
}

base::Status Flags::check_absent() {
  for (const auto& flag : absent_) {
    const bool changed = flag->boolean    ? flag->truth != flag->default_truth
                         : flag->optional ? flag->optional_text.has_value()
                                          : flag->text != flag->default_text;
    // A flag that asks for what is the case anyway may stay in old command lines.
    if (changed && flag->name != "webui_dir" && flag->name != "logbufsecs") {
      return base::unsupported("--" + flag->name + " is not supported: " + flag->sentence);
    }
  }
  return {};
}

base::Status Flags::read_weights() {
  if (!weights_) return {};
  for (const auto pair : base::tokenize(*weights_, ',')) {
    const auto parts = base::split(pair, '=');
    const auto weight = parts.size() == 2 ? base::parse_double(parts[1]) : base::parse_double("");
    if (!weight || !(*weight > 0)) {
      return base::invalid("--weights must be pairs such as role=2.5, not '" + std::string(pair) + "'");
    }
    policy.weights[std::string(base::trim(parts[0]))] = *weight;
  }
  return {};
}

}  // namespace master
