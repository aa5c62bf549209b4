#pragma once

// From a query and the zone to the answer's bytes (pure): which of our zones, which section, which code, what is left out
// when it does not fit.

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/random.hpp"
#include "dns/message.hpp"
#include "dns/zone.hpp"

namespace dns {

/// A domain that we answer for.
struct ServedZone {
  std::string apex;            // as asked: "mesos.thisdcos.directory"
  std::string stored;          // where its names are kept: "mesos"; equal to apex for most
  bool Zone::*loaded = nullptr;  // until it is, names can neither be given nor denied; null: always
  uint32_t ttl = 60;
  uint32_t ns_ttl = 60;
  uint16_t srv_priority = 0;
  uint16_t srv_weight = 1;
  std::string mname, rname;    // of its SOA, without final dot
  uint32_t refresh = 60, retry = 600, expire = 86400, minimum = 60;
};

struct AnswerOptions {
  std::vector<ServedZone> zones;  // longer ones before those that contain them
  bool recursion_available = true;
  bool set_truncate_bit = true;
  uint16_t udp_limit = 1232;      // the most that EDNS0 gets a client over UDP
};

enum class Verdict {
  Answered,
  Drop,
  Forward,  // a name of others
};

/// Answers queries of one thread; keeps memory between calls, nothing else.
class Answerer {
 public:
  Answerer(const AnswerOptions& options, base::Random random) : options_(options), random_(random) {}

  /// The answer's bytes are the first `size` of `buffer`, which has room for at least 512; over UDP never more than the
  /// client takes. `query` is what was asked, for Forward.
  Verdict answer(std::string_view request, const Zone& zone, bool udp, std::span<char> buffer, size_t& size, Query& query);

 private:
  struct Reply;

  const ServedZone* zone_of(std::string_view name) const;
  void answer_own(std::string_view request, const ServedZone& served, const Zone& zone, const Query& query,
                  std::string_view name, Reply& reply);
  void collect(const Entry& entry, bool a, bool aaaa, bool srv);
  bool write_answers(const ServedZone& served, Reply& reply);
  bool write_additional(const ServedZone& served, const Zone& zone, Reply& reply);
  bool write_soa(const ServedZone& served, const Zone& zone, Reply& reply);
  bool write_ns(const ServedZone& served, Reply& reply);

  struct Target {
    std::string_view name;  // as stored
    size_t offset = 0;      // where it was written
  };

  const AnswerOptions& options_;
  base::Random random_;
  std::vector<RecordView> records_;
  std::vector<Target> targets_;
  std::string renamed_;
};

/// `name` with `apex` at its end replaced by `other`.
std::string rename_below(std::string_view name, std::string_view apex, std::string_view other);

/// Whether `name` is `apex` or below it.
bool is_below(std::string_view name, std::string_view apex);

}  // namespace dns
