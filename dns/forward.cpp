#include "dns/forward.hpp"

#include <algorithm>
#include <cstring>

#include "base/strings.hpp"
#include "dns/answer.hpp"

namespace dns {

std::vector<Endpoint> ForwardRules::upstreams(std::string_view name) const {
  const Zone* best = nullptr;
  for (const Zone& zone : zones) {
    if (is_below(name, zone.name) && (best == nullptr || zone.name.size() > best->name.size())) best = &zone;
  }
  if (best != nullptr) return best->resolvers;
  return external ? resolvers : std::vector<Endpoint>();
}

bool answers_request(std::string_view answer, std::string_view request) {
  Query asked;
  if (answer.size() < kHeaderBytes || parse_query(request, asked) != Parsed::Ok) return false;
  if (read_u16(answer, 0) != asked.id || !(read_u16(answer, 2) & kQr)) return false;
  const size_t question = asked.question_end - kHeaderBytes;
  // An error may come without the question.
  if (read_u16(answer, 4) == 0) return (read_u16(answer, 2) & 15) != kNoError && answer.size() == kHeaderBytes;
  if (read_u16(answer, 4) != 1 || answer.size() < asked.question_end) return false;
  return base::iequals(answer.substr(kHeaderBytes, question), request.substr(kHeaderBytes, question));
}

std::string fit_answer(std::string answer, size_t limit, bool set_truncate_bit) {
  if (answer.size() < kHeaderBytes) return answer;
  uint16_t flags = read_u16(answer, 2);
  if (answer.size() > limit) {
    size_t at = kHeaderBytes;
    if (read_u16(answer, 4) == 1 && skip_name(answer, at) && at + 4 <= std::min(limit, answer.size())) {
      answer.resize(at + 4);
    } else {
      answer.resize(kHeaderBytes);
      write_u16(answer.data() + 4, 0);
    }
    std::memset(answer.data() + 6, 0, 6);
    flags |= kTc;
  }
  if (!set_truncate_bit) flags &= static_cast<uint16_t>(~kTc);
  write_u16(answer.data() + 2, flags);
  return answer;
}

std::string AnswerCache::key_of(const Query& query) {
  std::string key(query.name.view());
  const auto relevant = static_cast<uint16_t>((query.flags & (kRd | kCd)) | (query.edns ? 1 : 0) | (query.dnssec_ok ? 2 : 0));
  for (uint16_t number : {query.type, query.klass, relevant}) {
    key.push_back(static_cast<char>(number >> 8));
    key.push_back(static_cast<char>(number & 255));
  }
  return key;
}

std::optional<std::string> AnswerCache::find(const Query& query, std::string_view request, base::Instant now) {
  if (query.edns_options || !query.name.plain) return std::nullopt;
  const std::string key = key_of(query);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return std::nullopt;
  const auto entry = found->second;
  if (entry->expires <= now) {
    drop(entry);
    return std::nullopt;
  }
  order_.splice(order_.begin(), order_, entry);
  std::string answer = entry->answer;
  std::memcpy(answer.data(), request.data(), 2);
  std::memcpy(answer.data() + kHeaderBytes, request.data() + kHeaderBytes, query.question_end - kHeaderBytes);
  const auto age = std::chrono::duration_cast<base::seconds>(now - entry->stored).count();
  for (const uint16_t offset : entry->ttl_offsets) {
    const uint32_t ttl = read_u32(answer, offset);
    write_u32(answer.data() + offset, ttl - static_cast<uint32_t>(std::min<int64_t>(age, ttl)));
  }
  return answer;
}

void AnswerCache::put(const Query& query, std::string_view answer, base::Instant now) {
  if (query.edns_options || !query.name.plain || answer.size() < query.question_end) return;
  const uint16_t flags = read_u16(answer, 2);
  const int rcode = flags & 15;
  if ((flags & kTc) || (rcode != kNoError && rcode != kNxDomain) || read_u16(answer, 4) != 1) return;
  auto scan = scan_answer(answer);
  if (!scan || scan->ttl == 0 || scan->negative_without_soa) return;
  const bool negative = read_u16(answer, 6) == 0;
  const base::Duration longest = negative ? limits_.longest_negative : limits_.longest;
  Entry entry{key_of(query), std::string(answer), std::move(scan->ttl_offsets), now,
              now + std::min<base::Duration>(base::seconds(scan->ttl), longest)};
  const size_t cost = entry.cost();
  if (cost > limits_.max_bytes / 16) return;
  if (const auto old = entries_.find(entry.key); old != entries_.end()) drop(old->second);
  while (bytes_ + cost > limits_.max_bytes && !order_.empty()) drop(std::prev(order_.end()));
  order_.push_front(std::move(entry));
  entries_.emplace(order_.front().key, order_.begin());
  bytes_ += cost;
}

void AnswerCache::drop(std::list<Entry>::iterator entry) {
  bytes_ -= entry->cost();
  entries_.erase(entry->key);
  order_.erase(entry);
}

}  // namespace dns
