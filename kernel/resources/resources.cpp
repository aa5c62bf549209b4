#include "kernel/resources/resources.hpp"

#include <algorithm>
#include <set>

#include "base/check.hpp"
#include "base/numbers.hpp"

namespace resources {
namespace {

std::strong_ordering order(const Resource& a, const Resource& b) {
  if (auto kinds = a.kind.compare(b.kind); kinds != 0) return kinds;
  return a.allocation <=> b.allocation;
}

bool same_key(const Resource& a, const Resource& b) {
  return a.kind.same(b.kind) && a.allocation == b.allocation;
}

bool same_amount(const Resource& a, const Resource& b) {
  switch (a.kind.type()) {
    case Type::Scalar: return a.scalar == b.scalar;
    case Type::Ranges: return a.ranges == b.ranges;
    case Type::Set: return a.set == b.set;
  }
  UNREACHABLE();
}

/// Amounts flow together: neither a shared volume nor something exclusive.
bool fluid(const Resource& r) { return !r.kind.shared() && !r.kind.exclusive(); }

bool covers(const Resource& mine, const Resource& wanted) {
  switch (mine.kind.type()) {
    case Type::Scalar: return mine.scalar >= wanted.scalar;
    case Type::Ranges: return mine.ranges.contains(wanted.ranges);
    case Type::Set: return mine.set.contains(wanted.set);
  }
  UNREACHABLE();
}

/// The first entry that is not before `key`.
template <class List>
auto first_not_before(List& list, const Resource& key) {
  return std::find_if(list.begin(), list.end(), [&](const Resource& r) {
    return same_key(r, key) || order(r, key) > 0;
  });
}

void reservations_text(const Kind& kind, std::string& out) {
  if (!kind.reserved()) return;
  out += "(reservations: [";
  bool first = true;
  for (const Reservation& reservation : kind.data().reservations) {
    if (!first) out += ",";
    first = false;
    out += reservation.dynamic ? "(DYNAMIC," : "(STATIC,";
    out += reservation.role;
    if (reservation.principal) out += "," + *reservation.principal;
    if (reservation.labels) {
      out += ",{";
      for (const auto& [key, value] : *reservation.labels) {
        if (out.back() != '{') out += ", ";
        out += key;
        if (value) out += ": " + *value;
      }
      out += "}";
    }
    out += ")";
  }
  out += "])";
}

void disk_text(const Disk& disk, std::string& out) {
  out += "[";
  if (disk.source) {
    static constexpr const char* kNames[] = {"UNKNOWN", "PATH", "MOUNT", "BLOCK", "RAW"};
    out += kNames[static_cast<size_t>(disk.source->type)];
    if (disk.source->id || disk.source->profile) {
      out += "(" + disk.source->id.value_or("") + "," + disk.source->profile.value_or("") + ")";
    }
    const auto& root = disk.source->path ? disk.source->path : disk.source->mount;
    if (root && root->root) out += ":" + *root->root;
  }
  if (disk.persistence_id) {
    if (disk.source) out += ",";
    out += *disk.persistence_id;
  }
  out += "]";
}

std::string number_text(Scalar scalar) {
  std::string out = base::render_double(scalar.value());
  if (out.ends_with(".0")) out.resize(out.size() - 2);
  return out;
}

}  // namespace

bool Resource::empty() const {
  switch (kind.type()) {
    case Type::Scalar: return !scalar.positive();
    case Type::Ranges: return ranges.empty();
    case Type::Set: return set.empty();
  }
  UNREACHABLE();
}

bool Resource::operator==(const Resource& other) const {
  return same_key(*this, other) && same_amount(*this, other);
}

Resource make_scalar(std::string_view name, double value) {
  Resource out;
  out.kind = Kind::plain(name, Type::Scalar);
  out.scalar = Scalar::from_double(value);
  return out;
}

Resource make_ranges(std::string_view name, std::vector<Range> ranges) {
  Resource out;
  out.kind = Kind::plain(name, Type::Ranges);
  out.ranges = Ranges(std::move(ranges));
  return out;
}

Resource make_set(std::string_view name, std::vector<std::string> items) {
  Resource out;
  out.kind = Kind::plain(name, Type::Set);
  out.set = ItemSet(std::move(items));
  return out;
}

void Resources::add(Resource resource) {
  if (resource.empty()) return;
  auto at = first_not_before(list_, resource);
  if (at == list_.end() || !same_key(*at, resource)) {
    list_.insert(at, std::move(resource));
    return;
  }
  if (fluid(resource)) {
    at->scalar += resource.scalar;
    at->ranges += resource.ranges;
    at->set += resource.set;
    return;
  }
  // Same key: shared volumes count copies of equal size, exclusive ones stand beside each other, smaller first, so that
  // the order in which they were added does not show.
  for (; at != list_.end() && same_key(*at, resource); ++at) {
    if (resource.kind.shared() && same_amount(*at, resource)) {
      at->copies += resource.copies;
      return;
    }
    if (at->scalar > resource.scalar) break;
  }
  list_.insert(at, std::move(resource));
}

void Resources::subtract(const Resource& resource) {
  auto at = first_not_before(list_, resource);
  for (; at != list_.end() && same_key(*at, resource); ++at) {
    if (resource.kind.shared()) {
      if (!same_amount(*at, resource)) continue;
      if (at->copies > resource.copies) {
        at->copies -= resource.copies;
      } else {
        list_.erase(at);
      }
      return;
    }
    if (resource.kind.exclusive()) {
      if (!same_amount(*at, resource)) continue;
      list_.erase(at);
      return;
    }
    at->scalar -= resource.scalar;
    at->ranges -= resource.ranges;
    at->set -= resource.set;
    if (at->empty()) list_.erase(at);
    return;
  }
}

Resources& Resources::operator+=(const Resources& other) {
  if (list_.empty()) {
    list_ = other.list_;
    return *this;
  }
  if (this == &other) return *this += Resources(other);
  for (const Resource& resource : other.list_) add(resource);
  return *this;
}

Resources& Resources::operator-=(const Resources& other) {
  if (this == &other) {
    list_.clear();
    return *this;
  }
  for (const Resource& resource : other.list_) subtract(resource);
  return *this;
}

bool Resources::contains(const Resource& resource) const {
  if (resource.empty()) return true;
  auto at = first_not_before(list_, resource);
  if (fluid(resource)) return at != list_.end() && same_key(*at, resource) && covers(*at, resource);
  for (; at != list_.end() && same_key(*at, resource); ++at) {
    if (same_amount(*at, resource)) return at->copies >= resource.copies;
  }
  return false;
}

bool Resources::contains(const Resources& other) const {
  bool exclusive = false;
  for (const Resource& resource : other.list_) {
    if (!contains(resource)) return false;
    exclusive |= resource.kind.exclusive();
  }
  if (!exclusive) return true;
  // Equal exclusive entries each need one of their own.
  Resources rest = *this;
  for (const Resource& resource : other.list_) {
    if (!rest.contains(resource)) return false;
    rest.subtract(resource);
  }
  return true;
}

bool Resources::contains_ignoring_allocation(const Resources& other) const {
  const auto allocated = [](const Resources& r) {
    return std::any_of(r.begin(), r.end(), [](const Resource& entry) { return !entry.allocation.empty(); });
  };
  if (!allocated(*this) && !allocated(other)) return contains(other);
  Resources mine = *this, theirs = other;
  mine.unallocate();
  theirs.unallocate();
  return mine.contains(theirs);
}

bool Resources::operator==(const Resources& other) const {
  return std::equal(list_.begin(), list_.end(), other.list_.begin(), other.list_.end(),
                    [](const Resource& a, const Resource& b) { return a == b && a.copies == b.copies; });
}

Resources Resources::unreserved() const {
  return filter([](const Resource& r) { return !r.kind.reserved(); });
}

Resources Resources::reserved() const {
  return filter([](const Resource& r) { return r.kind.reserved(); });
}

Resources Resources::reserved_to(std::string_view role) const {
  return filter([&](const Resource& r) { return r.kind.reserved() && r.kind.reservation_role() == role; });
}

Resources Resources::allocatable_to(std::string_view role) const {
  return filter([&](const Resource& r) { return r.kind.allocatable_to(role); });
}

Resources Resources::revocable() const {
  return filter([](const Resource& r) { return r.kind.revocable(); });
}

Resources Resources::non_revocable() const {
  return filter([](const Resource& r) { return !r.kind.revocable(); });
}

Resources Resources::shared() const {
  return filter([](const Resource& r) { return r.kind.shared(); });
}

Resources Resources::non_shared() const {
  return filter([](const Resource& r) { return !r.kind.shared(); });
}

Resources Resources::persistent_volumes() const {
  return filter([](const Resource& r) { return r.kind.persistent_volume(); });
}

Resources Resources::allocated_to(std::string_view role) const {
  return filter([&](const Resource& r) { return r.allocation.str() == role; });
}

void Resources::allocate(const Name& role) {
  // Entries of one kind that were allocated to different roles become one.
  bool uniform = true;
  for (Resource& resource : list_) {
    uniform &= resource.allocation == list_.front().allocation;
    resource.allocation = role;
  }
  if (uniform) return;
  std::vector<Resource> entries = std::move(list_);
  list_.clear();
  for (Resource& resource : entries) add(std::move(resource));
}

void Resources::unallocate() { allocate(Name()); }

Resources Resources::flattened() const {
  Resources out;
  for (Resource resource : list_) {
    resource.kind = resource.kind.unreserved();
    out.add(std::move(resource));
  }
  return out;
}

Scalar Resources::scalar(std::string_view name) const {
  Scalar total;
  for (const Resource& resource : list_) {
    if (resource.kind.type() == Type::Scalar && resource.kind.name() == name) total += resource.scalar;
  }
  return total;
}

Ranges Resources::ranges(std::string_view name) const {
  Ranges total;
  for (const Resource& resource : list_) {
    if (resource.kind.type() == Type::Ranges && resource.kind.name() == name) total += resource.ranges;
  }
  return total;
}

static std::optional<double> amount(const Resources& resources, std::string_view name) {
  const Scalar total = resources.scalar(name);
  if (total.zero()) return std::nullopt;
  return total.value();
}

std::optional<double> Resources::cpus() const { return amount(*this, "cpus"); }
std::optional<double> Resources::gpus() const { return amount(*this, "gpus"); }
std::optional<double> Resources::mem_mb() const { return amount(*this, "mem"); }
std::optional<double> Resources::disk_mb() const { return amount(*this, "disk"); }

std::vector<std::string> Resources::names() const {
  std::set<std::string> names;
  for (const Resource& resource : list_) names.insert(resource.kind.name());
  return {names.begin(), names.end()};
}

std::vector<std::string> Resources::reservation_roles() const {
  std::set<std::string> roles;
  for (const Resource& resource : list_) {
    if (resource.kind.reserved()) roles.insert(resource.kind.reservation_role());
  }
  return {roles.begin(), roles.end()};
}

std::string text(const Resource& resource) {
  std::string out = resource.kind.name();
  if (!resource.allocation.empty()) out += "(allocated: " + resource.allocation.str() + ")";
  reservations_text(resource.kind, out);
  if (resource.kind.data().disk) disk_text(*resource.kind.data().disk, out);
  if (resource.kind.revocable()) out += "{REV}";
  if (resource.kind.shared()) out += "<SHARED>";
  out += ":";
  switch (resource.kind.type()) {
    case Type::Scalar: out += number_text(resource.scalar); break;
    case Type::Ranges: out += resource.ranges.text(); break;
    case Type::Set: out += resource.set.text(); break;
  }
  if (resource.copies > 1) out += "<" + std::to_string(resource.copies) + ">";
  return out;
}

std::string Resources::text() const {
  std::string out;
  for (const Resource& resource : list_) {
    if (!out.empty()) out += "; ";
    out += resources::text(resource);
  }
  return out;
}

}  // namespace resources
