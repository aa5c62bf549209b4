#include "base/system_zones.hpp"

#include <absl/time/civil_time.h>
#include <absl/time/time.h>

#include <map>

namespace base {
namespace {

class AbseilZone : public Zone {
 public:
  explicit AbseilZone(absl::TimeZone zone) : zone_(zone) {}

  int64_t instant_of(const CivilTime& c) const override {
    const auto info = zone_.At(absl::CivilSecond(c.year, c.month, c.day, c.hour, c.minute, c.second));
    const bool skipped = info.kind == absl::TimeZone::TimeInfo::SKIPPED;
    return absl::ToUnixSeconds(skipped ? info.trans : info.pre);
  }

  int64_t offset_at(int64_t seconds) const override { return zone_.At(absl::FromUnixSeconds(seconds)).offset; }

 private:
  absl::TimeZone zone_;
};

class SystemZones : public TimeZones {
 public:
  std::shared_ptr<const Zone> find(const std::string& id) const override {
    if (const auto it = known_.find(id); it != known_.end()) return it->second;
    // What comes from a client must stay a name of a zone, and never become a path or a rule of its own.
    if (id.empty() || id.size() > 64 || id.front() == '/' || id.front() == ':' || id.find("..") != std::string::npos ||
        id.find('\0') != std::string::npos || id.starts_with("Fixed/")) {
      return nullptr;
    }
    absl::TimeZone zone;
    if (!absl::LoadTimeZone(id, &zone)) return nullptr;
    return known_[id] = std::make_shared<const AbseilZone>(zone);
  }

 private:
  mutable std::map<std::string, std::shared_ptr<const Zone>> known_;
};

}  // namespace

std::unique_ptr<TimeZones> system_time_zones() { return std::make_unique<SystemZones>(); }

}  // namespace base
