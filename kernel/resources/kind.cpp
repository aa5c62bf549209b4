#include "kernel/resources/kind.hpp"

#include <algorithm>
#include <array>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/check.hpp"
#include "kernel/resources/roles.hpp"

namespace resources {
namespace {

// Canonical bytes of a kind's content. Every part is preceded by its length or a presence byte, so that different
// contents never give the same bytes.
class KeyWriter {
 public:
  void number(uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) key_.push_back(static_cast<char>(value >> shift));
  }
  void flag(bool value) { key_.push_back(value ? '\1' : '\0'); }
  void text(std::string_view value) {
    number(value.size());
    key_.append(value);
  }
  void optional(const std::optional<std::string>& value) {
    flag(value.has_value());
    if (value) text(*value);
  }
  void labels(const std::optional<Labels>& value) {
    flag(value.has_value());
    if (!value) return;
    Labels sorted = *value;
    std::sort(sorted.begin(), sorted.end());
    number(sorted.size());
    for (const auto& [name, content] : sorted) {
      text(name);
      optional(content);
    }
  }
  void root(const std::optional<DiskSource::Root>& value) {
    flag(value.has_value());
    if (value) optional(value->root);
  }
  std::string take() { return std::move(key_); }

 private:
  std::string key_;
};

std::string make_key(const KindData& data) {
  KeyWriter out;
  out.text(data.name);
  out.number(static_cast<uint64_t>(data.type));
  out.flag(data.revocable);
  out.flag(data.shared);
  out.optional(data.provider_id);
  out.number(data.reservations.size());
  for (const Reservation& reservation : data.reservations) {
    out.flag(reservation.dynamic);
    out.text(reservation.role);
    out.optional(reservation.principal);
    out.labels(reservation.labels);
  }
  out.flag(data.disk.has_value());
  if (data.disk) {
    const Disk& disk = *data.disk;
    out.flag(disk.source.has_value());
    if (disk.source) {
      out.number(static_cast<uint64_t>(disk.source->type));
      out.root(disk.source->path);
      out.root(disk.source->mount);
      out.optional(disk.source->id);
      out.optional(disk.source->profile);
      out.optional(disk.source->vendor);
      out.labels(disk.source->metadata);
    }
    out.optional(disk.persistence_id);
    out.optional(disk.persistence_principal);
    out.optional(disk.volume);
  }
  return out.take();
}

bool is_plain(const KindData& data) {
  return data.reservations.empty() && !data.disk && !data.revocable && !data.shared && !data.provider_id;
}

// The kinds that nearly every resource is of. They are never counted, which saves an atomic operation per copy.
bool is_common(const KindData& data) {
  static constexpr std::array<std::string_view, 5> kNames = {"cpus", "mem", "disk", "gpus", "ports"};
  return is_plain(data) && std::find(kNames.begin(), kNames.end(), data.name) != kNames.end();
}

bool is_exclusive(const KindData& data) {
  if (data.shared || !data.disk) return false;
  if (data.disk->persistence_id) return true;
  if (!data.disk->source) return false;
  switch (data.disk->source->type) {
    case DiskSource::Type::Path: return false;
    case DiskSource::Type::Mount:
    case DiskSource::Type::Block: return true;
    case DiskSource::Type::Raw: return data.disk->source->id.has_value();
  }
  return false;
}

uint64_t prefix_of(std::string_view name) {
  uint64_t prefix = 0;
  for (size_t i = 0; i < 8; ++i) {
    prefix = prefix << 8 | (i < name.size() ? static_cast<unsigned char>(name[i]) : 0);
  }
  return prefix;
}

}  // namespace

struct Kind::Table {
  std::mutex mutex;
  std::unordered_map<std::string_view, std::unique_ptr<Node>> nodes;  // keys point into the nodes
};

Kind::Table& Kind::table() {
  static auto* table = new Table();  // never destroyed: kinds outlive static destruction
  return *table;
}

const Kind::Node* Kind::intern(KindData data) {
  // The base is interned first, outside the lock; the node takes over its reference.
  Kind base;
  if (data.disk && (data.disk->persistence_principal || data.disk->volume)) {
    KindData stripped = data;
    stripped.disk->persistence_principal.reset();
    stripped.disk->volume.reset();
    base = Kind(std::move(stripped));
  }
  std::string key = make_key(data);
  Table& kinds = table();
  std::lock_guard lock(kinds.mutex);
  auto found = kinds.nodes.find(key);
  if (found == kinds.nodes.end()) {
    auto node = std::make_unique<Node>();
    node->prefix = prefix_of(data.name);
    node->exclusive = is_exclusive(data);
    node->immortal = is_common(data);
    node->data = std::move(data);
    node->key = std::move(key);
    node->base = base ? std::exchange(base.node_, nullptr) : node.get();
    std::string_view view = node->key;
    found = kinds.nodes.emplace(view, std::move(node)).first;
  }
  const Node* node = found->second.get();
  if (!node->immortal) node->references.fetch_add(1, std::memory_order_relaxed);
  return node;
}

void Kind::forget(const Node* node) {
  uint64_t count = node->references.load(std::memory_order_relaxed);
  while (count > 1) {
    if (node->references.compare_exchange_weak(count, count - 1, std::memory_order_release)) return;
  }
  Kind base;  // released after the lock
  Table& kinds = table();
  std::lock_guard lock(kinds.mutex);
  if (node->references.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  auto found = kinds.nodes.find(std::string_view(node->key));
  auto keep = std::move(found->second);
  kinds.nodes.erase(found);
  if (keep->base != keep.get()) base.node_ = keep->base;
}

Kind::Kind(KindData data) : node_(intern(std::move(data))) {}

Kind Kind::plain(std::string_view name, Type type) {
  KindData data;
  data.name = std::string(name);
  data.type = type;
  return Kind(std::move(data));
}

const std::string& Kind::reservation_role() const {
  static const auto* star = new std::string("*");
  return reserved() ? node_->data.reservations.back().role : *star;
}

bool Kind::allocatable_to(std::string_view role) const {
  if (!reserved()) return true;
  const std::string& owner = reservation_role();
  return owner == role || is_strict_subrole(role, owner);
}

std::strong_ordering Kind::compare(const Kind& other) const {
  const Node *a = node_->base, *b = other.node_->base;
  if (a == b) return std::strong_ordering::equal;
  if (a->prefix != b->prefix) return a->prefix <=> b->prefix;
  if (auto order = a->data.name <=> b->data.name; order != 0) return order;
  return a->key <=> b->key;
}

Kind Kind::pushed(Reservation reservation) const {
  KindData changed = data();
  changed.reservations.push_back(std::move(reservation));
  return Kind(std::move(changed));
}

Kind Kind::popped() const {
  CHECK(reserved());
  KindData changed = data();
  changed.reservations.pop_back();
  return Kind(std::move(changed));
}

Kind Kind::unreserved() const {
  if (!reserved()) return *this;
  KindData changed = data();
  changed.reservations.clear();
  return Kind(std::move(changed));
}

Kind Kind::without_volume() const {
  KindData changed = data();
  changed.shared = false;
  if (changed.disk) {
    if (changed.disk->source) {
      changed.disk->persistence_id.reset();
      changed.disk->persistence_principal.reset();
      changed.disk->volume.reset();
    } else {
      changed.disk.reset();
    }
  }
  return Kind(std::move(changed));
}

}  // namespace resources
