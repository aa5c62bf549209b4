#include "base/time_zones.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <utility>

namespace base {
namespace {

constexpr int64_t kDay = 86'400;

class FixedZone : public Zone {
 public:
  explicit FixedZone(int64_t offset) : offset_(offset) {}
  int64_t instant_of(const CivilTime& civil) const override { return seconds_of(civil) - offset_; }
  int64_t offset_at(int64_t) const override { return offset_; }

 private:
  int64_t offset_;
};

/// Java's short ids: three are fixed offsets, the others stand for a region with its rules.
constexpr std::pair<std::string_view, std::string_view> kShortIds[] = {
    {"ACT", "Australia/Darwin"},    {"AET", "Australia/Sydney"},   {"AGT", "America/Argentina/Buenos_Aires"},
    {"ART", "Africa/Cairo"},        {"AST", "America/Anchorage"},  {"BET", "America/Sao_Paulo"},
    {"BST", "Asia/Dhaka"},          {"CAT", "Africa/Harare"},      {"CNT", "America/St_Johns"},
    {"CST", "America/Chicago"},     {"CTT", "Asia/Shanghai"},      {"EAT", "Africa/Addis_Ababa"},
    {"ECT", "Europe/Paris"},        {"IET", "America/Indiana/Indianapolis"},
    {"IST", "Asia/Kolkata"},        {"JST", "Asia/Tokyo"},         {"MIT", "Pacific/Apia"},
    {"NET", "Asia/Yerevan"},        {"NST", "Pacific/Auckland"},   {"PLT", "Asia/Karachi"},
    {"PNT", "America/Phoenix"},     {"PRT", "America/Puerto_Rico"}, {"PST", "America/Los_Angeles"},
    {"SST", "Pacific/Guadalcanal"}, {"VST", "Asia/Ho_Chi_Minh"}};
constexpr std::pair<std::string_view, int64_t> kFixedIds[] = {
    {"EST", -5 * 3600}, {"MST", -7 * 3600}, {"HST", -10 * 3600}, {"UTC", 0}, {"GMT", 0}, {"UT", 0}, {"Z", 0}};

bool two_digits(std::string_view text, int most, int& out) {
  if (text.size() != 2 || !std::isdigit(static_cast<unsigned char>(text[0])) ||
      !std::isdigit(static_cast<unsigned char>(text[1]))) {
    return false;
  }
  out = (text[0] - '0') * 10 + (text[1] - '0');
  return out <= most;
}

}  // namespace

int64_t days_of(int64_t year, int month, int day) {
  // Years begin in March, so that the leap day is the last of its year; 400 years repeat.
  year -= month <= 2;
  const int64_t era = (year >= 0 ? year : year - 399) / 400;
  const int64_t of_era = year - era * 400;
  const int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146'097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719'468;
}

int days_in_month(int64_t year, int month) {
  constexpr std::array<int, 12> kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  const bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  return month == 2 && leap ? 29 : kDays[static_cast<size_t>(month - 1)];
}

int64_t seconds_of(const CivilTime& c) {
  return days_of(c.year, c.month, c.day) * kDay + c.hour * 3600 + c.minute * 60 + c.second;
}

CivilTime civil_of(int64_t seconds) {
  int64_t days = seconds / kDay;
  int64_t rest = seconds % kDay;
  if (rest < 0) rest += kDay, --days;
  days += 719'468;
  const int64_t era = (days >= 0 ? days : days - 146'096) / 146'097;
  const int64_t of_era = days - era * 146'097;
  const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36'524 - of_era / 146'096) / 365;
  const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const int64_t shifted = (5 * of_year + 2) / 153;
  CivilTime civil;
  civil.day = static_cast<int>(of_year - (153 * shifted + 2) / 5 + 1);
  civil.month = static_cast<int>(shifted < 10 ? shifted + 3 : shifted - 9);
  civil.year = year_of_era + era * 400 + (civil.month <= 2);
  civil.hour = static_cast<int>(rest / 3600);
  civil.minute = static_cast<int>(rest / 60 % 60);
  civil.second = static_cast<int>(rest % 60);
  return civil;
}

std::shared_ptr<const Zone> fixed_zone(int64_t offset_seconds) {
  return std::make_shared<const FixedZone>(offset_seconds);
}

std::optional<int64_t> parse_offset(std::string_view text) {
  if (text == "Z" || text == "z") return 0;
  if (text.size() < 2 || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const int64_t sign = text[0] == '-' ? -1 : 1;
  text.remove_prefix(1);
  int hours = 0, minutes = 0;
  if (!two_digits(text.substr(0, 2), 18, hours)) return std::nullopt;
  text.remove_prefix(2);
  if (text.starts_with(':')) text.remove_prefix(1);
  if (!text.empty() && !two_digits(text, 59, minutes)) return std::nullopt;
  return sign * (hours * 3600 + minutes * 60);
}

std::shared_ptr<const Zone> find_zone(const std::string& id, const TimeZones& zones) {
  for (const auto& [name, offset] : kFixedIds) {
    if (id == name) return fixed_zone(offset);
  }
  for (const auto& [name, region] : kShortIds) {
    if (id == name) return zones.find(std::string(region));
  }
  std::string_view rest = id;
  for (std::string_view prefix : {"GMT", "UTC", "UT"}) {
    if (!rest.starts_with(prefix)) continue;
    rest.remove_prefix(prefix.size());
    // "GMT+2" has one digit, "GMT+02:00" two.
    std::string offset(rest);
    if (offset.size() >= 2 && (offset.size() == 2 || offset[2] == ':')) offset.insert(1, "0");
    if (const auto seconds = parse_offset(offset)) return fixed_zone(*seconds);
    return nullptr;
  }
  if (const auto seconds = parse_offset(id)) return fixed_zone(*seconds);
  return zones.find(id);
}

}  // namespace base
