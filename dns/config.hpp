#pragma once

// The configuration file, with the names and defaults of Mesos-DNS; unknown keys are ignored (pure).

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "dns/answer.hpp"
#include "dns/forward.hpp"
#include "dns/records.hpp"

namespace dns {

struct Config {
  uint64_t refresh_seconds = 60;
  uint16_t port = 53;
  uint64_t timeout = 5;  // seconds for one try at one resolver
  uint64_t state_timeout_seconds = 300;
  uint64_t zk_detection_timeout = 30;
  uint16_t http_port = 8123;
  uint32_t ttl = 60;
  uint16_t srv_record_default_weight = 1;
  uint32_t soa_refresh = 60, soa_retry = 600, soa_expire = 86400, soa_minttl = 60;
  std::string soa_mname = "ns1.mesos", soa_rname = "root.ns1.mesos";
  std::vector<std::string> masters;
  std::map<std::string, std::vector<std::string>> zone_resolvers;
  std::vector<std::string> resolvers{"8.8.8.8"};
  std::vector<std::string> ip_sources{"netinfo", "mesos", "host"};
  std::string zk;
  std::string domain = "mesos";
  std::string file;
  std::string listener = "0.0.0.0";
  std::string http_listener = "0.0.0.0";
  bool recurse_on = true, dns_on = true, http_on = true, external_on = true;
  bool enforce_rfc952 = false, set_truncate_bit = true, enumeration_on = true;
  bool mesos_https_on = false;
  std::string ca_cert_file, cert_file, key_file;
  std::string credentials_principal, credentials_secret;
  std::string iam_config_file;
  std::string mesos_authentication;

  // Ours.
  std::string l4lb;                 // "host:port" of the daemon that tells the virtual addresses; empty: none
  uint32_t udp_threads = 0;         // 0: as many as there are processors, four at most
  uint32_t rate_limit = 20'000;     // queries a second of one source address; 0: no limit
  uint32_t forward_limit = 1'024;   // queries of others' names under way at once
  uint64_t cache_bytes = 4 << 20;   // of others' answers; 0: none are kept

  /// Reads a file's text over the defaults. Errors name the field: "ttl: must be a number from 0 to 2147483647".
  static base::Result<Config> parse(std::string_view json);

  /// Normalises and checks; `resolv_conf` is the machine's, for an empty list of resolvers.
  base::Status finish(const std::string& resolv_conf);

  RecordsOptions records(const std::vector<Address>& local_addresses) const;
  AnswerOptions answers() const;
  ForwardRules forwarding() const;

  /// The object of /v1/config. Secrets are not in it.
  std::string render(uint32_t serial) const;
};

/// The nameservers of a resolv.conf that are not this machine's own.
std::vector<std::string> resolvers_of(std::string_view resolv_conf);

}  // namespace dns
