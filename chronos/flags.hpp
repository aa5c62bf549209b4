#pragma once

#include <optional>
#include <string>

#include "base/flags.hpp"
#include "base/result.hpp"
#include "base/zk/url.hpp"
#include "chronos/notifier.hpp"
#include "chronos/policy.hpp"
#include "kernel/client/protocol.hpp"

namespace chronos {

/// The command line, with the original's names and defaults. Times without unit are milliseconds there, except
/// failover_timeout and reconciliation_interval, which are seconds.
struct Flags {
  std::string master;
  std::optional<std::string> zk_hosts, zk_auth;
  std::string zk_path = "/chronos/state";
  uint64_t zk_timeout = 10'000;
  std::optional<base::zk::Url> zk;  // made of these; absent: one process, its own store
  uint64_t failover_timeout = 604'800;
  bool mesos_checkpoint = true;
  std::string mesos_role = "*";
  std::string mesos_framework_name = "chronos";
  std::optional<std::string> mesos_authentication_principal;
  std::optional<std::string> mesos_authentication_secret_file;
  std::string user = "root";
  std::string hostname;
  std::optional<std::string> webui_url;
  std::optional<std::string> cluster_name;

  std::string http_address = "127.0.0.1";
  uint16_t http_port = 4400;
  std::optional<std::string> http_credentials;
  std::string http_realm = "Mesosphere";
  std::optional<uint16_t> https_port;
  std::optional<std::string> ssl_keystore_path;

  double mesos_task_cpu = 0.1, mesos_task_mem = 128, mesos_task_disk = 256;
  std::optional<std::string> task_epsilon;
  uint64_t failure_retry = 60'000;
  uint64_t disable_after_failures = 0;
  bool retry_only_after_success = false;
  uint64_t job_history_limit = 5;
  uint64_t decline_offer_duration = 5'000;
  uint64_t reconciliation_interval = 600;

  std::optional<std::string> slack_url, mattermost_url, http_notification_url, http_notification_credentials;
  std::optional<std::string> mail_server, raven_dsn, cassandra_contact_points, graphite_host_port;

  std::string data_dir = "/var/lib/chronos";
  std::optional<std::string> store;
  std::string logging_level = "info";
  base::TlsSettings tls;  // towards the master

  /// Reads arguments and CHRONOS_* variables.
  static base::Result<Flags> parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                   std::string& help, bool& wants_help);

  Policy policy() const;
  NotifierOptions notifier() const;
  base::Result<client::ProtocolOptions> protocol() const;
  mesos::v1::FrameworkInfo framework(const std::string& id, uint16_t port) const;
  std::string store_location() const;
};

}  // namespace chronos
