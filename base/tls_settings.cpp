#include "base/tls_settings.hpp"

#include <cctype>

#include "base/numbers.hpp"

namespace base {

namespace {

struct Row {
  const char* name;
  bool is_switch;
  const char* older;  // the original's name before 1.10; nullptr: none
  const char* sentence;
};

constexpr Row kRows[] = {
    {"ssl_enabled", true, nullptr,
     "Listen with TLS, and reach the cluster's other daemons by it; --ssl_cert_file alone says so too."},
    {"ssl_support_downgrade", true, nullptr, "Listeners take plain connections on the same port too: for the time of a change to TLS."},
    {"ssl_cert_file", false, nullptr, "PEM file of this process's certificate and its intermediates; read again when it changes."},
    {"ssl_key_file", false, nullptr, "PEM file of its private key, not encrypted and not readable by others."},
    {"ssl_ca_file", false, nullptr, "PEM file of the authorities that peers' certificates must come from; default: the system's."},
    {"ssl_ca_dir", false, nullptr, "Directory of such files, under the names that openssl rehash gives."},
    {"ssl_verify_server_cert", true, "ssl_verify_cert",
     "As a client: check the server's certificate and name; default: true when authorities are named."},
    {"ssl_verify_client_cert", true, "ssl_verify_cert", "As a server: ask clients for a certificate; one that is shown must be good."},
    {"ssl_require_client_cert", true, "ssl_require_cert", "As a server: clients must show a good certificate."},
    {"ssl_verify_depth", false, nullptr, "Longest chain of certificates between a peer and its authority; default: 4."},
    {"ssl_ciphers", false, nullptr, "OpenSSL's list of cipher suites for TLS 1.2; default: those with forward secrecy."},
    {"ssl_enable_tls_v1_2", true, nullptr, "Speak TLS 1.2; default: true."},
    {"ssl_enable_tls_v1_3", true, nullptr, "Speak TLS 1.3; default: true."},
};

/// Older protocols of the original: what they would switch on is not there.
constexpr const char* kOldProtocols[] = {"ssl_enable_ssl_v3", "ssl_enable_tls_v1_0", "ssl_enable_tls_v1_1"};

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

std::optional<std::string> find(const FlagTable::Environment& environment, std::string_view row) {
  const std::string name = upper(row);
  if (const auto found = environment.find("LIBPROCESS_" + name); found != environment.end()) return found->second;
  if (environment.contains("SSL_ENABLED")) {
    if (const auto found = environment.find(name); found != environment.end()) return found->second;
  }
  return std::nullopt;
}

std::string shown(std::string_view row) {
  return "--" + std::string(row) + " (LIBPROCESS_" + upper(row) + ")";
}

}  // namespace

TlsFlags::TlsFlags() {
  for (const Row& row : kRows) {
    if (row.is_switch) {
      switches_[row.name];
    } else {
      values_[row.name];
    }
  }
}

void TlsFlags::add_to(FlagTable& table) {
  table.section("TLS (also by the variables LIBPROCESS_SSL_...)");
  for (const Row& row : kRows) {
    if (row.is_switch) {
      table.add(&switches_[row.name], row.name, row.sentence);
    } else {
      table.add(&values_[row.name], row.name, row.sentence);
    }
  }
}

std::optional<std::string> TlsFlags::text(std::string_view name, const FlagTable::Environment& environment) const {
  if (const auto found = switches_.find(name); found != switches_.end() && found->second) return *found->second ? "true" : "false";
  if (const auto found = values_.find(name); found != values_.end() && found->second) return *found->second;
  for (const Row& row : kRows) {
    if (name != row.name) continue;
    if (auto value = find(environment, name)) return value;
    if (row.older != nullptr) return find(environment, row.older);
  }
  return std::nullopt;
}

Result<TlsSettings> TlsFlags::settings(const FlagTable::Environment& environment) const {
  const auto read_switch = [&](std::string_view name, bool fallback) -> Result<bool> {
    const auto value = text(name, environment);
    if (!value) return fallback;
    if (*value == "true" || *value == "1") return true;
    if (*value == "false" || *value == "0") return false;
    return invalid(shown(name) + ": '" + *value + "' is neither true nor false");
  };
  for (const char* name : kOldProtocols) {
    const auto value = find(environment, name);
    if (value && *value != "false" && *value != "0")
      return invalid("LIBPROCESS_" + upper(name) + ": TLS 1.2 is the oldest protocol that is spoken; unset the variable");
  }

  TlsSettings out;
  out.cert_file = text("ssl_cert_file", environment).value_or("");
  out.key_file = text("ssl_key_file", environment).value_or("");
  out.ca_file = text("ssl_ca_file", environment).value_or("");
  out.ca_dir = text("ssl_ca_dir", environment).value_or("");
  out.ciphers = text("ssl_ciphers", environment).value_or("");
  ASSIGN_OR_RETURN(out.enabled, read_switch("ssl_enabled", values_.at("ssl_cert_file").has_value()));
  ASSIGN_OR_RETURN(out.support_downgrade, read_switch("ssl_support_downgrade", false));
  ASSIGN_OR_RETURN(out.verify_server, read_switch("ssl_verify_server_cert", !out.ca_file.empty() || !out.ca_dir.empty()));
  ASSIGN_OR_RETURN(out.require_client, read_switch("ssl_require_client_cert", false));
  ASSIGN_OR_RETURN(out.verify_client, read_switch("ssl_verify_client_cert", false));
  out.verify_client = out.verify_client || out.require_client;
  ASSIGN_OR_RETURN(out.tls_1_2, read_switch("ssl_enable_tls_v1_2", true));
  ASSIGN_OR_RETURN(out.tls_1_3, read_switch("ssl_enable_tls_v1_3", true));
  if (!out.tls_1_2 && !out.tls_1_3) return invalid("neither TLS 1.2 nor TLS 1.3 is enabled: allow one by " + shown("ssl_enable_tls_v1_3"));
  if (const auto depth = text("ssl_verify_depth", environment)) {
    const auto number = parse_uint(*depth);
    if (!number || *number > 100) return invalid(shown("ssl_verify_depth") + ": '" + *depth + "' is not a number from 0 to 100");
    out.verify_depth = static_cast<int>(*number);
  }
  if (out.cert_file.empty() != out.key_file.empty()) {
    const char* missing = out.cert_file.empty() ? "ssl_cert_file" : "ssl_key_file";
    return invalid("certificate and private key go together: give " + shown(missing) + " too");
  }
  if (out.enabled && out.cert_file.empty())
    return invalid("TLS is enabled without a certificate: give " + shown("ssl_cert_file") + " and " + shown("ssl_key_file"));
  return out;
}

}  // namespace base
