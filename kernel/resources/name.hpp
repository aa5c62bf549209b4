#pragma once

// Interned names (roles): a pointer to a shared counted string, so that copying and comparing for equality are cheap.
// Ordered by content. Thread-safe.

#include <atomic>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace resources {

class Name {
 public:
  Name() = default;  // the empty name
  explicit Name(std::string_view text);
  Name(const Name& other) : node_(other.node_) { acquire(); }
  Name(Name&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Name& operator=(const Name& other) {
    if (node_ != other.node_) {
      release();
      node_ = other.node_;
      acquire();
    }
    return *this;
  }
  Name& operator=(Name&& other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Name() { release(); }

  const std::string& str() const;
  bool empty() const { return node_ == nullptr; }

  bool operator==(const Name& other) const { return node_ == other.node_; }
  std::strong_ordering operator<=>(const Name& other) const {
    return node_ == other.node_ ? std::strong_ordering::equal : str() <=> other.str();
  }

 private:
  struct Node {
    std::string text;
    mutable std::atomic<uint64_t> references{0};
  };
  struct Table;
  static Table& table();
  static void forget(const Node* node);
  void acquire() const {
    if (node_) node_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() const {
    if (node_) forget(node_);
  }
  const Node* node_ = nullptr;
};

}  // namespace resources
