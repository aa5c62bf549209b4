#pragma once

// Amounts by name only: what quota, shares and minimum offers are about. Ranges and sets count by their elements.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "kernel/resources/resources.hpp"

namespace resources {

/// Name -> amount; an absent name is zero.
class ResourceQuantities {
 public:
  ResourceQuantities() = default;

  /// "cpus:0.01;mem:32"
  static base::Result<ResourceQuantities> parse(std::string_view text);

  /// Of the scalars only, all kinds of a name together; a shared volume counts once.
  static ResourceQuantities of_scalars(const Resources& resources);

  /// Of everything.
  static ResourceQuantities of(const Resources& resources);

  bool empty() const { return list_.empty(); }
  Scalar get(std::string_view name) const;
  void set(std::string_view name, Scalar amount);  // zero or less removes it
  const std::vector<std::pair<std::string, Scalar>>& list() const { return list_; }  // sorted by name

  bool contains(const ResourceQuantities& other) const;
  ResourceQuantities& operator+=(const ResourceQuantities& other);
  ResourceQuantities& operator-=(const ResourceQuantities& other);  // never below zero
  friend ResourceQuantities operator+(ResourceQuantities a, const ResourceQuantities& b) { return a += b; }
  friend ResourceQuantities operator-(ResourceQuantities a, const ResourceQuantities& b) { return a -= b; }
  bool operator==(const ResourceQuantities&) const = default;

  std::string text() const;

 private:
  std::vector<std::pair<std::string, Scalar>> list_;
};

/// Name -> upper bound; an absent name is unbounded.
class ResourceLimits {
 public:
  bool empty() const { return limits_.empty(); }
  std::optional<Scalar> get(std::string_view name) const;
  void set(std::string_view name, Scalar limit);
  const std::map<std::string, Scalar, std::less<>>& list() const { return limits_; }

  /// `quantities` stay within every bound.
  bool allow(const ResourceQuantities& quantities) const;
  bool operator==(const ResourceLimits&) const = default;

 private:
  std::map<std::string, Scalar, std::less<>> limits_;
};

/// The amount of every name in `resources` (all kinds together) reaches `minimum`.
bool reaches(const Resources& resources, const ResourceQuantities& minimum);

/// "cpus:0.01|mem:32": alternatives of quantities; text "" is no alternative.
base::Result<std::vector<ResourceQuantities>> parse_alternatives(std::string_view text);

}  // namespace resources
