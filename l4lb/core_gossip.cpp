// Telling others and hearing from them.

#include <algorithm>
#include <cmath>

#include "l4lb/core.hpp"

namespace l4lb {
namespace {

constexpr size_t kMaxChunksPerPull = 48;
constexpr base::Duration kEagerDelay = base::milliseconds(1);
constexpr size_t kMaxMissing = 4096;

}  // namespace

void Core::send(const Endpoint& to, Frame frame) {
  std::string bytes;
  encode(bytes, frame);
  auto& datagrams = outbox_[to];
  if (datagrams.empty()) outbox_order_.push_back(to);
  if (datagrams.empty() || datagrams.back().size() + bytes.size() > kUsualDatagram) {
    datagrams.push_back(std::move(bytes));
  } else {
    datagrams.back() += bytes;
  }
}

void Core::flush() {
  const int times = retransmits();
  for (const Endpoint& to : outbox_order_) {
    auto& datagrams = outbox_[to];
    // What room is left carries news.
    std::string& last = datagrams.back();
    if (last.size() + 64 < kUsualDatagram) rumours_.pack(last, kUsualDatagram - last.size(), times);
    for (std::string& bytes : datagrams) out_->add(Send{to, std::move(bytes)});
  }
  outbox_.clear();
  outbox_order_.clear();
}

int Core::retransmits() const {
  return static_cast<int>(std::ceil(policy_.retransmit * std::log2(static_cast<double>(swim_.alive()) + 2))) +
         policy_.eager_peers;
}

void Core::gossip_now(int peers) {
  eager_due_ = false;
  if (rumours_.empty()) return;
  const int times = retransmits();
  for (const Member* peer : swim_.choose(static_cast<size_t>(peers))) {
    // Much to tell: several datagrams at once, so that a wave of news is not held up.
    for (int i = 0; i < 4; ++i) {
      std::string bytes;
      rumours_.pack(bytes, kUsualDatagram, times);
      if (bytes.empty()) break;
      const bool full = bytes.size() > kUsualDatagram * 3 / 4;
      out_->add(Send{peer->info.at, std::move(bytes)});
      if (!full) break;
    }
  }
}

void Core::rumour(const MemberInfo& member) { rumours_.add(member); }

void Core::reachable(NodeId node, bool) {
  for (const Entry* entry : replica_.entries(node))
    if (!entry->backends.empty()) dirty_.insert(entry->vip);
}

void Core::joined(const Endpoint& peer) { send_digest(peer); }

void Core::send_digest(const Endpoint& to) { send(to, Digest{swim_.digest(), replica_.digest()}); }

void Core::handle(const DatagramReceived& event) {
  if (event.sender == id()) return;
  const auto frames = decode_frames(event.bytes);
  if (!frames) return count("lashup/bad_datagrams");
  for (const Frame& frame : *frames) on_frame(event.from, event.sender, frame);
}

void Core::on_frame(const Endpoint& from, NodeId sender, const Frame& frame) {
  if (const auto* chunk = std::get_if<Chunk>(&frame)) return on_chunk(from, *chunk);
  if (const auto* digest = std::get_if<Digest>(&frame)) return on_digest(from, *digest);
  if (const auto* owners = std::get_if<Owners>(&frame)) return on_owners(from, *owners);
  if (const auto* pull = std::get_if<Pull>(&frame)) return answer_pull(from, pull->owner, pull->since, pull->cleared);
  swim_.on_frame(from, sender, frame, now_, *this);
}

void Core::on_chunk(const Endpoint& from, const Chunk& chunk) {
  if (chunk.owner == id()) return;
  const Replica::Applied applied = replica_.apply(chunk);
  if (applied.news) {
    // Repairs are for one; a single change is news for all.
    if (!chunk.reset && chunk.to == chunk.from + 1) {
      rumours_.add(chunk);
      if (!eager_due_) {
        eager_due_ = true;
        eager_at_ = now_ + kEagerDelay;
      }
    }
  }
  if (applied.gap && missing_.size() < kMaxMissing) {
    missing_.try_emplace(chunk.owner, Missing{now_ + policy_.pull_after, from, 0});
  } else if (!applied.gap) {
    missing_.erase(chunk.owner);
  }
}

void Core::pull_missing() {
  for (auto it = missing_.begin(); it != missing_.end();) {
    Missing& missing = it->second;
    if (now_ < missing.at) {
      ++it;
      continue;
    }
    if (missing.tries >= 5) {
      it = missing_.erase(it);  // the comparison finds it
      continue;
    }
    Endpoint peer = missing.peer;
    if (missing.tries > 0)
      for (const Member* other : swim_.choose(1)) peer = other->info.at;
    send(peer, Pull{it->first, replica_.complete(it->first), replica_.cleared(it->first)});
    count("lashup/pulls");
    ++missing.tries;
    missing.at = now_ + policy_.pull_after * (1 << missing.tries);
    ++it;
  }
}

void Core::answer_pull(const Endpoint& to, NodeId owner, uint64_t since, uint64_t cleared) {
  for (size_t i = 0; i < kMaxChunksPerPull; ++i) {
    auto chunk = replica_.since(owner, since, cleared, kUsualDatagram - 100);
    if (!chunk) return;
    since = chunk->to;
    if (chunk->reset) cleared = chunk->floor;
    send(to, std::move(*chunk));
  }
}

void Core::on_digest(const Endpoint& from, const Digest& digest) {
  if (digest.members != swim_.digest()) {
    send(from, MembersWanted{});
    swim_.send_members(from, *this);
    count("lashup/member_syncs");
  }
  for (size_t bucket = 0; bucket < kDigestBuckets; ++bucket) {
    if (digest.buckets[bucket] == replica_.digest()[bucket]) continue;
    count("lashup/bucket_syncs");
    const auto known = replica_.owners(bucket);
    // Pieces that cover all ids, so that the other sees what is not here at all.
    size_t at = 0;
    NodeId first = 0;
    do {
      Owners owners{static_cast<uint8_t>(bucket), first, UINT64_MAX, {}};
      while (at < known.size() && owners.known.size() < kMaxOwners) owners.known.push_back(known[at++]);
      if (at < known.size()) owners.last = known[at].first - 1;
      first = owners.last + 1;
      send(from, owners);
    } while (at < known.size());
  }
}

void Core::on_owners(const Endpoint& from, const Owners& owners) {
  std::map<NodeId, uint64_t> theirs(owners.known.begin(), owners.known.end());
  for (const auto& [owner, version] : theirs) {
    const uint64_t mine = replica_.complete(owner);
    if (mine > version) answer_pull(from, owner, version, 0);
    if (mine < version && owner != id()) send(from, Pull{owner, mine, replica_.cleared(owner)});
  }
  for (const auto& [owner, mine] : replica_.owners(owners.bucket))
    if (owner >= owners.first && owner <= owners.last && !theirs.contains(owner) && mine > 0)
      answer_pull(from, owner, 0, 0);
}

}  // namespace l4lb
