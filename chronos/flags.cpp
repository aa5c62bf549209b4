#include "chronos/flags.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>

#include "base/file.hpp"
#include "base/strings.hpp"

namespace chronos {
namespace {

/// Flags of the original whose work is done otherwise, or is no choice any more: accepted, without effect.
constexpr const char* kIgnored[] = {"schedule_horizon", "revive_offers_for_new_jobs", "min_revive_offers_interval",
                                    "leader_max_idle_time", "mesos_heartbeat_interval"};

struct Refused {
  std::optional<std::string> Flags::*flag;
  const char* name;
  const char* instead;
};
constexpr Refused kRefused[] = {
    {&Flags::ssl_keystore_path, "ssl_keystore_path", "put the gateway in front of it for TLS"},
    {&Flags::mail_server, "mail_server", "use --http_notification_url, --slack_url or --mattermost_url"},
    {&Flags::raven_dsn, "raven_dsn", "use --http_notification_url"},
    {&Flags::cassandra_contact_points, "cassandra_contact_points", "history is kept in the scheduler's own store"},
    {&Flags::graphite_host_port, "graphite_host_port", "read GET /metrics"},
};

std::string own_hostname() {
  char name[HOST_NAME_MAX + 1] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "localhost";
}

void add_cluster(base::FlagTable& t, Flags& f) {
  t.section("Cluster");
  t.add(&f.master, "master", "The masters: host:port, several separated by commas, or zk://host:port,.../path.", {.required = true});
  t.add(&f.mesos_framework_name, "mesos_framework_name", "The name under which this scheduler registers.");
  t.add(&f.mesos_role, "mesos_role", "The role in which resources are asked for.");
  t.add(&f.failover_timeout, "failover_timeout", "Seconds for which the cluster keeps the tasks when this scheduler is away.");
  t.add(&f.mesos_checkpoint, "mesos_checkpoint", "Tasks survive a restart of their agent.");
  t.add(&f.user, "user", "The user that tasks run as when the job names none.");
  t.add(&f.hostname, "hostname", "The name under which others reach this machine (default: its own).");
  t.add(&f.webui_url, "webui_url", "The address shown for this scheduler (default: http://hostname:port).");
  t.add(&f.cluster_name, "cluster_name", "Named in the subject of notifications.");
  t.add(&f.mesos_authentication_principal, "mesos_authentication_principal", "The principal to register with.");
  t.add(&f.mesos_authentication_secret_file, "mesos_authentication_secret_file", "A file with its secret.");
  t.add(&f.reconciliation_interval, "reconciliation_interval", "Seconds between reconciliations.");
  t.add(&f.decline_offer_duration, "decline_offer_duration", "Milliseconds for which unused offers are refused.");
}

void add_http(base::FlagTable& t, Flags& f) {
  t.section("HTTP");
  t.add(&f.http_address, "http_address", "The address to listen on.");
  t.add(&f.http_port, "http_port", "The port to listen on; 0 takes a free one.");
  t.add(&f.http_credentials, "http_credentials", "user:password that every request must carry.", {.secret = true});
  t.add(&f.http_realm, "http_realm", "The realm named when credentials are missing.");
}

void add_jobs(base::FlagTable& t, Flags& f) {
  t.section("Jobs");
  t.add(&f.mesos_task_cpu, "mesos_task_cpu", "CPUs of a job that asks for none.");
  t.add(&f.mesos_task_mem, "mesos_task_mem", "MB of memory of a job that asks for none.");
  t.add(&f.mesos_task_disk, "mesos_task_disk", "MB of disk of a job that asks for none.");
  t.add(&f.task_epsilon, "task_epsilon",
        "How late a slot may start, such as PT60S, for jobs that do not say (default: missed slots are made good by one run).");
  t.add(&f.failure_retry, "failure_retry", "Milliseconds between a failure and its retry.");
  t.add(&f.retry_only_after_success, "retry_only_after_success",
        "As in the original, a job whose last run failed for good gets no retries until it succeeds.");
  t.add(&f.disable_after_failures, "disable_after_failures", "Failures in a row that disable a job; 0: never.");
  t.add(&f.job_history_limit, "job_history_limit", "The newest runs that are kept per job.");
}

void add_notifications(base::FlagTable& t, Flags& f) {
  t.section("Notifications");
  t.add(&f.slack_url, "slack_url", "A Slack webhook that hears of failed and disabled jobs.", {.secret = true});
  t.add(&f.mattermost_url, "mattermost_url", "A Mattermost webhook, likewise.", {.secret = true});
  t.add(&f.http_notification_url, "http_notification_url", "An address that gets a JSON object per event.");
  t.add(&f.http_notification_credentials, "http_notification_credentials", "user:password for it.", {.secret = true});
}

void add_rest(base::FlagTable& t, Flags& f) {
  t.section("Storage and logging");
  t.add(&f.data_dir, "data_dir", "The directory of the store.");
  t.add(&f.store, "store", "Where the state is kept: sqlite:/path/file.db, or memory: for tests.");
  t.add(&f.zk_hosts, "zk_hosts", "host:port,... of ZooKeeper: several of these processes elect one that acts there, and keep the "
        "state there instead of in data_dir; the others pass requests on to it. A zk:// URL without a path is taken too.");
  t.add(&f.zk_path, "zk_path", "The node below which they do.");
  t.add(&f.zk_auth, "zk_auth", "user:password for ZooKeeper.", {.secret = true});
  t.add(&f.zk_timeout, "zk_timeout", "Milliseconds without a sign of life after which another takes over.");
  t.add(&f.logging_level, "logging_level", "debug, info, warn or error.");
  t.section("Not supported: refused with what to do instead");
  for (const Refused& refused : kRefused) t.add(&(f.*refused.flag), refused.name, "Refused.");
  t.add(&f.https_port, "https_port", "Refused.");
}

/// Where several of these processes meet; nothing: there is one.
base::Result<std::optional<base::zk::Url>> zookeeper(const Flags& flags) {
  if (!flags.zk_hosts) return std::optional<base::zk::Url>();
  if (flags.store) return base::invalid("--store and --zk_hosts name two places for the state: leave one out");
  if (flags.zk_timeout < 1000) return base::invalid("--zk_timeout must be at least 1000 milliseconds");
  std::string_view hosts = *flags.zk_hosts;
  if (base::zk::is_url(hosts)) hosts.remove_prefix(5);
  const std::string login = flags.zk_auth ? *flags.zk_auth + "@" : std::string();
  auto url = base::zk::parse_url(fmt::format("zk://{}{}{}", login, hosts, flags.zk_path));
  if (!url) return std::move(url).error().with_context("--zk_hosts, --zk_path, --zk_auth");
  return std::optional<base::zk::Url>(std::move(*url));
}

base::Status check(const Flags& flags) {
  for (const Refused& refused : kRefused) {
    if (flags.*refused.flag) {
      return base::unsupported(fmt::format("--{} is not supported: {}. Leave the flag out", refused.name, refused.instead));
    }
  }
  if (flags.https_port) {
    return base::unsupported("--https_port is not supported: put the gateway in front of it for TLS. Leave the flag out");
  }
  if (auto masters = client::parse_masters(flags.master); !masters) return std::move(masters).error().with_context("--master");
  if (flags.task_epsilon) {
    if (auto length = parse_epsilon(*flags.task_epsilon); !length) return length.error().with_context("--task_epsilon");
  }
  for (const auto* url : {&flags.slack_url, &flags.mattermost_url, &flags.http_notification_url}) {
    if (!*url) continue;
    if (auto parsed = base::http::Url::parse(**url); !parsed) return parsed.error().with_context("a notification address");
  }
  if (flags.mesos_task_cpu <= 0 || flags.mesos_task_mem <= 0 || flags.mesos_task_disk < 0) {
    return base::invalid("--mesos_task_cpu and --mesos_task_mem must be greater than 0");
  }
  if (flags.job_history_limit < 1 || flags.job_history_limit > 1000) {
    return base::invalid("--job_history_limit must be from 1 to 1000");
  }
  return {};
}

}  // namespace

base::Result<Flags> Flags::parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                 std::string& help, bool& wants_help) {
  Flags flags;
  base::TlsFlags tls;
  base::FlagTable table("dcos-chronos", "Runs jobs when their time has come, and after the jobs they depend on.", "CHRONOS_");
  add_cluster(table, flags);
  add_http(table, flags);
  add_jobs(table, flags);
  add_notifications(table, flags);
  add_rest(table, flags);
  tls.add_to(table);
  table.section("Without effect, accepted for compatibility");
  std::vector<std::optional<std::string>> ignored(std::size(kIgnored));
  for (size_t i = 0; i < ignored.size(); ++i) table.add(&ignored[i], kIgnored[i], "What it tuned is not needed here.");
  // The original takes values as separate words too.
  std::vector<std::string> words;
  for (int i = 0; i < argc; ++i) {
    std::string word = argv[i];
    const bool is_name = word.starts_with("--") && word.size() > 2 && word.find('=') == std::string::npos;
    if (i > 0 && is_name && i + 1 < argc && std::string_view(argv[i + 1]).substr(0, 2) != "--") {
      word += "=" + std::string(argv[++i]);
    }
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
  RETURN_IF_ERROR(check(flags));
  ASSIGN_OR_RETURN(flags.zk, zookeeper(flags));
  if (flags.hostname.empty()) flags.hostname = own_hostname();
  return flags;
}

Policy Flags::policy() const {
  Policy p;
  p.defaults = {mesos_task_cpu, mesos_task_mem, mesos_task_disk, user, task_epsilon.value_or("")};
  p.role = mesos_role;
  p.cluster_name = cluster_name.value_or("");
  p.failure_retry = base::milliseconds(static_cast<int64_t>(failure_retry));
  p.disable_after_failures = static_cast<int64_t>(disable_after_failures);
  p.retry_only_after_success = retry_only_after_success;
  p.history_limit = job_history_limit;
  p.decline_offer = base::milliseconds(static_cast<int64_t>(decline_offer_duration));
  p.reconciliation_interval = base::seconds(static_cast<int64_t>(reconciliation_interval));
  return p;
}

NotifierOptions Flags::notifier() const {
  NotifierOptions options;
  for (const auto* url : {&slack_url, &mattermost_url}) {
    if (*url) options.chat_urls.push_back(**url);
  }
  options.http_url = http_notification_url;
  options.http_credentials = http_notification_credentials.value_or("");
  return options;
}

base::Result<client::ProtocolOptions> Flags::protocol() const {
  client::ProtocolOptions options;
  ASSIGN_OR_RETURN(options.masters, client::parse_masters(master));
  options.tls = tls;
  options.https = tls.enabled || client::masters_by_https(master);
  if (mesos_authentication_principal && mesos_authentication_secret_file) {
    auto content = base::read_file(*mesos_authentication_secret_file, 64 << 10);
    if (!content) return content.error().with_context("--mesos_authentication_secret_file");
    options.authorization =
        "Basic " + base::base64_encode(*mesos_authentication_principal + ":" + std::string(base::trim(*content)));
  }
  return options;
}

mesos::v1::FrameworkInfo Flags::framework(const std::string& id, uint16_t port) const {
  using Info = mesos::v1::FrameworkInfo;
  Info info;
  info.set_user(user);
  info.set_name(mesos_framework_name);
  if (!id.empty()) info.mutable_id()->set_value(id);
  info.set_failover_timeout(static_cast<double>(failover_timeout));
  info.set_checkpoint(mesos_checkpoint);
  info.add_roles(mesos_role);
  info.set_hostname(hostname);
  info.set_webui_url(webui_url.value_or(fmt::format("http://{}:{}", hostname, port)));
  if (mesos_authentication_principal) info.set_principal(*mesos_authentication_principal);
  for (auto capability : {Info::Capability::PARTITION_AWARE, Info::Capability::REGION_AWARE, Info::Capability::MULTI_ROLE,
                          Info::Capability::RESERVATION_REFINEMENT, Info::Capability::TASK_KILLING_STATE}) {
    info.add_capabilities()->set_type(capability);
  }
  return info;
}

std::string Flags::store_location() const {
  if (zk) return zk->redacted();
  return store.value_or("sqlite:" + data_dir + "/chronos.db");
}

}  // namespace chronos
