#include "l4lb/names.hpp"

namespace l4lb {

bool NameRange::contains(const Address& address) const {
  if (address.v4()) return address.to_v4() >= first && address.to_v4() <= last;
  static constexpr std::array<uint8_t, 8> kPrefix{0xfd, 0x01, 0x00, 0x0c, 0, 0, 0, 0};
  return address.v6() && std::equal(kPrefix.begin(), kPrefix.end(), address.bytes.begin());
}

Address NameRange::v4(uint32_t slot) const { return slot == 0 ? Address() : Address::from_v4(first + slot - 1); }

Address NameRange::v6(uint32_t slot) const {
  if (slot == 0) return {};
  Address out;
  out.family = 6;
  out.bytes = {0xfd, 0x01, 0x00, 0x0c};
  for (size_t i = 0; i < 4; ++i) out.bytes[12 + i] = static_cast<uint8_t>((first + slot - 1) >> (24 - 8 * i));
  return out;
}

void Names::release(uint32_t slot, const std::string& host, std::set<std::string>& changed) {
  const auto it = by_slot_.find(slot);
  if (it == by_slot_.end()) return;
  for (const auto& [other, times] : it->second) changed.insert(other);
  if (const auto found = it->second.find(host); found != it->second.end() && --found->second == 0)
    it->second.erase(found);
  if (it->second.empty()) by_slot_.erase(it);
}

std::set<std::string> Names::update(const VipId& vip, const Replica::ByOwner* owners) {
  std::set<std::string> changed;
  if (!vip.named()) return changed;
  std::map<NodeId, uint32_t> now;
  if (owners)
    for (const auto& [owner, entry] : *owners)
      if (entry->slot != 0 && entry->slot <= range_.size()) now[owner] = entry->slot;
  auto& claims = hosts_[vip.host];
  for (auto it = claims.begin(); it != claims.end();) {
    const auto found = it->first.vip == vip ? now.find(it->first.owner) : now.end();
    if (it->first.vip != vip || (found != now.end() && found->second == it->second)) {
      if (found != now.end()) now.erase(found);
      ++it;
      continue;
    }
    const uint32_t slot = it->second;
    it = claims.erase(it);
    release(slot, vip.host, changed);
    changed.insert(vip.host);
  }
  for (const auto& [owner, slot] : now) {
    claims[{owner, vip}] = slot;
    auto& holders = by_slot_[slot];
    ++holders[vip.host];
    for (const auto& [other, times] : holders) changed.insert(other);
  }
  if (claims.empty()) hosts_.erase(vip.host);
  return changed;
}

uint32_t Names::claim(const std::string& host) const {
  const auto it = hosts_.find(host);
  return it == hosts_.end() || it->second.empty() ? 0 : it->second.begin()->second;
}

uint32_t Names::slot(const std::string& host) const {
  const uint32_t slot = claim(host);
  if (slot == 0) return 0;
  for (const auto& [other, times] : by_slot_.at(slot))
    if (claim(other) == slot) return other == host ? slot : 0;
  return 0;
}

uint32_t Names::propose(const std::string& host) const {
  if (const uint32_t current = slot(host)) return current;
  const uint32_t size = range_.size();
  uint32_t at = static_cast<uint32_t>(hash_text(host) % size);
  for (uint32_t tries = 0; tries < size; ++tries, at = at + 1 == size ? 0 : at + 1) {
    const uint32_t slot = at + 1;
    // .0.0 and the last address of the range look like a network's own.
    if (size > 2 && (at == 0 || slot == size)) continue;
    const auto it = by_slot_.find(slot);
    bool taken = false;
    if (it != by_slot_.end())
      for (const auto& [other, times] : it->second) taken = taken || (other != host && claim(other) == slot);
    if (!taken) return slot;
  }
  return 0;
}

}  // namespace l4lb
