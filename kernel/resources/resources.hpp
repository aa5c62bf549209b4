#pragma once

// A bag of resources: what an agent has, a task uses, an offer contains. Amounts of the same kind (and the same
// allocation role) are one entry; entries are sorted by content, so that equal bags look equal and iteration is the same
// in every run. Values, not protobuf messages: proto.hpp converts at the edges.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "kernel/resources/kind.hpp"
#include "kernel/resources/name.hpp"
#include "kernel/resources/ranges.hpp"
#include "kernel/resources/scalar.hpp"

namespace resources {

struct Resource {
  Kind kind;
  Name allocation;  // the role it is allocated to; empty = not allocated

  // One of the three, by kind.type().
  Scalar scalar;
  Ranges ranges;
  ItemSet set;

  /// Copies of a shared volume that are in the bag; 1 for everything else.
  uint32_t copies = 1;

  bool empty() const;

  /// Same kind, allocation and amount; the number of copies of a shared volume is not compared.
  bool operator==(const Resource& other) const;
};

/// Plain unreserved amounts.
Resource make_scalar(std::string_view name, double value);
Resource make_ranges(std::string_view name, std::vector<Range> ranges);
Resource make_set(std::string_view name, std::vector<std::string> items);

class Resources {
 public:
  using const_iterator = std::vector<Resource>::const_iterator;

  Resources() = default;
  Resources(Resource resource) { add(std::move(resource)); }  // NOLINT: a resource is a bag of one

  bool empty() const { return list_.empty(); }
  size_t size() const { return list_.size(); }
  const_iterator begin() const { return list_.begin(); }
  const_iterator end() const { return list_.end(); }
  void clear() { list_.clear(); }

  void add(Resource resource);

  /// Takes away what is there: never less than nothing. Ask contains() first when it must all be there.
  void subtract(const Resource& resource);

  Resources& operator+=(const Resources& other);
  Resources& operator-=(const Resources& other);
  friend Resources operator+(Resources a, const Resources& b) { return a += b; }
  friend Resources operator-(Resources a, const Resources& b) { return a -= b; }

  bool contains(const Resource& resource) const;

  /// Every entry of `other`, in the amounts it has together (two copies of a shared volume need two).
  bool contains(const Resources& other) const;

  /// contains(), looking at amounts and kinds only: allocation roles are ignored on both sides.
  bool contains_ignoring_allocation(const Resources& other) const;

  /// Equal kinds and amounts; copies of shared volumes count.
  bool operator==(const Resources& other) const;

  // Filters.
  template <class Predicate>
  Resources filter(Predicate keep) const {
    Resources out;
    out.list_.reserve(list_.size());
    for (const Resource& r : list_) {
      if (keep(r)) out.list_.push_back(r);
    }
    return out;
  }
  Resources unreserved() const;
  Resources reserved() const;
  Resources reserved_to(std::string_view role) const;
  Resources allocatable_to(std::string_view role) const;
  Resources revocable() const;
  Resources non_revocable() const;
  Resources shared() const;
  Resources non_shared() const;
  Resources persistent_volumes() const;
  Resources allocated_to(std::string_view role) const;

  /// Every entry is allocated to `role`.
  void allocate(const Name& role);
  void unallocate();

  /// Every entry without any reservation (for sums over roles).
  Resources flattened() const;

  /// The sum over all entries of that name; zero when there are none.
  Scalar scalar(std::string_view name) const;
  Ranges ranges(std::string_view name) const;
  std::optional<double> cpus() const;
  std::optional<double> gpus() const;
  std::optional<double> mem_mb() const;
  std::optional<double> disk_mb() const;

  /// Names, sorted.
  std::vector<std::string> names() const;

  /// Roles that something in the bag is reserved to, sorted.
  std::vector<std::string> reservation_roles() const;

  /// For people: "cpus(web):2; mem:512; ports:[1-5]".
  std::string text() const;

 private:
  std::vector<Resource> list_;
};

/// For people and messages: "disk(web, dynamic)[volume-1]:512".
std::string text(const Resource& resource);

}  // namespace resources
