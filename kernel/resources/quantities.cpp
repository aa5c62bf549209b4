#include "kernel/resources/quantities.hpp"

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace resources {
namespace {

auto find(const std::vector<std::pair<std::string, Scalar>>& list, std::string_view name) {
  return std::lower_bound(list.begin(), list.end(), name,
                          [](const auto& entry, std::string_view wanted) { return entry.first < wanted; });
}

Scalar counted(uint64_t count) {
  return Scalar::from_int(static_cast<int64_t>(std::min<uint64_t>(count, 1'000'000'000'000'000)));
}

}  // namespace

base::Result<ResourceQuantities> ResourceQuantities::parse(std::string_view text) {
  ResourceQuantities out;
  for (std::string_view token : base::tokenize(text, ';')) {
    const size_t colon = token.find(':');
    const std::string_view name = base::trim(token.substr(0, colon));
    if (colon == std::string_view::npos || name.empty()) {
      return base::invalid("Failed to parse '" + std::string(token) + "': missing or extra ':'");
    }
    auto value = base::parse_double(base::trim(token.substr(colon + 1)));
    if (!value || !Scalar::representable(*value) || *value < 0) {
      return base::invalid("Failed to parse '" + std::string(token) + "': the amount must be a non-negative number");
    }
    if (!out.get(name).zero()) {
      return base::invalid("Failed to parse '" + std::string(text) + "': duplicate name '" + std::string(name) + "'");
    }
    out.set(name, Scalar::from_double(*value));
  }
  return out;
}

ResourceQuantities ResourceQuantities::of_scalars(const Resources& resources) {
  ResourceQuantities out;
  for (const Resource& r : resources) {
    if (r.kind.type() == Type::Scalar) out.set(r.kind.name(), out.get(r.kind.name()) + r.scalar);
  }
  return out;
}

ResourceQuantities ResourceQuantities::of(const Resources& resources) {
  ResourceQuantities out = of_scalars(resources);
  for (const Resource& r : resources) {
    const std::string& name = r.kind.name();
    if (r.kind.type() == Type::Ranges) out.set(name, out.get(name) + counted(r.ranges.count()));
    if (r.kind.type() == Type::Set) out.set(name, out.get(name) + counted(r.set.count()));
  }
  return out;
}

Scalar ResourceQuantities::get(std::string_view name) const {
  auto at = find(list_, name);
  return at != list_.end() && at->first == name ? at->second : Scalar();
}

void ResourceQuantities::set(std::string_view name, Scalar amount) {
  auto at = list_.begin() + (find(list_, name) - list_.cbegin());
  const bool present = at != list_.end() && at->first == name;
  if (!amount.positive()) {
    if (present) list_.erase(at);
  } else if (present) {
    at->second = amount;
  } else {
    list_.emplace(at, std::string(name), amount);
  }
}

bool ResourceQuantities::contains(const ResourceQuantities& other) const {
  return std::all_of(other.list_.begin(), other.list_.end(),
                     [&](const auto& entry) { return get(entry.first) >= entry.second; });
}

ResourceQuantities& ResourceQuantities::operator+=(const ResourceQuantities& other) {
  for (const auto& [name, amount] : other.list_) set(name, get(name) + amount);
  return *this;
}

ResourceQuantities& ResourceQuantities::operator-=(const ResourceQuantities& other) {
  if (this == &other) {
    list_.clear();
    return *this;
  }
  for (const auto& [name, amount] : other.list_) set(name, get(name) - amount);
  return *this;
}

std::string ResourceQuantities::text() const {
  std::string out;
  for (const auto& [name, amount] : list_) {
    if (!out.empty()) out += "; ";
    out += name + ":" + base::render_double(amount.value());
  }
  return out;
}

std::optional<Scalar> ResourceLimits::get(std::string_view name) const {
  auto found = limits_.find(name);
  if (found == limits_.end()) return std::nullopt;
  return found->second;
}

void ResourceLimits::set(std::string_view name, Scalar limit) {
  limits_.insert_or_assign(std::string(name), limit);
}

bool ResourceLimits::allow(const ResourceQuantities& quantities) const {
  return std::all_of(limits_.begin(), limits_.end(),
                     [&](const auto& entry) { return quantities.get(entry.first) <= entry.second; });
}

bool reaches(const Resources& resources, const ResourceQuantities& minimum) {
  for (const auto& [name, wanted] : minimum.list()) {
    Scalar total;
    for (const Resource& r : resources) {
      if (r.kind.name() != name) continue;
      switch (r.kind.type()) {
        case Type::Scalar: total += r.scalar; break;
        case Type::Ranges: total += counted(r.ranges.count()); break;
        case Type::Set: total += counted(r.set.count()); break;
      }
    }
    if (total < wanted) return false;
  }
  return true;
}

base::Result<std::vector<ResourceQuantities>> parse_alternatives(std::string_view text) {
  std::vector<ResourceQuantities> out;
  for (std::string_view alternative : base::tokenize(text, '|')) {
    ASSIGN_OR_RETURN(ResourceQuantities quantities, ResourceQuantities::parse(alternative));
    out.push_back(std::move(quantities));
  }
  return out;
}

}  // namespace resources
