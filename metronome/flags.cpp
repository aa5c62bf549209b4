#include "metronome/flags.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>

#include "base/file.hpp"
#include "base/strings.hpp"

namespace metronome {
namespace {

std::string own_hostname() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

void add_cluster(base::FlagTable& t, Flags& f) {
  t.section("Cluster");
  t.add(&f.master, "mesos_master_url", "The masters: host:port, several separated by commas, or zk://host:port,.../path.",
        {.aliases = {"master"}, .required = true});
  t.add(&f.framework_name, "framework_name", "The name under which this scheduler registers; the gateway finds it as metronome.");
  t.add(&f.role, "mesos_role", "The role in which resources are asked for.");
  t.add(&f.user, "mesos_user", "The user that tasks run as when the job names none.");
  t.add(&f.failover_timeout, "mesos_failover_timeout", "Seconds for which the cluster keeps the tasks when this scheduler is away.");
  t.add(&f.principal, "mesos_authentication_principal", "The principal to register with.");
  t.add(&f.secret_file, "mesos_authentication_secret_file", "A file with its secret.");
  t.add(&f.hostname, "leader_election_hostname", "The name under which others reach this machine (default: its own).",
        {.aliases = {"hostname"}});
  t.add(&f.webui_url, "web_ui_url", "The address shown for this scheduler (default: http://hostname:port).");
  t.add(&f.reconciliation_interval, "scheduler_reconciliation_interval", "Milliseconds between reconciliations.");
  t.add(&f.decline_offer_duration, "decline_offer_duration", "Milliseconds for which unused offers are refused.");
}

void add_rest(base::FlagTable& t, Flags& f) {
  t.section("HTTP");
  t.add(&f.http_address, "http_address", "The address to listen on.");
  t.add(&f.http_port, "http_port", "The port to listen on; 0 takes a free one.");
  t.add(&f.http_credentials, "http_credentials", "user:password that every request must carry.", {.secret = true});
  t.section("Jobs");
  t.add(&f.history_count, "history_count", "The newest runs that are kept per job, of each outcome.");
  t.add(&f.task_env_vars_prefix, "scheduler_task_env_vars_prefix", "Before the name of the variable HOST of tasks.");
  t.section("Storage and logging");
  t.add(&f.data_dir, "data_dir", "The directory of the store.");
  t.add(&f.store, "store", "Where the state is kept: sqlite:/path/file.db, or memory: for tests.");
  t.add(&f.zk_url, "zk_url", "zk://host:port,.../path: several of these processes elect one that acts there, and keep the state "
        "there instead of in data_dir; the others pass requests on to it.", {.aliases = {"zk"}, .secret = true});
  t.add(&f.zk_session_timeout, "zk_session_timeout", "Milliseconds without a sign of life after which another takes over.");
  t.add(&f.logging_level, "logging_level", "debug, info, warn or error.");
}

base::Status check(Flags& flags) {
  if (auto masters = client::parse_masters(flags.master); !masters) {
    return std::move(masters).error().with_context("--mesos_master_url");
  }
  if (flags.history_count < 1 || flags.history_count > 10'000) return base::invalid("--history_count must be from 1 to 10000");
  if (flags.role.empty()) return base::invalid("--mesos_role must not be empty; '*' stands for no role of its own");
  if (!flags.zk_url) return {};
  if (flags.store) return base::invalid("--store and --zk_url name two places for the state: leave one out");
  if (flags.zk_session_timeout < 1000) return base::invalid("--zk_session_timeout must be at least 1000 milliseconds");
  auto url = base::zk::parse_url(*flags.zk_url);
  if (!url) return std::move(url).error().with_context("--zk_url");
  flags.zk = std::move(*url);
  return {};
}

}  // namespace

base::Result<Flags> Flags::parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                 std::string& help, bool& wants_help) {
  Flags flags;
  base::FlagTable table("dcos-metronome", "Runs jobs by cron schedules, after the jobs they depend on, and on request.", "METRONOME_");
  add_cluster(table, flags);
  add_rest(table, flags);
  base::TlsFlags tls;
  table.section("TLS towards the master");
  tls.add_to(table);
  const auto parsed = table.parse(argc, argv, environment, [](const std::string& path) { return base::read_file(path); });
  help = table.help();
  wants_help = table.help_requested();
  if (wants_help) return flags;
  if (!parsed) return parsed.error();
  ASSIGN_OR_RETURN(flags.tls, tls.settings(environment));
  RETURN_IF_ERROR(check(flags));
  if (flags.hostname.empty()) flags.hostname = own_hostname();
  return flags;
}

Policy Flags::policy() const {
  Policy p;
  p.role = role;
  p.env_prefix = task_env_vars_prefix;
  p.history_limit = history_count;
  p.decline_offer = base::milliseconds(static_cast<int64_t>(decline_offer_duration));
  p.reconciliation_interval = base::milliseconds(static_cast<int64_t>(reconciliation_interval));
  p.config = {{"metronome.framework.name", framework_name},
              {"metronome.history.count", std::to_string(history_count)},
              {"metronome.leader.election.hostname", hostname},
              {"metronome.mesos.role", role},
              {"play.server.http.port", std::to_string(http_port)}};
  // It may hold a password.
  if (master.find('@') == std::string::npos) p.config.emplace_back("metronome.mesos.master.url", master);
  return p;
}

base::Result<client::ProtocolOptions> Flags::protocol() const {
  client::ProtocolOptions options;
  ASSIGN_OR_RETURN(options.masters, client::parse_masters(master));
  options.tls = tls;
  options.https = tls.enabled || client::masters_by_https(master);
  if (principal && secret_file) {
    auto content = base::read_file(*secret_file, 64 << 10);
    if (!content) return content.error().with_context("--mesos_authentication_secret_file");
    options.authorization = "Basic " + base::base64_encode(*principal + ":" + std::string(base::trim(*content)));
  }
  return options;
}

mesos::v1::FrameworkInfo Flags::framework(const std::string& id, uint16_t port) const {
  using Info = mesos::v1::FrameworkInfo;
  Info info;
  info.set_user(user);
  info.set_name(framework_name);
  if (!id.empty()) info.mutable_id()->set_value(id);
  info.set_failover_timeout(static_cast<double>(failover_timeout));
  info.set_checkpoint(true);
  info.add_roles(role);
  info.set_hostname(hostname);
  info.set_webui_url(webui_url.value_or(fmt::format("http://{}:{}", hostname, port)));
  if (principal) info.set_principal(*principal);
  for (auto capability : {Info::Capability::PARTITION_AWARE, Info::Capability::REGION_AWARE, Info::Capability::MULTI_ROLE,
                          Info::Capability::RESERVATION_REFINEMENT, Info::Capability::TASK_KILLING_STATE,
                          Info::Capability::GPU_RESOURCES}) {
    info.add_capabilities()->set_type(capability);
  }
  return info;
}

std::string Flags::store_location() const {
  if (zk) return zk->redacted();
  return store.value_or("sqlite:" + data_dir + "/metronome.db");
}

}  // namespace metronome
