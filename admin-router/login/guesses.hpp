#pragma once

// How often somebody may try to log in (pure): a bucket of tries per user and one per source
// address, which refills with time. A good login gives its try back.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.hpp"

namespace admin_router {

struct GuessPolicy {
  unsigned per_user = 10;                     // wrong tries in a row, from anywhere
  unsigned per_source = 20;                   // wrong tries in a row, for any user
  base::Duration refill = base::seconds(15);  // one try comes back
  size_t entries_max = 10'000;                // beyond, the oldest is forgotten
};

class Guesses {
 public:
  explicit Guesses(GuessPolicy policy = {}) : policy_(policy) {}

  /// Takes a try. Above zero: there is none; how long until there is.
  base::Duration take(const std::string& user, const std::string& source, base::Now now);

  /// The try was right.
  void give_back(const std::string& user, const std::string& source);

  size_t size() const { return buckets_.size(); }

 private:
  struct Bucket {
    base::Instant empty_until{};  // tries used are as many refills as lie between now and here
  };
  base::Duration wait_for(const std::string& key, unsigned most, base::Now now) const;
  void use(const std::string& key, base::Now now);
  void forget_old(base::Now now);

  GuessPolicy policy_;
  std::map<std::string, Bucket> buckets_;
  std::set<std::pair<base::Instant, std::string>> by_time_;
};

}  // namespace admin_router
