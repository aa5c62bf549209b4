#include "kernel/resources/value_text.hpp"

#include <cmath>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace resources {
namespace {

using base::invalid;

bool brackets_match(std::string_view text, char open, char close) {
  int depth = 0;
  for (char c : text) {
    if (c == open) ++depth;
    if (c == close && --depth < 0) return false;
  }
  return depth == 0;
}

base::Result<ParsedValue> parse_ranges(std::string_view text) {
  if (text.size() < 2 || text.back() != ']') return invalid("Expecting one or more \"ranges\"");
  const std::string inside = base::replace_all(base::replace_all(text.substr(1, text.size() - 2), "[", ""), "]", "");
  std::vector<Range> ranges;
  for (std::string_view token : base::tokenize(inside, ',')) {
    const size_t dash = token.find('-');
    if (dash == std::string_view::npos) return invalid("Expecting one or more \"ranges\"");
    auto begin = base::parse_uint(token.substr(0, dash));
    auto end = base::parse_uint(token.substr(dash + 1));
    if (!begin || !end) return invalid("Expecting non-negative integers in '" + std::string(token) + "'");
    if (*begin > *end) return invalid("Invalid ranges resource: begin > end");
    ranges.push_back({*begin, *end});
  }
  return ParsedValue(Ranges(std::move(ranges)));
}

base::Result<ParsedValue> parse_set(std::string_view text) {
  if (text.size() < 2 || text.back() != '}') return invalid("Unexpected text after '}'");
  std::vector<std::string> items;
  for (std::string_view item : base::tokenize(text.substr(1, text.size() - 2), ',')) items.emplace_back(item);
  return ParsedValue(ItemSet(std::move(items)));
}

}  // namespace

base::Result<ParsedValue> parse_value(std::string_view raw) {
  std::string text;
  for (char c : raw) {
    if (c != ' ' && c != '\n' && c != '\t') text += c;
  }
  if (text.empty()) return invalid("Expecting non-empty string");
  if (!brackets_match(text, '{', '}') || !brackets_match(text, '[', ']') || !brackets_match(text, '(', ')')) {
    return invalid("Mismatched brackets");
  }
  if (text.front() == '[') return parse_ranges(text);
  if (text.find('[') != std::string::npos) return invalid("Unexpected '[' found");
  if (text.front() == '{') return parse_set(text);
  if (text.find('{') != std::string::npos) return invalid("Unexpected '{' found");
  if (auto number = base::parse_double(text); number && Scalar::representable(*number) && *number >= 0) {
    if (std::fpclassify(*number) == FP_SUBNORMAL) return invalid("Subnormal values not supported");
    return ParsedValue(Scalar::from_double(*number));
  }
  return ParsedValue(std::move(text));
}

}  // namespace resources
