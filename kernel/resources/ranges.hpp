#pragma once

// Sets of unsigned integers as inclusive intervals (ports), and sets of strings. Both are immutable values behind one
// pointer: copying a resource copies no interval.

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace resources {

struct Range {
  uint64_t begin = 0;
  uint64_t end = 0;  // inclusive, >= begin
  bool operator==(const Range&) const = default;
};

class Ranges {
 public:
  Ranges() = default;

  /// Any order, overlaps and neighbours are joined. Each range has begin <= end.
  explicit Ranges(std::vector<Range> ranges);

  bool empty() const { return !ranges_; }

  /// How many integers; saturates.
  uint64_t count() const;

  /// Sorted, disjoint, with a gap between neighbours.
  const std::vector<Range>& list() const;

  bool contains(const Ranges& other) const;
  bool intersects(const Ranges& other) const;
  Ranges& operator+=(const Ranges& other);
  Ranges& operator-=(const Ranges& other);
  friend Ranges operator+(Ranges a, const Ranges& b) { return a += b; }
  friend Ranges operator-(Ranges a, const Ranges& b) { return a -= b; }
  bool operator==(const Ranges& other) const;

  /// "[31000-32000, 40000-40010]"
  std::string text() const;

 private:
  void store(std::vector<Range> normal);
  std::shared_ptr<const std::vector<Range>> ranges_;  // null when empty
};

class ItemSet {
 public:
  ItemSet() = default;
  explicit ItemSet(std::vector<std::string> items);

  bool empty() const { return !items_; }
  uint64_t count() const { return items_ ? items_->size() : 0; }
  const std::vector<std::string>& list() const;  // sorted, unique

  bool contains(const ItemSet& other) const;
  bool intersects(const ItemSet& other) const;
  ItemSet& operator+=(const ItemSet& other);
  ItemSet& operator-=(const ItemSet& other);
  bool operator==(const ItemSet& other) const;

  /// "{a, b}"
  std::string text() const;

 private:
  void store(std::vector<std::string> normal);
  std::shared_ptr<const std::vector<std::string>> items_;
};

}  // namespace resources
