#pragma once

#include <string>
#include <vector>

#include "base/flags.hpp"
#include "l4lb/core.hpp"

namespace l4lb {

struct Flags {
  std::string ip = "127.0.0.1";
  std::string hostname;
  std::string gossip_address;
  uint16_t gossip_port = 62501;
  std::string rest_ip = "127.0.0.1";
  uint16_t rest_port = 62080;
  std::string agents;
  std::string peers;
  std::string cluster_key_file;
  std::string data_dir = "/var/lib/dcos/l4lb";
  std::string dataplane = "nft";
  std::string table = "dcos_l4lb";
  std::string min_named_ip = "11.0.0.0";
  std::string max_named_ip = "11.255.255.255";
  base::Duration reconcile_interval = base::seconds(30);
  base::Duration probe_interval = base::milliseconds(500);
  base::Duration agents_wait = base::seconds(30);
  bool cleanup = false;
  bool cleanup_on_exit = false;
  std::string logging_level = "info";

  /// Checked as a whole; errors name the flag. `help` is filled in any case.
  static base::Result<Flags> parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                   std::string& help, bool& wants_help);

  std::vector<std::string> agent_list() const;
  Policy policy() const;
  Endpoint gossip() const;  // as others reach it
  uint32_t route_metric() const;
};

}  // namespace l4lb
