#pragma once

// The wire format of DNS messages (RFC 1035, 6891): reading queries and the parts of answers that a cache must know, and
// writing answers into a buffer of fixed size. Pure; never reads or writes outside what it is given.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace dns {

inline constexpr size_t kHeaderBytes = 12;
inline constexpr size_t kMaxMessage = 65535;
inline constexpr size_t kMaxName = 255;       // on the wire
inline constexpr size_t kClassicLimit = 512;  // of answers over UDP without EDNS0

enum Type : uint16_t {
  kA = 1, kNs = 2, kCname = 5, kSoa = 6, kPtr = 12, kMx = 15, kTxt = 16, kAaaa = 28, kSrv = 33, kOpt = 41, kAny = 255
};
enum Class : uint16_t { kIn = 1, kClassAny = 255 };
enum Rcode : uint8_t { kNoError = 0, kFormErr = 1, kServFail = 2, kNxDomain = 3, kNotImp = 4, kRefused = 5, kBadVers = 16 };

inline constexpr uint16_t kQr = 0x8000, kOpcodeMask = 0x7800, kAa = 0x0400, kTc = 0x0200, kRd = 0x0100, kRa = 0x0080,
                          kCd = 0x0010;

inline uint16_t read_u16(std::string_view bytes, size_t at) {
  return static_cast<uint16_t>(static_cast<uint8_t>(bytes[at]) << 8 | static_cast<uint8_t>(bytes[at + 1]));
}
inline uint32_t read_u32(std::string_view bytes, size_t at) {
  return uint32_t{read_u16(bytes, at)} << 16 | read_u16(bytes, at + 2);
}
void write_u16(char* at, uint16_t value);
void write_u32(char* at, uint32_t value);

/// A name as text: lower case, without final dot; "" is the root.
struct Name {
  std::array<char, kMaxName> text{};
  uint8_t size = 0;
  bool plain = true;  // only [a-z0-9_*-] in its labels: what is not plain is in none of our zones
  std::string_view view() const { return {text.data(), size}; }
};

/// Reads the name at `at`, following compression pointers backwards only; `at` becomes the position after it.
bool read_name(std::string_view message, size_t& at, Name& name);

/// Passes the name at `at` without reading it.
bool skip_name(std::string_view message, size_t& at);

/// A request with one question.
struct Query {
  uint16_t id = 0, flags = 0;
  Name name;
  uint16_t type = 0, klass = 0;
  size_t question_end = 0;  // the question is the bytes from kHeaderBytes to here
  bool edns = false;
  bool edns_options = false;
  uint8_t edns_version = 0;
  bool dnssec_ok = false;
  uint16_t payload = 0;     // what the client takes over UDP, by its word
};

enum class Parsed {
  Ok,
  Drop,      // no request at all: nothing is answered
  FormErr,
  NotImp,
};

/// `query` is filled as far as it goes; id and flags at least, unless the outcome is Drop.
Parsed parse_query(std::string_view message, Query& query);

/// What a cache needs to know of an answer.
struct AnswerScan {
  uint32_t ttl = 0;                   // smallest of all records; of negative answers: by their SOA
  bool negative_without_soa = false;  // not to be kept (RFC 2308)
  std::vector<uint16_t> ttl_offsets;  // where the TTLs stand
};

/// nullopt: malformed.
std::optional<AnswerScan> scan_answer(std::string_view message);

/// Appends to a buffer of fixed size. An append that does not fit leaves everything as it was and returns false.
class MessageWriter {
 public:
  /// `limit` bytes of `buffer` may be used.
  MessageWriter(std::span<char> buffer, size_t limit);

  bool raw(std::string_view bytes);

  /// A record whose owner is an earlier name at `owner_offset`; `data` is copied as it is.
  bool record(size_t owner_offset, uint16_t type, uint32_t ttl, std::string_view data);

  /// As record, with an owner that is written out and no pointer; `name` without final dot.
  bool record_named(std::string_view owner, uint16_t type, uint32_t ttl, std::string_view data);

  /// priority, weight, port, target; `target_offset`: where the target begins, for later owners.
  bool srv(size_t owner_offset, uint32_t ttl, uint16_t priority, uint16_t weight, uint16_t port, std::string_view target,
           size_t& target_offset);

  /// The OPT record.
  bool opt(uint16_t payload, uint8_t extended_rcode, bool dnssec_ok);

  size_t size() const { return size_; }
  void truncate(size_t size) { size_ = size; }
  void reserve_tail(size_t bytes) { reserved_ = bytes; }
  char* data() { return buffer_.data(); }

 private:
  bool room(size_t bytes) const { return size_ + bytes + reserved_ <= limit_; }
  void put_u16(uint16_t value);
  void put_u32(uint32_t value);
  size_t put_name(std::string_view name);

  std::span<char> buffer_;
  size_t limit_, size_ = 0, reserved_ = 0;
};

/// A name on the wire, uncompressed: labels and the final zero. `name` is valid (names.hpp) or empty.
std::string encode_name(std::string_view name);

/// An error answer to `request` (at least a header): its question when it has one, rcode, no records.
std::string error_answer(std::string_view request, uint8_t rcode, bool truncated = false);

/// A query for tests, probes and tools.
std::string make_query(uint16_t id, std::string_view name, uint16_t type, uint16_t edns_payload = 0);

}  // namespace dns
