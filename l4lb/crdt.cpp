#include "l4lb/crdt.hpp"

#include <algorithm>

namespace l4lb {
namespace {

constexpr size_t kMaxAhead = 64;

uint64_t mix(NodeId owner, uint64_t version) {
  uint64_t hash = owner * 0x9e3779b97f4a7c15U ^ (version + 0x7f4a7c15U) * 0xc2b2ae3d27d4eb4fU;
  hash ^= hash >> 29;
  hash *= 0xbf58476d1ce4e5b9U;
  return hash ^ (hash >> 32);
}

}  // namespace

size_t wire_size(const Entry& entry) { return 24 + entry.vip.host.size() + entry.backends.size() * 40; }

size_t Replica::bucket(NodeId owner) { return mix(owner, 0) % kDigestBuckets; }

void Replica::set_complete(NodeId id, Owner& owner, uint64_t version) {
  const size_t b = bucket(id);
  if (owner.complete != 0) digest_[b] ^= mix(id, owner.complete);
  owner.complete = version;
  if (version != 0) digest_[b] ^= mix(id, version);
  by_bucket_[b].insert(id);
}

void Replica::put(NodeId id, Owner& owner, const Entry& entry) {
  auto [it, fresh] = owner.entries.try_emplace(entry.vip);
  Entry& place = it->second;
  if (!fresh) {
    owner.by_version.erase(place.version);
    if (place.backends.empty()) --owner.tombstones;
  }
  place = entry;
  owner.by_version[place.version] = &place;
  if (place.backends.empty()) {
    ++owner.tombstones;
    if (const auto found = vips_.find(place.vip); found != vips_.end()) {
      found->second.erase(id);
      if (found->second.empty()) vips_.erase(found);
    }
  } else {
    vips_[place.vip][id] = &place;
  }
  touched_.insert(place.vip);
}

void Replica::erase(NodeId id, Owner& owner, const VipId& vip) {
  const auto it = owner.entries.find(vip);
  if (it == owner.entries.end()) return;
  owner.by_version.erase(it->second.version);
  if (it->second.backends.empty()) {
    --owner.tombstones;
  } else if (const auto found = vips_.find(vip); found != vips_.end()) {
    found->second.erase(id);
    if (found->second.empty()) vips_.erase(found);
  }
  touched_.insert(vip);
  owner.entries.erase(it);
}

Chunk Replica::write(NodeId id, Entry entry) {
  Owner& owner = owners_[id];
  entry.version = owner.complete + 1;
  Chunk chunk{id, owner.complete, entry.version, owner.floor, false, {entry}};
  put(id, owner, entry);
  set_complete(id, owner, entry.version);
  return chunk;
}

void Replica::restore(NodeId id, Entry entry) {
  Owner& owner = owners_[id];
  const uint64_t version = entry.version;
  put(id, owner, entry);
  if (version > owner.complete) set_complete(id, owner, version);
}

void Replica::restore_version(NodeId id, uint64_t version, uint64_t floor) {
  Owner& owner = owners_[id];
  if (version > owner.complete) set_complete(id, owner, version);
  owner.floor = std::max(owner.floor, floor);
  drop_below_floor(id, owner);
}

void Replica::drop_below_floor(NodeId id, Owner& owner) {
  if (owner.tombstones == 0) return;
  std::vector<VipId> gone;
  for (const auto& [version, entry] : owner.by_version) {
    if (version > owner.floor) break;
    if (entry->backends.empty()) gone.push_back(entry->vip);
  }
  for (const VipId& vip : gone) erase(id, owner, vip);
}

Replica::Applied Replica::apply(const Chunk& chunk) {
  Applied out;
  if (chunk.to <= chunk.from) return out;
  Owner& owner = owners_[chunk.owner];
  by_bucket_[bucket(chunk.owner)].insert(chunk.owner);
  if (chunk.reset && owner.complete < chunk.floor && owner.cleared != chunk.floor) {
    // Removals up to the floor are not told any more: what is not in these chunks does not exist.
    std::vector<VipId> old;
    for (const auto& [version, entry] : owner.by_version)
      if (version <= chunk.floor) old.push_back(entry->vip);
    for (const VipId& vip : old) erase(chunk.owner, owner, vip);
    if (owner.complete != 0) set_complete(chunk.owner, owner, 0);
    owner.ahead.clear();
    owner.cleared = chunk.floor;
    out.news = true;
  }
  if (chunk.from <= owner.complete && chunk.floor > owner.floor && owner.complete >= chunk.floor) {
    owner.floor = chunk.floor;
    drop_below_floor(chunk.owner, owner);
  }
  for (const Entry& entry : chunk.entries) {
    const auto found = owner.entries.find(entry.vip);
    if (found != owner.entries.end() && found->second.version >= entry.version) continue;
    if (entry.backends.empty() && entry.version <= owner.floor) continue;
    // A removed entry whose tombstone is gone must not come back with an old version.
    if (found == owner.entries.end() && entry.version <= owner.complete) continue;
    put(chunk.owner, owner, entry);
    out.news = true;
  }
  if (chunk.from <= owner.complete) {
    if (chunk.to > owner.complete) {
      uint64_t to = chunk.to;
      while (!owner.ahead.empty() && owner.ahead.begin()->first <= to) {
        to = std::max(to, owner.ahead.begin()->second);
        owner.ahead.erase(owner.ahead.begin());
      }
      set_complete(chunk.owner, owner, to);
      out.news = true;
    }
  } else {
    auto& to = owner.ahead[chunk.from];
    to = std::max(to, chunk.to);
    if (owner.ahead.size() > kMaxAhead) owner.ahead.erase(std::prev(owner.ahead.end()));
  }
  out.gap = !owner.ahead.empty() || owner.complete < owner.cleared;
  return out;
}

uint64_t Replica::complete(NodeId id) const {
  const auto it = owners_.find(id);
  return it == owners_.end() ? 0 : it->second.complete;
}

std::optional<Chunk> Replica::since(NodeId id, uint64_t since, uint64_t cleared, size_t max_bytes) const {
  const auto it = owners_.find(id);
  if (it == owners_.end() || it->second.complete <= since) return std::nullopt;
  const Owner& owner = it->second;
  Chunk chunk{id, since, since, owner.floor, false, {}};
  // The reader may hold what was removed and forgotten: it starts from nothing.
  if (since < owner.floor && cleared != owner.floor) {
    chunk.from = 0;
    chunk.reset = true;
    since = 0;
  }
  size_t bytes = 0;
  for (auto at = owner.by_version.upper_bound(since); at != owner.by_version.end() && at->first <= owner.complete;
       ++at) {
    const size_t size = wire_size(*at->second);
    if (!chunk.entries.empty() && bytes + size > max_bytes) {
      chunk.to = chunk.entries.back().version;
      return chunk;
    }
    bytes += size;
    chunk.entries.push_back(*at->second);
  }
  chunk.to = owner.complete;
  return chunk;
}

void Replica::raise_floor(NodeId id, uint64_t version) {
  Owner& owner = owners_[id];
  owner.floor = std::max(owner.floor, std::min(version, owner.complete));
  drop_below_floor(id, owner);
}

uint64_t Replica::cleared(NodeId id) const {
  const auto it = owners_.find(id);
  return it == owners_.end() ? 0 : it->second.cleared;
}

size_t Replica::tombstones(NodeId id) const {
  const auto it = owners_.find(id);
  return it == owners_.end() ? 0 : it->second.tombstones;
}

std::vector<uint64_t> Replica::tombstone_versions(NodeId id) const {
  std::vector<uint64_t> out;
  if (const auto it = owners_.find(id); it != owners_.end())
    for (const auto& [version, entry] : it->second.by_version)
      if (entry->backends.empty()) out.push_back(version);
  return out;
}

void Replica::forget(NodeId id) {
  const auto it = owners_.find(id);
  if (it == owners_.end()) return;
  std::vector<VipId> all;
  for (const auto& [vip, entry] : it->second.entries) all.push_back(vip);
  for (const VipId& vip : all) erase(id, it->second, vip);
  set_complete(id, it->second, 0);
  by_bucket_[bucket(id)].erase(id);
  owners_.erase(it);
}

std::vector<std::pair<NodeId, uint64_t>> Replica::owners(size_t bucket) const {
  std::vector<std::pair<NodeId, uint64_t>> out;
  for (const NodeId id : by_bucket_[bucket]) out.emplace_back(id, complete(id));
  return out;
}

std::vector<NodeId> Replica::owners() const {
  std::vector<NodeId> out;
  for (const auto& [id, owner] : owners_) out.push_back(id);
  return out;
}

const Entry* Replica::find(NodeId id, const VipId& vip) const {
  const auto it = owners_.find(id);
  if (it == owners_.end()) return nullptr;
  const auto found = it->second.entries.find(vip);
  return found == it->second.entries.end() ? nullptr : &found->second;
}

std::vector<const Entry*> Replica::entries(NodeId id) const {
  std::vector<const Entry*> out;
  if (const auto it = owners_.find(id); it != owners_.end())
    for (const auto& [vip, entry] : it->second.entries) out.push_back(&entry);
  return out;
}

}  // namespace l4lb
