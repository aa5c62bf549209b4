#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "admin-router/table.hpp"
#include "base/flags.hpp"
#include "base/tls_settings.hpp"

namespace admin_router {

struct Flags {
  std::string ip = "127.0.0.1";
  uint16_t port = 80;
  std::string listen{};
  std::string master = "127.0.0.1:5050";
  std::string marathon{};
  std::string package{};
  std::string mesos_dns{};
  std::string net{};
  std::string data_dir = "/var/lib/dcos/gateway";
  std::string cluster_id{};
  std::string public_ip{};
  std::string auth = "on";
  std::string owner = "admin";
  std::string owner_password_file{};
  std::string ui_dir{};
  std::string ui_config{};
  std::string dcos_version = "2.2.0";
  uint64_t max_connections = 10'000;
  std::optional<uint16_t> https_port{};
  std::optional<bool> upstream_tls{};
  std::optional<std::string> upstream_credential{};
  base::TlsFlags tls{};

  void declare(base::FlagTable& table);
};

/// "a:80,https://b" -> addresses; "zk://..." and malformed ones are errors.
base::Result<std::vector<Address>> parse_addresses(const std::string& text, uint16_t default_port);

/// Without login only this machine may reach the gateway. The error says what to do.
base::Status check_auth(const Flags& flags);

}  // namespace admin_router
