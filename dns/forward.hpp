#pragma once

// Names of others (pure): whom to ask, whether an answer belongs to a question, and the cache of answers.

#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/time.hpp"
#include "dns/address.hpp"
#include "dns/message.hpp"

namespace dns {

struct ForwardRules {
  struct Zone {
    std::string name;  // lower case, no final dot
    std::vector<Endpoint> resolvers;
  };
  bool external = true;              // names outside our zones are asked for at all
  std::vector<Endpoint> resolvers;   // asked in order until one answers
  std::vector<Zone> zones;

  /// The resolvers of the longest zone that holds `name`, else the general ones. Empty: refuse.
  std::vector<Endpoint> upstreams(std::string_view name) const;
};

/// Whether `answer` is one to `request`: id, and the question without regard to case.
bool answers_request(std::string_view answer, std::string_view request);

/// Makes an answer of others fit for a client: no more than `limit` bytes, the truncation bit by `set_truncate_bit`.
std::string fit_answer(std::string answer, size_t limit, bool set_truncate_bit);

/// Answers by question, for as long as their records live. Bounded; the least recently used goes first.
class AnswerCache {
 public:
  struct Limits {
    size_t max_bytes = 4 << 20;
    base::Duration longest = base::hours(1);
    base::Duration longest_negative = base::minutes(5);
  };

  explicit AnswerCache(Limits limits) : limits_(limits) {}

  /// The answer to this request as it would come now: id and spelling of the question of the request, TTLs reduced.
  std::optional<std::string> find(const Query& query, std::string_view request, base::Instant now);

  /// Keeps the answer when it may be kept: complete, NOERROR or NXDOMAIN, with a TTL; the request without EDNS options.
  void put(const Query& query, std::string_view answer, base::Instant now);

  size_t size() const { return entries_.size(); }
  size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    std::string key;
    std::string answer;
    std::vector<uint16_t> ttl_offsets;
    base::Instant stored, expires;
    size_t cost() const { return 2 * key.size() + answer.size() + 2 * ttl_offsets.size() + 200; }
  };

  static std::string key_of(const Query& query);
  void drop(std::list<Entry>::iterator entry);

  Limits limits_;
  size_t bytes_ = 0;
  std::list<Entry> order_;  // most recently used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> entries_;
};

}  // namespace dns
