#include "dns/message.hpp"

#include <algorithm>
#include <cstring>

namespace dns {
namespace {

constexpr uint8_t kPointer = 0xc0;
constexpr size_t kMaxRecords = 10'000;  // of an answer that is scanned

bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '*'; }

/// Passes owner and fixed part of a record; `at` is then at its data, of `length` bytes that are there.
bool read_record_head(std::string_view message, size_t& at, uint16_t& type, size_t& length) {
  if (!skip_name(message, at) || at + 10 > message.size()) return false;
  type = read_u16(message, at);
  length = read_u16(message, at + 8);
  at += 10;
  return at + length <= message.size();
}

bool parse_opt(std::string_view message, size_t& at, Query& query) {
  const size_t start = at;
  uint16_t type = 0;
  size_t length = 0;
  if (!read_record_head(message, at, type, length)) return false;
  if (type == kOpt) {
    if (query.edns || message[start] != 0) return false;  // two of them, or one with an owner
    query.edns = true;
    query.payload = read_u16(message, at - 8);
    query.edns_version = static_cast<uint8_t>(message[at - 5]);
    query.dnssec_ok = (static_cast<uint8_t>(message[at - 4]) & 0x80) != 0;
    query.edns_options = length > 0;
  }
  at += length;
  return true;
}

}  // namespace

void write_u16(char* at, uint16_t value) {
  at[0] = static_cast<char>(value >> 8);
  at[1] = static_cast<char>(value & 255);
}

void write_u32(char* at, uint32_t value) {
  write_u16(at, static_cast<uint16_t>(value >> 16));
  write_u16(at + 2, static_cast<uint16_t>(value & 65535));
}

bool read_name(std::string_view message, size_t& at, Name& name) {
  name.size = 0;
  name.plain = true;
  size_t position = at, wire_size = 1;
  size_t earliest = at;  // pointers must lead before everything read so far, so that no loop is possible
  bool jumped = false;
  for (;;) {
    if (position >= message.size()) return false;
    const auto length = static_cast<uint8_t>(message[position]);
    if ((length & kPointer) == kPointer) {
      if (position + 2 > message.size()) return false;
      const size_t target = read_u16(message, position) & 0x3fff;
      if (!jumped) at = position + 2;
      jumped = true;
      if (target >= earliest || target < kHeaderBytes) return false;
      position = earliest = target;
      continue;
    }
    if (length & kPointer) return false;
    if (length == 0) {
      if (!jumped) at = position + 1;
      return true;
    }
    wire_size += length + size_t{1};
    if (position + 1 + length > message.size() || wire_size > kMaxName) return false;
    if (name.size > 0) name.text[name.size++] = '.';
    for (size_t i = 0; i < length; ++i) {
      char c = message[position + 1 + i];
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + ('a' - 'A'));
      if (!is_plain(c)) name.plain = false;
      name.text[name.size++] = c;
    }
    position += 1 + length;
  }
}

bool skip_name(std::string_view message, size_t& at) {
  size_t position = at;
  for (;;) {
    if (position >= message.size()) return false;
    const auto length = static_cast<uint8_t>(message[position]);
    if ((length & kPointer) == kPointer) {
      if (position + 2 > message.size()) return false;
      at = position + 2;
      return true;
    }
    if ((length & kPointer) || position - at + 1 + length > kMaxName) return false;
    position += 1 + length;
    if (length == 0) {
      at = position;
      return true;
    }
  }
}

Parsed parse_query(std::string_view message, Query& query) {
  if (message.size() < kHeaderBytes) return Parsed::Drop;
  query.id = read_u16(message, 0);
  query.flags = read_u16(message, 2);
  if (query.flags & kQr) return Parsed::Drop;  // an answer; answering it could go on for ever
  if (query.flags & kOpcodeMask) return Parsed::NotImp;
  if (read_u16(message, 4) != 1) return Parsed::FormErr;
  size_t at = kHeaderBytes;
  if (!read_name(message, at, query.name) || at + 4 > message.size()) return Parsed::FormErr;
  query.type = read_u16(message, at);
  query.klass = read_u16(message, at + 2);
  query.question_end = at += 4;
  const size_t others = size_t{read_u16(message, 6)} + read_u16(message, 8);
  const size_t additional = read_u16(message, 10);
  for (size_t i = 0; i < others; ++i) {
    uint16_t type = 0;
    size_t length = 0;
    if (!read_record_head(message, at, type, length) || type == kOpt) return Parsed::FormErr;
    at += length;
  }
  for (size_t i = 0; i < additional; ++i) {
    if (!parse_opt(message, at, query)) return Parsed::FormErr;
  }
  return Parsed::Ok;
}

std::optional<AnswerScan> scan_answer(std::string_view message) {
  if (message.size() < kHeaderBytes || message.size() > kMaxMessage || read_u16(message, 4) != 1) return std::nullopt;
  AnswerScan scan;
  size_t at = kHeaderBytes;
  if (!skip_name(message, at) || at + 4 > message.size()) return std::nullopt;
  at += 4;
  const size_t answers = read_u16(message, 6), authority = read_u16(message, 8);
  const size_t all = answers + authority + read_u16(message, 10);
  if (all > kMaxRecords) return std::nullopt;
  uint32_t ttl = UINT32_MAX;
  bool has_soa = false;
  for (size_t i = 0; i < all; ++i) {
    uint16_t type = 0;
    size_t length = 0;
    if (!read_record_head(message, at, type, length)) return std::nullopt;
    if (type != kOpt) {
      scan.ttl_offsets.push_back(static_cast<uint16_t>(at - 6));
      ttl = std::min(ttl, read_u32(message, at - 6));
      if (type == kSoa && i >= answers && i < answers + authority && length >= 20) {
        has_soa = true;
        ttl = std::min(ttl, read_u32(message, at + length - 4));
      }
    }
    at += length;
  }
  scan.negative_without_soa = answers == 0 && !has_soa;
  scan.ttl = ttl == UINT32_MAX ? 0 : ttl;
  return scan;
}

MessageWriter::MessageWriter(std::span<char> buffer, size_t limit)
    : buffer_(buffer), limit_(std::min(limit, buffer.size())) {}

bool MessageWriter::raw(std::string_view bytes) {
  if (!room(bytes.size())) return false;
  std::memcpy(buffer_.data() + size_, bytes.data(), bytes.size());
  size_ += bytes.size();
  return true;
}

void MessageWriter::put_u16(uint16_t value) {
  write_u16(buffer_.data() + size_, value);
  size_ += 2;
}

void MessageWriter::put_u32(uint32_t value) {
  write_u32(buffer_.data() + size_, value);
  size_ += 4;
}

size_t MessageWriter::put_name(std::string_view name) {
  const size_t start = size_;
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    buffer_[size_++] = static_cast<char>(dot);
    std::memcpy(buffer_.data() + size_, name.data(), dot);
    size_ += dot;
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  buffer_[size_++] = 0;
  return start;
}

bool MessageWriter::record(size_t owner_offset, uint16_t type, uint32_t ttl, std::string_view data) {
  if (owner_offset >= 0x4000 || !room(12 + data.size())) return false;
  put_u16(static_cast<uint16_t>(0xc000 | owner_offset));
  put_u16(type);
  put_u16(kIn);
  put_u32(ttl);
  put_u16(static_cast<uint16_t>(data.size()));
  return raw(data);
}

bool MessageWriter::record_named(std::string_view owner, uint16_t type, uint32_t ttl, std::string_view data) {
  if (!room(owner.size() + 2 + 10 + data.size())) return false;
  put_name(owner);
  put_u16(type);
  put_u16(kIn);
  put_u32(ttl);
  put_u16(static_cast<uint16_t>(data.size()));
  return raw(data);
}

bool MessageWriter::srv(size_t owner_offset, uint32_t ttl, uint16_t priority, uint16_t weight, uint16_t port,
                        std::string_view target, size_t& target_offset) {
  const size_t data_size = 6 + target.size() + 2;
  if (owner_offset >= 0x4000 || !room(12 + data_size)) return false;
  put_u16(static_cast<uint16_t>(0xc000 | owner_offset));
  put_u16(kSrv);
  put_u16(kIn);
  put_u32(ttl);
  put_u16(static_cast<uint16_t>(data_size));
  put_u16(priority);
  put_u16(weight);
  put_u16(port);
  // Readers of SRV need not understand a compressed target (RFC 2782).
  target_offset = put_name(target);
  return true;
}

bool MessageWriter::opt(uint16_t payload, uint8_t extended_rcode, bool dnssec_ok) {
  if (!room(11)) return false;
  buffer_[size_++] = 0;
  put_u16(kOpt);
  put_u16(payload);
  put_u32(uint32_t{extended_rcode} << 24 | (dnssec_ok ? 0x8000u : 0u));
  put_u16(0);
  return true;
}

std::string encode_name(std::string_view name) {
  std::string wire;
  while (!name.empty()) {
    const size_t dot = std::min(name.find('.'), name.size());
    wire.push_back(static_cast<char>(dot));
    wire.append(name.substr(0, dot));
    name.remove_prefix(std::min(dot + 1, name.size()));
  }
  wire.push_back('\0');
  return wire;
}

std::string error_answer(std::string_view request, uint8_t rcode, bool truncated) {
  Query query;
  const Parsed parsed = parse_query(request, query);
  if (parsed == Parsed::Drop) return {};
  std::string answer(kHeaderBytes, '\0');
  write_u16(answer.data(), query.id);
  const auto flags = static_cast<uint16_t>(kQr | (query.flags & (kOpcodeMask | kRd | kCd)) | (truncated ? kTc : 0) | (rcode & 15));
  write_u16(answer.data() + 2, flags);
  if (query.question_end > 0) {
    write_u16(answer.data() + 4, 1);
    answer.append(request.substr(kHeaderBytes, query.question_end - kHeaderBytes));
  }
  return answer;
}

std::string make_query(uint16_t id, std::string_view name, uint16_t type, uint16_t edns_payload) {
  std::string query(kHeaderBytes, '\0');
  write_u16(query.data(), id);
  write_u16(query.data() + 2, kRd);
  write_u16(query.data() + 4, 1);
  query += encode_name(name);
  char fixed[4];
  write_u16(fixed, type);
  write_u16(fixed + 2, kIn);
  query.append(fixed, 4);
  if (edns_payload > 0) {
    write_u16(query.data() + 10, 1);
    char opt[11] = {0, 0, kOpt};
    write_u16(opt + 3, edns_payload);
    query.append(opt, sizeof opt);
  }
  return query;
}

}  // namespace dns
