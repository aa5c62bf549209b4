#pragma once

// Addresses of named services (pure). A name's first owner claims an address of the range in its entry: the one that
// the name's hash says, or the next that is free. Claims are replicated with the entries, so a name keeps its address
// for as long as anybody serves it, whatever else comes and goes. Claims made at the same time on different machines
// may disagree: the rules below give the same answer everywhere, and the owners then claim what the rules say.

#include <map>
#include <set>
#include <string>

#include "l4lb/crdt.hpp"

namespace l4lb {

struct NameRange {
  uint32_t first = 11U << 24;       // 11.0.0.0
  uint32_t last = (12U << 24) - 1;  // 11.255.255.255
  uint32_t size() const { return last - first + 1; }
  bool contains(const Address& address) const;
  Address v4(uint32_t slot) const;  // slots count from 1
  Address v6(uint32_t slot) const;  // in fd01:c::/64
};

class Names {
 public:
  explicit Names(NameRange range) : range_(range) {}

  /// What everybody claims for this service now. Returns the names whose address may have changed.
  std::set<std::string> update(const VipId& vip, const Replica::ByOwner* owners);

  /// The address that counts: of the owner with the least id, unless an earlier name (by spelling) claims the same.
  /// 0: none for the moment.
  uint32_t slot(const std::string& host) const;

  /// What an owner of the name shall claim.
  uint32_t propose(const std::string& host) const;

  const NameRange& range() const { return range_; }

 private:
  struct ClaimKey {
    NodeId owner;
    VipId vip;
    auto operator<=>(const ClaimKey&) const = default;
  };
  uint32_t claim(const std::string& host) const;
  void release(uint32_t slot, const std::string& host, std::set<std::string>& changed);

  NameRange range_;
  std::map<std::string, std::map<ClaimKey, uint32_t>> hosts_;
  std::map<uint32_t, std::map<std::string, int>> by_slot_;  // who claims it, how often
};

}  // namespace l4lb
