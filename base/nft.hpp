#pragma once

// Packet filter rules (nftables), by libnftables in this process. Blocks; one call at a time.

#include <memory>
#include <string>

#include "base/result.hpp"

namespace base {

class Nft {
 public:
  /// How run() prints: numbers for all names, and sets without their elements.
  enum class Print { Numeric, Terse };

  Nft();
  ~Nft();
  Nft(const Nft&) = delete;
  Nft& operator=(const Nft&) = delete;

  /// Commands as nft(8) reads them; all of it happens or none. Returns what they print. NotFound: a table, chain or set
  /// that is not there.
  Result<std::string> run(const std::string& script, Print print = Print::Numeric);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace base
