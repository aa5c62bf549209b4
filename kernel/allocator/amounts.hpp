#pragma once

// Scalar amounts by small dense numbers instead of names: what shares, quota and headroom are computed with.

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "kernel/resources/quantities.hpp"
#include "kernel/resources/resources.hpp"

namespace allocator {

using resources::Scalar;

/// The scalar names seen so far. There are few: agents bring them, frameworks cannot.
class ScalarNames {
 public:
  size_t index(const std::string& name) {
    for (size_t i = 0; i < names_.size(); ++i) {
      if (names_[i] == name) return i;
    }
    names_.push_back(name);
    return names_.size() - 1;
  }
  const std::string& name(size_t index) const { return names_[index]; }
  size_t size() const { return names_.size(); }

 private:
  std::vector<std::string> names_ = {"cpus", "mem", "disk", "gpus"};
};

class Amounts {
 public:
  Scalar get(size_t index) const { return index < list_.size() ? list_[index] : Scalar(); }
  size_t size() const { return list_.size(); }

  void add(size_t index, Scalar amount) {
    if (index >= list_.size()) list_.resize(index + 1);
    list_[index] += amount;
  }
  void subtract(size_t index, Scalar amount) {
    if (index >= list_.size()) list_.resize(index + 1);
    list_[index] -= amount;
  }
  void set(size_t index, Scalar amount) {
    if (index >= list_.size()) list_.resize(index + 1);
    list_[index] = amount;
  }
  Amounts& operator+=(const Amounts& other) {
    for (size_t i = 0; i < other.list_.size(); ++i) add(i, other.list_[i]);
    return *this;
  }
  Amounts& operator-=(const Amounts& other) {
    for (size_t i = 0; i < other.list_.size(); ++i) subtract(i, other.list_[i]);
    return *this;
  }
  bool any_positive() const {
    for (Scalar amount : list_) {
      if (amount.positive()) return true;
    }
    return false;
  }
  void clear() { list_.clear(); }

  resources::ResourceQuantities quantities(const ScalarNames& names) const {
    resources::ResourceQuantities out;
    for (size_t i = 0; i < list_.size(); ++i) out.set(names.name(i), list_[i]);
    return out;
  }

 private:
  std::vector<Scalar> list_;
};

}  // namespace allocator
