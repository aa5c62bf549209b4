#pragma once

#include <string>

#include "base/flags.hpp"
#include "base/http/client.hpp"
#include "base/result.hpp"
#include "universe/state.hpp"

namespace universe {

/// The command line.
struct Flags {
  std::string ip = "127.0.0.1";
  uint16_t port = 7070;
  std::string marathon = "127.0.0.1:8080";
  std::string master = "127.0.0.1:5050";
  std::string data_dir = "/var/lib/universe";
  std::string store;    // default: SQLite in data_dir
  std::string bundled;  // directory of the bundled catalog
  base::Duration refresh_interval = base::minutes(5);
  base::Duration fetch_timeout = base::seconds(60);
  base::Bytes max_repository_bytes{uint64_t{64} << 20};
  std::string logging_level = "info";

  /// Reads arguments and UNIVERSE_* variables.
  static base::Result<Flags> parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                   std::string& help, bool& wants_help);

  Policy policy() const;
  std::string store_location() const { return store.empty() ? "sqlite:" + data_dir + "/universe.db" : store; }
};

/// "host:port" as the base of URLs.
base::Result<base::http::Url> parse_address(const std::string& flag, const std::string& text);

}  // namespace universe
