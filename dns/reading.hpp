#pragma once

// Reads a whole answer into plain values: for tests and benchmarks, which look at answers as a client does.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.hpp"
#include "dns/address.hpp"
#include "dns/message.hpp"

namespace dns::testing {

struct ReadRecord {
  std::string owner;
  uint16_t type = 0;
  uint32_t ttl = 0;
  std::string text;  // address; "priority weight port target"; names; else the bytes
  bool operator==(const ReadRecord&) const = default;
};

struct ReadAnswer {
  uint16_t id = 0, flags = 0;
  std::vector<ReadRecord> answer, authority, additional;  // the OPT record is not among them
  bool has_opt = false;
  uint8_t extended_rcode = 0;
  int rcode() const { return flags & 15; }
  bool truncated() const { return flags & kTc; }

  std::vector<std::string> texts() const {
    std::vector<std::string> out;
    for (const ReadRecord& record : answer) out.push_back(record.text);
    return out;
  }
};

inline std::string read_text(std::string_view message, size_t at, uint16_t type, size_t length) {
  Name name;
  if (type == kA || type == kAaaa) return address_of_wire(message.substr(at, length)).text();
  if (type == kSrv) {
    size_t target = at + 6;
    CHECK(read_name(message, target, name));
    return std::to_string(read_u16(message, at)) + " " + std::to_string(read_u16(message, at + 2)) + " " +
           std::to_string(read_u16(message, at + 4)) + " " + std::string(name.view());
  }
  if (type == kNs || type == kCname || type == kSoa) {
    CHECK(read_name(message, at, name));
    std::string text(name.view());
    if (type != kSoa) return text;
    CHECK(read_name(message, at, name));
    text += " " + std::string(name.view());
    for (size_t i = 0; i < 5; ++i) text += " " + std::to_string(read_u32(message, at + 4 * i));
    return text;
  }
  return std::string(message.substr(at, length));
}

inline ReadAnswer read_answer(std::string_view message) {
  CHECK(message.size() >= kHeaderBytes);
  ReadAnswer out;
  out.id = read_u16(message, 0);
  out.flags = read_u16(message, 2);
  size_t at = kHeaderBytes;
  for (int i = read_u16(message, 4); i > 0; --i) {
    CHECK(skip_name(message, at));
    at += 4;
  }
  const auto section = [&](uint16_t count, std::vector<ReadRecord>& list) {
    for (; count > 0; --count) {
      Name owner;
      CHECK(read_name(message, at, owner));
      CHECK(at + 10 <= message.size());
      ReadRecord record{std::string(owner.view()), read_u16(message, at), read_u32(message, at + 4), {}};
      const size_t length = read_u16(message, at + 8);
      if (record.type == kOpt) {
        out.has_opt = true;
        out.extended_rcode = static_cast<uint8_t>(message[at + 4]);
      }
      at += 10;
      CHECK(at + length <= message.size());
      if (record.type != kOpt) {
        record.text = read_text(message, at, record.type, length);
        list.push_back(std::move(record));
      }
      at += length;
    }
  };
  section(read_u16(message, 6), out.answer);
  section(read_u16(message, 8), out.authority);
  section(read_u16(message, 10), out.additional);
  CHECK(at == message.size());
  return out;
}

}  // namespace dns::testing
