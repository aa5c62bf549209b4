#include "l4lb/health.hpp"

#include <algorithm>

namespace l4lb {

bool FailureMarks::fail(const Endpoint& backend, base::Instant now) {
  const auto it = marks_.find(backend);
  if (it == marks_.end()) {
    if (marks_.size() >= options_.limit) return false;
    marks_[backend] = {now + options_.first, options_.first, true};
    ++active_;
    return true;
  }
  Mark& mark = it->second;
  if (mark.active) return false;
  mark.length = now - mark.until > options_.memory ? options_.first : std::min(mark.length * 2, options_.longest);
  mark.until = now + mark.length;
  mark.active = true;
  ++active_;
  return true;
}

bool FailureMarks::marked(const Endpoint& backend, base::Instant now) const {
  const auto it = marks_.find(backend);
  return it != marks_.end() && it->second.active && now < it->second.until;
}

std::vector<Endpoint> FailureMarks::expire(base::Instant now) {
  std::vector<Endpoint> ended;
  for (auto it = marks_.begin(); it != marks_.end();) {
    if (it->second.active && now >= it->second.until) {
      it->second.active = false;
      --active_;
      ended.push_back(it->first);
    }
    it = !it->second.active && now - it->second.until > options_.memory ? marks_.erase(it) : std::next(it);
  }
  return ended;
}

base::Instant FailureMarks::next() const {
  base::Instant next{base::hours(24 * 365 * 100)};
  if (active_ == 0) return next;
  for (const auto& [backend, mark] : marks_)
    if (mark.active) next = std::min(next, mark.until);
  return next;
}

}  // namespace l4lb
