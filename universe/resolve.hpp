#pragma once

// Which package a request means (pure).

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "universe/errors.hpp"
#include "universe/repository.hpp"

namespace universe {

/// The version asked for, or the best one. PackageNotFound, VersionNotFound.
Tried<const Catalog::Entry*> find_package(const Catalog& catalog, const std::string& name,
                                          const std::optional<std::string>& version);

/// One package with all its versions, the best first.
using Found = const std::vector<Catalog::Entry>*;

/// Packages that match: a part of name, description or a tag in any case, or with '*' a pattern for one of them as a
/// whole. Those that are selected first, then by name.
std::vector<Found> search(const Catalog& catalog, const std::optional<std::string>& query);

/// "a*c" against a whole text; '*' stands for any characters.
bool matches_wildcard(std::string_view pattern, std::string_view text);

/// Versions that the given one may be upgraded to, or downgraded to; best first.
std::vector<std::string> upgrades_to(const Catalog& catalog, const Package& from);
std::vector<std::string> downgrades_to(const Catalog& catalog, const Package& from);

}  // namespace universe
