#include "kernel/resources/ranges.hpp"

#include <algorithm>
#include <limits>

namespace resources {
namespace {

constexpr uint64_t kMax = std::numeric_limits<uint64_t>::max();

const std::vector<Range>& no_ranges() {
  static const auto* none = new std::vector<Range>();
  return *none;
}

const std::vector<std::string>& no_items() {
  static const auto* none = new std::vector<std::string>();
  return *none;
}

/// Sorts and joins.
std::vector<Range> coalesce(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end(),
            [](const Range& a, const Range& b) { return a.begin < b.begin; });
  std::vector<Range> out;
  for (const Range& range : ranges) {
    if (!out.empty() && (out.back().end == kMax || range.begin <= out.back().end + 1)) {
      out.back().end = std::max(out.back().end, range.end);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

}  // namespace

Ranges::Ranges(std::vector<Range> ranges) { store(coalesce(std::move(ranges))); }

void Ranges::store(std::vector<Range> normal) {
  if (normal.empty()) {
    ranges_.reset();
  } else {
    ranges_ = std::make_shared<const std::vector<Range>>(std::move(normal));
  }
}

const std::vector<Range>& Ranges::list() const { return ranges_ ? *ranges_ : no_ranges(); }

uint64_t Ranges::count() const {
  uint64_t total = 0;
  for (const Range& range : list()) {
    const uint64_t width = range.end - range.begin;
    if (width == kMax || __builtin_add_overflow(total, width + 1, &total)) return kMax;
  }
  return total;
}

bool Ranges::contains(const Ranges& other) const {
  if (ranges_ == other.ranges_) return true;
  const auto& mine = list();
  size_t i = 0;
  for (const Range& wanted : other.list()) {
    while (i < mine.size() && mine[i].end < wanted.begin) ++i;
    if (i == mine.size() || mine[i].begin > wanted.begin || mine[i].end < wanted.end) return false;
  }
  return true;
}

bool Ranges::intersects(const Ranges& other) const {
  const auto &a = list(), &b = other.list();
  for (size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    if (a[i].end < b[j].begin) {
      ++i;
    } else if (b[j].end < a[i].begin) {
      ++j;
    } else {
      return true;
    }
  }
  return false;
}

Ranges& Ranges::operator+=(const Ranges& other) {
  if (other.empty()) return *this;
  if (empty()) {
    ranges_ = other.ranges_;
    return *this;
  }
  std::vector<Range> all = list();
  all.insert(all.end(), other.list().begin(), other.list().end());
  store(coalesce(std::move(all)));
  return *this;
}

Ranges& Ranges::operator-=(const Ranges& other) {
  if (other.empty() || empty()) return *this;
  if (ranges_ == other.ranges_) {
    ranges_.reset();
    return *this;
  }
  std::vector<Range> out;
  const auto& cuts = other.list();
  size_t j = 0;
  for (Range range : list()) {
    while (j < cuts.size() && cuts[j].end < range.begin) ++j;
    bool rest = true;
    for (size_t k = j; k < cuts.size() && cuts[k].begin <= range.end; ++k) {
      if (cuts[k].begin > range.begin) out.push_back({range.begin, cuts[k].begin - 1});
      if (cuts[k].end >= range.end) {
        rest = false;
        break;
      }
      range.begin = cuts[k].end + 1;
    }
    if (rest) out.push_back(range);
  }
  store(std::move(out));
  return *this;
}

bool Ranges::operator==(const Ranges& other) const {
  return ranges_ == other.ranges_ || list() == other.list();
}

std::string Ranges::text() const {
  std::string out = "[";
  for (const Range& range : list()) {
    if (out.size() > 1) out += ", ";
    out += std::to_string(range.begin) + "-" + std::to_string(range.end);
  }
  return out + "]";
}

ItemSet::ItemSet(std::vector<std::string> items) {
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  store(std::move(items));
}

void ItemSet::store(std::vector<std::string> normal) {
  if (normal.empty()) {
    items_.reset();
  } else {
    items_ = std::make_shared<const std::vector<std::string>>(std::move(normal));
  }
}

const std::vector<std::string>& ItemSet::list() const { return items_ ? *items_ : no_items(); }

bool ItemSet::contains(const ItemSet& other) const {
  const auto &a = list(), &b = other.list();
  return std::includes(a.begin(), a.end(), b.begin(), b.end());
}

bool ItemSet::intersects(const ItemSet& other) const {
  const auto& b = other.list();
  return std::any_of(list().begin(), list().end(), [&](const std::string& item) {
    return std::binary_search(b.begin(), b.end(), item);
  });
}

ItemSet& ItemSet::operator+=(const ItemSet& other) {
  std::vector<std::string> out;
  std::set_union(list().begin(), list().end(), other.list().begin(), other.list().end(),
                 std::back_inserter(out));
  store(std::move(out));
  return *this;
}

ItemSet& ItemSet::operator-=(const ItemSet& other) {
  std::vector<std::string> out;
  std::set_difference(list().begin(), list().end(), other.list().begin(), other.list().end(),
                      std::back_inserter(out));
  store(std::move(out));
  return *this;
}

bool ItemSet::operator==(const ItemSet& other) const {
  return items_ == other.items_ || list() == other.list();
}

std::string ItemSet::text() const {
  std::string out = "{";
  for (const std::string& item : list()) {
    if (out.size() > 1) out += ", ";
    out += item;
  }
  return out + "}";
}

}  // namespace resources
