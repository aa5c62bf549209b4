#pragma once

// How a daemon speaks TLS: one table for all of them. Each row is a flag (--ssl_cert_file), its variable with the daemon's
// prefix (MESOS_SSL_CERT_FILE), the original's variable (LIBPROCESS_SSL_CERT_FILE) and its legacy form (SSL_CERT_FILE, only
// when SSL_ENABLED is set as well: without it these names are OpenSSL's own). The first that is given wins, in this order.

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/flags.hpp"
#include "base/result.hpp"

namespace base {

struct TlsSettings {
  /// Listeners take TLS connections, clients of the cluster's own daemons open such.
  bool enabled = false;
  /// Listeners take plain connections on the same port too. Clients never fall back.
  bool support_downgrade = false;
  /// PEM files: certificate (then its intermediates) and private key of this process.
  std::string cert_file, key_file;
  /// PEM file and directory of accepted authorities; both empty: the system's.
  std::string ca_file, ca_dir;
  /// As a client: the server needs a certificate for the name that it was asked for.
  bool verify_server = false;
  /// As a server: clients are asked for a certificate; one that is shown must be good, and with `require_client` shown.
  bool verify_client = false, require_client = false;
  int verify_depth = 4;
  /// OpenSSL's list of cipher suites of TLS 1.2; empty: those with forward secrecy.
  std::string ciphers;
  bool tls_1_2 = true, tls_1_3 = true;
};

/// The rows as flags of a daemon. Must outlive the table's last use.
class TlsFlags {
 public:
  TlsFlags();
  TlsFlags(const TlsFlags&) = delete;
  TlsFlags& operator=(const TlsFlags&) = delete;

  void add_to(FlagTable& table);

  /// After the table was parsed. Errors name the variable and say what is missing. Files are not looked at.
  Result<TlsSettings> settings(const FlagTable::Environment& environment) const;

 private:
  std::optional<std::string> text(std::string_view row, const FlagTable::Environment& environment) const;

  std::map<std::string, std::optional<bool>, std::less<>> switches_;
  std::map<std::string, std::optional<std::string>, std::less<>> values_;
};

}  // namespace base
