#include "l4lb/rumours.hpp"

namespace l4lb {

void Rumours::add(const MemberInfo& member) {
  // A suspicion by somebody else is a piece of its own: it confirms.
  add(Key{member.state == MemberState::Suspect ? 2 : 1, member.id,
          member.state == MemberState::Suspect ? member.accuser : 0},
      Gossip{member});
  if (member.state == MemberState::Suspect) return;
  // Whatever was suspected before is answered by this.
  auto it = rumours_.lower_bound(Key{2, member.id, 0});
  while (it != rumours_.end() && std::get<0>(it->first) == 2 && std::get<1>(it->first) == member.id) erase(it++);
}

void Rumours::add(const Chunk& chunk) { add(Key{3, chunk.owner, chunk.to}, chunk); }

void Rumours::add(Key key, const Frame& frame) {
  auto [it, fresh] = rumours_.try_emplace(key);
  if (!fresh) queue_.erase({it->second.told, it->second.order, key});
  it->second.bytes.clear();
  encode(it->second.bytes, frame);
  it->second.told = 0;
  it->second.order = next_--;
  queue_.insert({0, it->second.order, key});
  while (rumours_.size() > limit_) {
    // The most told one; who misses it is repaired by comparing.
    erase(rumours_.find(std::get<2>(*queue_.rbegin())));
    ++dropped_;
  }
}

void Rumours::erase(std::map<Key, Rumour>::iterator it) {
  queue_.erase({it->second.told, it->second.order, it->first});
  rumours_.erase(it);
}

void Rumours::pack(std::string& out, size_t bytes, int times) {
  std::vector<Key> taken;
  size_t misses = 0;
  for (const auto& [told, order, key] : queue_) {
    const Rumour& rumour = rumours_.at(key);
    if (rumour.bytes.size() > bytes) {
      // One that is larger than a usual datagram travels alone.
      if (rumour.bytes.size() > kUsualDatagram && out.empty() && taken.empty()) {
        out += rumour.bytes;
        taken.push_back(key);
        break;
      }
      if (++misses > 8) break;
      continue;
    }
    out += rumour.bytes;
    bytes -= rumour.bytes.size();
    taken.push_back(key);
    if (taken.size() >= kMaxFrames / 2) break;
  }
  for (const Key& key : taken) {
    const auto it = rumours_.find(key);
    queue_.erase({it->second.told, it->second.order, key});
    if (++it->second.told >= times) {
      rumours_.erase(it);
    } else {
      queue_.insert({it->second.told, it->second.order, key});
    }
  }
}

}  // namespace l4lb
