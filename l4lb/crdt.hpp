#pragma once

// The replicated table of services (pure): each machine writes its own entries under a growing version, everybody holds
// everybody's. One writer per entry, so the higher version wins and no two writes are ever concurrent.

#include <array>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "l4lb/types.hpp"

namespace l4lb {

/// What one machine says about one service. Without backends it is a tombstone: the machine has none any more.
struct Entry {
  VipId vip;
  uint32_t slot = 0;  // of a named service: which address of the range its name has; 0: none
  std::vector<Backend> backends;
  uint64_t version = 0;
  bool operator==(const Entry&) const = default;
};

/// Entries of `owner`, complete for versions in (from, to]. Tombstones up to `floor` are left out; with `reset`,
/// everything that is not in the chunks beginning here is gone.
struct Chunk {
  NodeId owner = 0;
  uint64_t from = 0, to = 0, floor = 0;
  bool reset = false;
  std::vector<Entry> entries;
  bool operator==(const Chunk&) const = default;
};

constexpr size_t kDigestBuckets = 64;

class Replica {
 public:
  struct Applied {
    bool news = false;  // something here was not known
    bool gap = false;   // versions between what is known and this chunk are missing
  };

  /// Gives `entry` the owner's next version and stores it. For the owner only.
  Chunk write(NodeId owner, Entry entry);

  /// As it was stored by an earlier process of this machine.
  void restore(NodeId owner, Entry entry);
  void restore_version(NodeId owner, uint64_t version, uint64_t floor);

  Applied apply(const Chunk& chunk);

  /// Everything of `owner` up to this version is here.
  uint64_t complete(NodeId owner) const;

  /// The next piece after `since`, about `max_bytes` large; absent when there is nothing newer. `cleared`: the floor
  /// for which the reader has begun from nothing already.
  std::optional<Chunk> since(NodeId owner, uint64_t since, uint64_t cleared, size_t max_bytes) const;
  uint64_t cleared(NodeId owner) const;

  /// Leaves out tombstones up to `version`. For the owner only; others follow by the chunks.
  void raise_floor(NodeId owner, uint64_t version);
  size_t tombstones(NodeId owner) const;
  /// Versions of the owner's tombstones, oldest first.
  std::vector<uint64_t> tombstone_versions(NodeId owner) const;

  void forget(NodeId owner);

  const std::array<uint64_t, kDigestBuckets>& digest() const { return digest_; }
  static size_t bucket(NodeId owner);
  /// Owners of a bucket with what is complete of each, by id.
  std::vector<std::pair<NodeId, uint64_t>> owners(size_t bucket) const;
  std::vector<NodeId> owners() const;

  const Entry* find(NodeId owner, const VipId& vip) const;
  std::vector<const Entry*> entries(NodeId owner) const;  // tombstones included

  /// Who serves each service, tombstones left out.
  using ByOwner = std::map<NodeId, const Entry*>;
  const std::map<VipId, ByOwner>& vips() const { return vips_; }

  /// Services that changed since the last call.
  std::set<VipId> take_touched() { return std::exchange(touched_, {}); }

 private:
  struct Owner {
    std::map<VipId, Entry> entries;
    std::map<uint64_t, const Entry*> by_version;
    std::map<uint64_t, uint64_t> ahead;  // ranges known beyond `complete`: from -> to
    uint64_t complete = 0, floor = 0, cleared = 0;
    size_t tombstones = 0;
  };

  void put(NodeId id, Owner& owner, const Entry& entry);
  void erase(NodeId id, Owner& owner, const VipId& vip);
  void drop_below_floor(NodeId id, Owner& owner);
  void set_complete(NodeId id, Owner& owner, uint64_t version);

  std::map<NodeId, Owner> owners_;
  std::array<std::set<NodeId>, kDigestBuckets> by_bucket_;
  std::map<VipId, ByOwner> vips_;
  std::set<VipId> touched_;
  std::array<uint64_t, kDigestBuckets> digest_{};
};

/// About how many bytes an entry takes on the wire.
size_t wire_size(const Entry& entry);

}  // namespace l4lb
