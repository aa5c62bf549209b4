#pragma once

#include <optional>
#include <string>

#include "base/flags.hpp"
#include "base/result.hpp"
#include "base/zk/url.hpp"
#include "kernel/client/protocol.hpp"
#include "metronome/policy.hpp"

namespace metronome {

/// The command line. The original has none of its own: it is configured by METRONOME_* variables, and each flag is one of
/// them, so that METRONOME_MESOS_MASTER_URL and --mesos_master_url are the same.
struct Flags {
  std::string master;
  std::optional<std::string> zk_url;
  uint64_t zk_session_timeout = 10'000;
  std::optional<base::zk::Url> zk;  // made of it; absent: one process, its own store
  uint64_t failover_timeout = 604'800;
  std::string role = "*";
  std::string user = "root";
  std::string framework_name = "metronome";
  std::optional<std::string> principal, secret_file;
  std::string hostname;
  std::optional<std::string> webui_url;

  std::string http_address = "127.0.0.1";
  uint16_t http_port = 9000;
  std::optional<std::string> http_credentials;

  uint64_t history_count = 1000;
  uint64_t reconciliation_interval = 900'000;
  uint64_t decline_offer_duration = 5'000;
  std::string task_env_vars_prefix;

  std::string data_dir = "/var/lib/metronome";
  std::optional<std::string> store;
  std::string logging_level = "info";
  base::TlsSettings tls;  // towards the master

  /// Reads arguments and METRONOME_* variables.
  static base::Result<Flags> parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                   std::string& help, bool& wants_help);

  Policy policy() const;
  base::Result<client::ProtocolOptions> protocol() const;
  mesos::v1::FrameworkInfo framework(const std::string& id, uint16_t port) const;
  std::string store_location() const;
};

}  // namespace metronome
