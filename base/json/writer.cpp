#include "base/json/writer.hpp"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstring>

namespace base::json {

namespace {

// True for bytes that a JSON string takes as they are, one at a time: printable ASCII but quote and
// backslash.
constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> table{};
  for (size_t byte = 0x20; byte < 0x80; ++byte) table[byte] = byte != '"' && byte != '\\';
  return table;
}();

// Set in the high bit of each byte that needs a closer look; a zero result means eight plain bytes.
// May be set for a plain byte that follows one that is not, never the other way round.
uint64_t suspicious(uint64_t eight) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  const auto zero_bytes = [](uint64_t word) { return (word - kOnes) & ~word; };
  const uint64_t control = eight - kOnes * 0x20;
  return (eight | control | zero_bytes(eight ^ (kOnes * '"')) |
          zero_bytes(eight ^ (kOnes * '\\'))) &
         kHigh;
}

size_t plain_length(const char* at, const char* end) {
  const char* const start = at;
  while (end - at >= 8) {
    uint64_t eight;
    std::memcpy(&eight, at, 8);
    if (suspicious(eight) != 0) break;
    at += 8;
  }
  while (at != end && kPlain[static_cast<unsigned char>(*at)]) ++at;
  return static_cast<size_t>(at - start);
}

// Length of the UTF-8 sequence (2 to 4 bytes) at `at`, 0 when it is not one (RFC 3629: shortest
// form, no surrogates).
size_t sequence_length(const char* at, const char* end) {
  const auto byte = [&](std::ptrdiff_t i) { return static_cast<unsigned char>(at[i]); };
  const auto continues = [&](std::ptrdiff_t i) { return i < end - at && (byte(i) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first >= 0xc2 && first <= 0xdf) return continues(1) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    if (!continues(1) || !continues(2)) return 0;
    if (first == 0xe0 && byte(1) < 0xa0) return 0;
    if (first == 0xed && byte(1) > 0x9f) return 0;
    return 3;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    if (!continues(1) || !continues(2) || !continues(3)) return 0;
    if (first == 0xf0 && byte(1) < 0x90) return 0;
    if (first == 0xf4 && byte(1) > 0x8f) return 0;
    return 4;
  }
  return 0;
}

void append_escape(std::string& out, unsigned char byte) {
  constexpr std::string_view kHex = "0123456789abcdef";
  switch (byte) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\b':
      out += "\\b";
      return;
    case '\f':
      out += "\\f";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      break;
  }
  out += "\\u00";
  out.push_back(kHex[byte >> 4]);
  out.push_back(kHex[byte & 15]);
}

template <class T>
void append_integer(std::string& out, T number) {
  std::array<char, 24> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number).ptr;
  out.append(buffer.data(), static_cast<size_t>(end - buffer.data()));
}

}  // namespace

void append_string(std::string& out, std::string_view text) {
  out.push_back('"');
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    const size_t plain = plain_length(at, end);
    out.append(at, plain);
    at += plain;
    if (at == end) break;
    const auto byte = static_cast<unsigned char>(*at);
    if (byte < 0x80) {
      append_escape(out, byte);
      ++at;
      continue;
    }
    const size_t length = sequence_length(at, end);
    if (length == 0) {
      out += "\xef\xbf\xbd";
      ++at;
    } else {
      out.append(at, length);
      at += length;
    }
  }
  out.push_back('"');
}

void append_double(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += std::isnan(number) ? "\"NaN\"" : number > 0 ? "\"Infinity\"" : "\"-Infinity\"";
    return;
  }
  std::array<char, 32> buffer;
  char* const begin = buffer.data();
  char* end = std::to_chars(begin, begin + buffer.size(), number).ptr;
  const std::string_view text(begin, static_cast<size_t>(end - begin));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void Writer::key(std::string_view name) {
  separate();
  append_string(out_, name);
  out_.push_back(':');
  comma_ = false;
}

void Writer::value(std::string_view text) {
  separate();
  append_string(out_, text);
  comma_ = true;
}

void Writer::value(double number) {
  separate();
  append_double(out_, number);
  comma_ = true;
}

void Writer::integer(int64_t number) {
  separate();
  append_integer(out_, number);
  comma_ = true;
}

void Writer::unsigned_integer(uint64_t number) {
  separate();
  append_integer(out_, number);
  comma_ = true;
}

}  // namespace base::json
