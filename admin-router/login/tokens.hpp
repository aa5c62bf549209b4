#pragma once

// Tokens that were found good before (pure): a bounded memory, least recently used ones go first.
// Checking a signature costs as much as relaying a request; remembering costs a look-up. A token is
// known by its whole text, and only good ones are remembered, so nobody can fill the memory with
// guesses.

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "admin-router/login/identity.hpp"
#include "base/time.hpp"

namespace admin_router {

class Tokens {
 public:
  explicit Tokens(const Identity& identity, size_t most = 4096)
      : identity_(identity), most_(most) {}

  /// Whose token it is; null for nobody's.
  std::shared_ptr<const Claims> check(std::string_view token, base::Time now);

  const Identity& identity() const { return identity_; }

  size_t size() const { return entries_.size(); }
  uint64_t signatures_checked() const { return checked_; }

 private:
  struct Entry {
    std::string token;
    std::shared_ptr<const Claims> claims;
    uint64_t revocations = 0;  // how many the identity had when it was last looked at
  };
  const Identity& identity_;
  size_t most_;
  uint64_t checked_ = 0;
  std::list<Entry> entries_;                                                // the last used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> index_;  // into the entries
};

}  // namespace admin_router
