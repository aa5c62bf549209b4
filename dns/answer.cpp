#include "dns/answer.hpp"

#include <algorithm>
#include <cstring>
#include <unordered_set>

namespace dns {
namespace {

constexpr size_t kQuestion = kHeaderBytes;  // where the question's name stands
constexpr size_t kOptBytes = 11;

/// The name that is looked up: literal ".*" pieces are wildcards of old and vanish.
std::string_view without_stars(const Name& name, std::span<char> buffer) {
  const std::string_view text = name.view();
  if (text.find(".*") == std::string_view::npos) return text;
  size_t size = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text.compare(i, 2, ".*") == 0) {
      ++i;
    } else {
      buffer[size++] = text[i];
    }
  }
  return {buffer.data(), size};
}

}  // namespace

bool is_below(std::string_view name, std::string_view apex) {
  if (!name.ends_with(apex)) return false;
  return name.size() == apex.size() || name[name.size() - apex.size() - 1] == '.';
}

std::string rename_below(std::string_view name, std::string_view apex, std::string_view other) {
  std::string renamed(name.substr(0, name.size() - apex.size()));
  renamed += other;
  return renamed;
}

/// A message under way.
struct Answerer::Reply {
  MessageWriter out;
  uint8_t rcode = kNoError;
  bool truncated = false;
  uint16_t answers = 0, authority = 0, additional = 0;
};

const ServedZone* Answerer::zone_of(std::string_view name) const {
  for (const ServedZone& zone : options_.zones) {
    if (is_below(name, zone.apex)) return &zone;
  }
  return nullptr;
}

Verdict Answerer::answer(std::string_view request, const Zone& zone, bool udp, std::span<char> buffer, size_t& size,
                         Query& query) {
  size = 0;
  const Parsed parsed = parse_query(request, query);
  if (parsed == Parsed::Drop) return Verdict::Drop;
  if (parsed != Parsed::Ok) {
    const std::string error = error_answer(request, parsed == Parsed::NotImp ? kNotImp : kFormErr);
    std::memcpy(buffer.data(), error.data(), error.size());
    size = error.size();
    return Verdict::Answered;
  }
  std::array<char, kMaxName> stripped;
  const std::string_view name = without_stars(query.name, stripped);
  const ServedZone* served = zone_of(name);
  if (served == nullptr && query.edns_version == 0) return Verdict::Forward;

  size_t limit = udp ? kClassicLimit : kMaxMessage;
  if (udp && query.edns) limit = std::clamp<size_t>(query.payload, kClassicLimit, std::max<size_t>(kClassicLimit, options_.udp_limit));
  Reply reply{MessageWriter(buffer, limit)};
  reply.out.raw(request.substr(0, query.question_end));
  if (query.edns) reply.out.reserve_tail(kOptBytes);
  if (query.edns_version != 0) {
    reply.rcode = kBadVers;
  } else if (query.klass != kIn && query.klass != kClassAny) {
    reply.rcode = kRefused;
  } else {
    answer_own(request, *served, zone, query, name, reply);
  }
  reply.out.reserve_tail(0);
  if (query.edns && reply.out.opt(options_.udp_limit, reply.rcode >> 4, query.dnssec_ok)) ++reply.additional;

  char* head = reply.out.data();
  uint16_t flags = kQr | (query.flags & (kRd | kCd)) | (reply.rcode & 15);
  if (served != nullptr) flags |= kAa;
  if (options_.recursion_available) flags |= kRa;
  if (reply.truncated && options_.set_truncate_bit) flags |= kTc;
  write_u16(head + 2, flags);
  write_u16(head + 4, 1);
  write_u16(head + 6, reply.answers);
  write_u16(head + 8, reply.authority);
  write_u16(head + 10, reply.additional);
  size = reply.out.size();
  return Verdict::Answered;
}

void Answerer::collect(const Entry& entry, bool a, bool aaaa, bool srv) {
  records_.clear();
  for (const RecordView record : entry) {
    if ((record.kind == Kind::A && a) || (record.kind == Kind::AAAA && aaaa) || (record.kind == Kind::SRV && srv)) {
      records_.push_back(record);
    }
  }
}

bool Answerer::write_answers(const ServedZone& served, Reply& reply) {
  targets_.clear();
  const bool renames = served.apex != served.stored;
  for (size_t i = 0; i < records_.size(); ++i) {
    // A fair shuffle, as far as it is needed.
    std::swap(records_[i], records_[i + random_.below(records_.size() - i)]);
    const RecordView& record = records_[i];
    bool fits = false;
    if (record.kind == Kind::SRV) {
      std::string_view target = record.target();
      if (renames && is_below(target, served.stored)) target = renamed_ = rename_below(target, served.stored, served.apex);
      size_t offset = 0;
      fits = reply.out.srv(kQuestion, served.ttl, served.srv_priority, served.srv_weight, record.port(), target, offset);
      if (fits) targets_.push_back({record.target(), offset});
    } else {
      fits = reply.out.record(kQuestion, record.kind == Kind::A ? kA : kAaaa, served.ttl, record.data);
    }
    if (!fits) return false;
    ++reply.answers;
  }
  return true;
}

bool Answerer::write_additional(const ServedZone& served, const Zone& zone, Reply& reply) {
  std::unordered_set<std::string_view> seen;
  for (const Target& target : targets_) {
    if (targets_.size() > 1 && !seen.insert(target.name).second) continue;
    const Entry entry = zone.find(target.name);
    for (const Kind kind : {Kind::A, Kind::AAAA}) {
      collect(entry, kind == Kind::A, kind == Kind::AAAA, false);
      if (records_.empty()) continue;
      const RecordView& record = records_[random_.below(records_.size())];
      const uint16_t type = kind == Kind::A ? kA : kAaaa;
      bool fits = false;
      if (target.offset < 0x4000) {
        fits = reply.out.record(target.offset, type, served.ttl, record.data);
      } else {
        const bool renames = served.apex != served.stored && is_below(target.name, served.stored);
        const std::string owner =
            renames ? rename_below(target.name, served.stored, served.apex) : std::string(target.name);
        fits = reply.out.record_named(owner, type, served.ttl, record.data);
      }
      if (!fits) return false;
      ++reply.additional;
    }
  }
  return true;
}

bool Answerer::write_soa(const ServedZone& served, const Zone& zone, Reply& reply) {
  std::string data = encode_name(served.mname) + encode_name(served.rname);
  char fixed[20];
  write_u32(fixed, zone.serial);
  write_u32(fixed + 4, served.refresh);
  write_u32(fixed + 8, served.retry);
  write_u32(fixed + 12, served.expire);
  write_u32(fixed + 16, served.minimum);
  data.append(fixed, sizeof fixed);
  return reply.out.record(kQuestion, kSoa, served.ttl, data);
}

bool Answerer::write_ns(const ServedZone& served, Reply& reply) {
  return reply.out.record(kQuestion, kNs, served.ns_ttl, encode_name(served.mname));
}

void Answerer::answer_own(std::string_view, const ServedZone& served, const Zone& zone, const Query& query,
                          std::string_view name, Reply& reply) {
  if (served.loaded != nullptr && !(zone.*served.loaded)) {
    reply.rcode = kServFail;
    return;
  }
  const bool at_apex = name == served.apex;
  Entry entry;
  if (query.name.plain) {
    entry = served.apex == served.stored ? zone.find(name) : zone.find(rename_below(name, served.apex, served.stored));
  }
  const bool any = query.type == kAny;
  collect(entry, any || query.type == kA, any || query.type == kAaaa, any || query.type == kSrv);
  const bool soa = any || query.type == kSoa, ns = any || query.type == kNs;

  reply.truncated = !write_answers(served, reply);
  if (reply.truncated) return;  // what was written is the most that fits
  // Where old tests and where resolvers look: authority always, at the apex in the answer too.
  if (at_apex && query.type == kSoa && write_soa(served, zone, reply)) ++reply.answers;
  if (at_apex && query.type == kNs && write_ns(served, reply)) ++reply.answers;

  const bool found = reply.answers > 0;
  if (!found && !soa && !ns) {
    const bool known = static_cast<bool>(entry) || at_apex;
    if (!known && query.type == kSrv) return;  // an unknown service is no error
    if (!known) reply.rcode = kNxDomain;
    if (write_soa(served, zone, reply)) ++reply.authority;
    return;
  }
  if (any && !found && !entry && !at_apex) reply.rcode = kNxDomain;
  if (soa && write_soa(served, zone, reply)) ++reply.authority;
  if (ns && write_ns(served, reply)) ++reply.authority;

  const size_t before_additional = reply.out.size();
  if (!targets_.empty() && !write_additional(served, zone, reply)) {
    reply.out.truncate(before_additional);
    reply.additional = 0;
    reply.truncated = true;
  }
}

}  // namespace dns
