#pragma once

// What a resource is, apart from how much of it and to whom it is allocated: its name, value type, stack of
// reservations, disk, flags and provider. Kinds are interned: one object per distinct content in the process, shared and
// counted, so that "may these two be added?" is a comparison of two pointers. Thread-safe.

#include <atomic>
#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace resources {

enum class Type : uint8_t { Scalar, Ranges, Set };

/// Key and optional value, in the order they were given.
using Labels = std::vector<std::pair<std::string, std::optional<std::string>>>;

struct Reservation {
  bool dynamic = false;
  std::string role;
  std::optional<std::string> principal;
  std::optional<Labels> labels;
  bool operator==(const Reservation&) const = default;
};

struct DiskSource {
  enum class Type : uint8_t { Path = 1, Mount = 2, Block = 3, Raw = 4 };
  struct Root {
    std::optional<std::string> root;
    bool operator==(const Root&) const = default;
  };
  Type type = Type::Path;
  std::optional<Root> path;
  std::optional<Root> mount;
  std::optional<std::string> id;
  std::optional<std::string> profile;
  std::optional<std::string> vendor;
  std::optional<Labels> metadata;
  bool operator==(const DiskSource&) const = default;
};

struct Disk {
  std::optional<DiskSource> source;
  std::optional<std::string> persistence_id;

  // How a task uses the volume. Not part of what the resource is: two kinds that differ only here are the same.
  std::optional<std::string> persistence_principal;
  std::optional<std::string> volume;  // a serialized mesos.v1.Volume
  bool operator==(const Disk&) const = default;
};

/// The content of a kind.
struct KindData {
  std::string name;
  Type type = Type::Scalar;
  std::vector<Reservation> reservations;  // bottom first; empty = unreserved
  std::optional<Disk> disk;
  bool revocable = false;
  bool shared = false;
  std::optional<std::string> provider_id;
};

class Kind {
 public:
  Kind() = default;  // no kind; only assignment and destruction are allowed
  explicit Kind(KindData data);
  Kind(const Kind& other) : node_(other.node_) { acquire(); }
  Kind(Kind&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  Kind& operator=(const Kind& other) {
    if (node_ != other.node_) {
      release();
      node_ = other.node_;
      acquire();
    }
    return *this;
  }
  Kind& operator=(Kind&& other) noexcept {
    std::swap(node_, other.node_);
    return *this;
  }
  ~Kind() { release(); }

  /// An unreserved kind with nothing special, e.g. plain("cpus", Type::Scalar).
  static Kind plain(std::string_view name, Type type);

  const KindData& data() const { return node_->data; }
  const std::string& name() const { return node_->data.name; }
  Type type() const { return node_->data.type; }

  bool reserved() const { return !node_->data.reservations.empty(); }
  bool dynamically_reserved() const { return reserved() && node_->data.reservations.back().dynamic; }
  bool refined() const { return node_->data.reservations.size() > 1; }

  /// The role at the top of the stack, or "*".
  const std::string& reservation_role() const;

  /// Unreserved, or reserved to `role` or to one of its ancestors.
  bool allocatable_to(std::string_view role) const;

  bool revocable() const { return node_->data.revocable; }
  bool shared() const { return node_->data.shared; }
  bool persistent_volume() const { return node_->data.disk && node_->data.disk->persistence_id; }

  /// Two amounts of an exclusive kind never merge or split: persistent volumes, whole disks.
  bool exclusive() const { return node_->exclusive; }

  /// Same resource, ignoring how a volume is used.
  bool same(const Kind& other) const { return node_->base == other.node_->base; }

  /// Same in every detail.
  bool identical(const Kind& other) const { return node_ == other.node_; }

  /// By name, then by the other content; independent of addresses. Equal exactly when same().
  std::strong_ordering compare(const Kind& other) const;

  /// Copies with one property changed.
  Kind pushed(Reservation reservation) const;
  Kind popped() const;  // reserved() holds
  Kind unreserved() const;

  /// Without persistence and volume; without any disk when it has no source. Not shared.
  Kind without_volume() const;

  explicit operator bool() const { return node_ != nullptr; }

 private:
  struct Node {
    KindData data;
    std::string key;          // the content as bytes; equal keys, equal kinds
    const Node* base = nullptr;  // the kind without use of volume; itself when it has none
    uint64_t prefix = 0;      // first bytes of the name, for a fast comparison
    bool exclusive = false;
    bool immortal = false;    // plain kinds are never counted
    mutable std::atomic<uint64_t> references{0};
  };
  struct Table;
  static Table& table();
  static const Node* intern(KindData data);
  static void forget(const Node* node);

  void acquire() const {
    if (node_ && !node_->immortal) node_->references.fetch_add(1, std::memory_order_relaxed);
  }
  void release() const {
    if (node_ && !node_->immortal) forget(node_);
  }

  const Node* node_ = nullptr;
};

}  // namespace resources
