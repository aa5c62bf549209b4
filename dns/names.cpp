#include "dns/names.hpp"

#include <openssl/sha.h>

#include <algorithm>
#include <array>

#include "base/strings.hpp"

namespace dns {
namespace {

constexpr size_t kMaxLabel1123 = 63, kMaxLabel952 = 24;
constexpr std::string_view kZbase32 = "ybndrfg8ejkmcpqxot1uwisza345h769";

/// '\0' for what has no place in a label.
char mapped(char c) {
  if (c >= 'A' && c <= 'Z') return static_cast<char>(c - 'A' + 'a');
  if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) return c;
  return c == '-' || c == '.' || c == '_' ? '-' : '\0';
}

void trim_left(std::string& text, std::string_view cut) {
  text.erase(0, std::min(text.find_first_not_of(cut), text.size()));
}

void trim_right(std::string& text) {
  const size_t last = text.find_last_not_of('-');
  text.resize(last == std::string::npos ? 0 : last + 1);
}

}  // namespace

std::string sanitize_label(std::string_view text, LabelRules rules) {
  const bool strict = rules == LabelRules::Rfc952;
  const size_t limit = strict ? kMaxLabel952 : kMaxLabel1123;
  std::string label;
  for (char c : text) {
    if (const char m = mapped(c)) label.push_back(m);
  }
  trim_left(label, strict ? "-0123456789" : "-");
  std::string rest = label.size() > limit ? label.substr(limit) : std::string();
  label.resize(std::min(label.size(), limit));
  const size_t before = label.size();
  trim_right(label);
  if (label.size() < before && !rest.empty()) {
    // The dashes that were cut off leave room for what lies behind the limit.
    trim_left(rest, "-");
    label += rest.substr(0, limit - label.size());
    trim_right(label);
  }
  return label;
}

std::string sanitize_domain(std::string_view text, LabelRules rules) {
  std::string domain;
  for (std::string_view part : base::split(text, '.')) {
    const std::string label = sanitize_label(part, rules);
    if (label.empty()) continue;
    if (!domain.empty()) domain.push_back('.');
    domain += label;
  }
  return domain;
}

std::string hash_label(std::string_view task_id) {
  std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
  SHA1(reinterpret_cast<const unsigned char*>(task_id.data()), task_id.size(), digest.data());
  // Five characters of five bits: the first 25 bits of the digest.
  const uint32_t bits = uint32_t{digest[0]} << 24 | uint32_t{digest[1]} << 16 | uint32_t{digest[2]} << 8 | digest[3];
  std::string label;
  for (int i = 0; i < 5; ++i) label.push_back(kZbase32[(bits >> (27 - 5 * i)) & 31]);
  return label;
}

std::string agent_tail(std::string_view agent_id) {
  const size_t dash = agent_id.rfind('-');
  return base::to_lower(dash == std::string_view::npos ? agent_id : agent_id.substr(dash + 1));
}

bool is_valid_name(std::string_view name) {
  if (name.empty() || name.size() > 253) return false;
  size_t label = 0;
  for (char c : name) {
    if (c == '.') {
      if (label == 0) return false;
      label = 0;
      continue;
    }
    const bool allowed = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (!allowed || ++label > 63) return false;
  }
  return label > 0;
}

}  // namespace dns
