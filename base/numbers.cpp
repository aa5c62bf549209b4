#include "base/numbers.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <limits>

namespace base {

namespace {

template <class T>
Result<T> parse_whole(std::string_view text, const char* kind) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::result_out_of_range) return invalid("'" + std::string(text) + "' is out of range");
  if (error != std::errc() || end != text.data() + text.size() || text.empty()) {
    return invalid("'" + std::string(text) + "' is not " + kind);
  }
  return value;
}

struct Unit {
  std::string_view name;
  uint64_t bytes;
};
constexpr std::array<Unit, 5> kByteUnits{{{"TB", uint64_t{1} << 40},
                                          {"GB", uint64_t{1} << 30},
                                          {"MB", uint64_t{1} << 20},
                                          {"KB", uint64_t{1} << 10},
                                          {"B", 1}}};

}  // namespace

Result<int64_t> parse_int(std::string_view text) { return parse_whole<int64_t>(text, "an integer"); }
Result<uint64_t> parse_uint(std::string_view text) {
  return parse_whole<uint64_t>(text, "a non-negative integer");
}

Result<double> parse_double(std::string_view text) {
  ASSIGN_OR_RETURN(double value, parse_whole<double>(text, "a number"));
  if (!std::isfinite(value)) return invalid("'" + std::string(text) + "' is not a finite number");
  return value;
}

std::string render_double(double value) {
  std::array<char, 32> buffer;
  const auto end = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value).ptr;
  std::string text(buffer.data(), end);
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text;
}

Result<uint64_t> parse_bytes(std::string_view text) {
  const size_t end = text.find_first_not_of("0123456789");
  if (end != std::string_view::npos) {
    for (const Unit& unit : kByteUnits) {
      if (text.substr(end) != unit.name) continue;
      auto value = parse_uint(text.substr(0, end));
      if (!value) break;
      if (*value > std::numeric_limits<uint64_t>::max() / unit.bytes) {
        return invalid("'" + std::string(text) + "' is out of range");
      }
      return *value * unit.bytes;
    }
  }
  return invalid("'" + std::string(text) + "' is not a size: give a number and B, KB, MB, GB or TB, for example 512MB");
}

std::string render_bytes(uint64_t bytes) {
  for (const Unit& unit : kByteUnits) {
    if (bytes != 0 && bytes % unit.bytes == 0) return std::to_string(bytes / unit.bytes) + std::string(unit.name);
  }
  return "0B";
}

}  // namespace base
