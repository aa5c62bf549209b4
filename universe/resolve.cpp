#include "universe/resolve.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace universe {
namespace {

bool names(const std::vector<std::string>& list, const std::string& version) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& item) { return item == "*" || item == version; });
}

bool matches_pattern(const std::string& pattern, const Package& package) {
  return matches_wildcard(pattern, package.name) || matches_wildcard(pattern, package.description) ||
         std::any_of(package.tags.begin(), package.tags.end(),
                     [&](const std::string& tag) { return matches_wildcard(pattern, tag); });
}

}  // namespace

bool matches_wildcard(std::string_view pattern, std::string_view text) {
  // Greedy with one point to go back to: linear in practice, quadratic at worst.
  size_t p = 0, t = 0, star = std::string_view::npos, mark = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

Tried<const Catalog::Entry*> find_package(const Catalog& catalog, const std::string& name,
                                          const std::optional<std::string>& version) {
  const auto* entries = catalog.versions(name);
  if (entries == nullptr || entries->empty()) return package_not_found(name);
  if (!version) return &entries->front();
  for (const Catalog::Entry& entry : *entries) {
    if (entry.package->version == *version) return &entry;
  }
  return version_not_found(name, *version);
}

std::vector<Found> search(const Catalog& catalog, const std::optional<std::string>& query) {
  const std::string folded = base::to_lower(query.value_or(""));
  const bool pattern = folded.find('*') != std::string::npos;
  std::vector<Found> found;
  for (const auto& [name, entries] : catalog.packages()) {
    const bool match =
        folded.empty() || std::any_of(entries.begin(), entries.end(), [&](const Catalog::Entry& entry) {
          return pattern ? matches_pattern(*query, *entry.package) : entry.folded.find(folded) != std::string::npos;
        });
    if (match) found.push_back(&entries);
  }
  std::stable_partition(found.begin(), found.end(),
                        [](Found entries) { return entries->front().package->selected; });
  return found;
}

std::vector<std::string> upgrades_to(const Catalog& catalog, const Package& from) {
  std::vector<std::string> out;
  const auto* entries = catalog.versions(from.name);
  if (entries == nullptr) return out;
  for (const Catalog::Entry& entry : *entries) {
    if (entry.package->version != from.version && names(entry.package->upgrades_from, from.version)) {
      out.push_back(entry.package->version);
    }
  }
  return out;
}

std::vector<std::string> downgrades_to(const Catalog& catalog, const Package& from) {
  std::vector<std::string> out;
  const auto* entries = catalog.versions(from.name);
  if (entries == nullptr) return out;
  for (const Catalog::Entry& entry : *entries) {
    if (entry.package->version != from.version && names(from.downgrades_to, entry.package->version)) {
      out.push_back(entry.package->version);
    }
  }
  return out;
}

}  // namespace universe
