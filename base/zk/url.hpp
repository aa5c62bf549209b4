#pragma once

// "zk://user:password@host:port,host:port/path", as every daemon of the original takes it.

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace base::zk {

struct Url {
  std::string servers;      // "host:port,host:port": what a client connects to
  std::string path;         // "/mesos"; never "/" and without one at its end
  std::string credentials;  // "user:password"; empty: none

  /// For people and logs: as given, without the password.
  std::string redacted() const;
};

/// Errors never repeat the text: it may hold a password.
Result<Url> parse_url(std::string_view text);

inline bool is_url(std::string_view text) { return text.substr(0, 5) == "zk://"; }

}  // namespace base::zk
