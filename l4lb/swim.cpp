#include "l4lb/swim.hpp"

#include <algorithm>
#include <cmath>

namespace l4lb {
namespace {

constexpr base::Duration kForever = base::hours(24 * 365);
constexpr size_t kMaxRelays = 4096;

uint64_t mix(const MemberInfo& info) {
  const bool there = info.state == MemberState::Alive || info.state == MemberState::Suspect;
  return hash_text(std::string_view(reinterpret_cast<const char*>(&info.id), sizeof info.id),
                   (uint64_t{info.incarnation} << 1 | (there ? 1 : 0)) * 0x9e3779b97f4a7c15U);
}

/// Does `next` say something newer than `old`? By incarnation first, then by severity.
bool overrides(const MemberInfo& next, const MemberInfo& old) {
  if (next.incarnation != old.incarnation) return next.incarnation > old.incarnation;
  return next.state > old.state;
}

}  // namespace

Swim::Swim(SwimOptions options, MemberInfo self, base::Random& random)
    : options_(std::move(options)), self_(std::move(self)), random_(random) {
  self_.state = MemberState::Alive;
  count_in(self_);
}

void Swim::count_in(const MemberInfo& info) { digest_ ^= mix(info); }
void Swim::count_out(const MemberInfo& info) { digest_ ^= mix(info); }

bool Swim::reachable(NodeId id) const {
  if (id == self_.id) return true;
  const auto it = members_.find(id);
  return it != members_.end() && it->second.reachable();
}

void Swim::set_health(int health) { health_ = std::clamp(health, 0, options_.max_health); }

base::Duration Swim::suspicion_min() const {
  const double scale = std::max(1.0, std::log10(static_cast<double>(alive_.size() + 1)));
  return base::Duration(
      static_cast<int64_t>(options_.suspicion * scale * static_cast<double>(options_.period.count())));
}

std::vector<const Member*> Swim::choose(size_t count, NodeId except) {
  std::vector<const Member*> out;
  if (alive_.empty()) return out;
  // A random start and a random step through a list would correlate; a few draws with retries do not.
  std::set<size_t> drawn;
  for (size_t tries = 0; tries < count * 4 + 8 && out.size() < count && drawn.size() < alive_.size(); ++tries) {
    const size_t at = random_.below(alive_.size());
    if (!drawn.insert(at).second || alive_[at] == except) continue;
    out.push_back(&members_.at(alive_[at]));
  }
  return out;
}

void Swim::send_members(const Endpoint& to, Out& out) const {
  out.send(to, Sync{self_});
  for (const auto& [id, member] : members_)
    if (member.info.state != MemberState::Left) out.send(to, Sync{member.info});
}

void Swim::add_member(const MemberInfo& info, base::Instant now, Out& out) {
  if (members_.size() >= options_.max_members) return out.count("lashup/members_refused");
  Member& member = members_[info.id];
  member.info = info;
  member.info.state = MemberState::Left;  // counts as nothing yet
  count_in(member.info);
  set_state(member, info, now, out);
}

void Swim::set_state(Member& member, const MemberInfo& info, base::Instant now, Out& out) {
  const NodeId id = info.id;
  const bool was = member.reachable();
  const Endpoint old_at = member.info.at;
  count_out(member.info);
  member.info = info;
  count_in(member.info);
  member.changed = now;
  const bool is = member.reachable();
  if (info.state == MemberState::Suspect) {
    suspects_.insert(id);
  } else {
    suspects_.erase(id);
    member.accusers.clear();
  }
  if (info.state == MemberState::Dead) dead_.insert(id);
  else dead_.erase(id);
  if (was && (!is || old_at != info.at)) {
    const auto found = by_endpoint_.find(old_at);
    if (found != by_endpoint_.end() && found->second == id) by_endpoint_.erase(found);
  }
  if (is) by_endpoint_[info.at] = id;
  if (is && !was) {
    alive_at_[id] = alive_.size();
    alive_.push_back(id);
    // New ones join the running round at a random place.
    round_.insert(round_.begin() + static_cast<std::ptrdiff_t>(random_.below(round_.size() + 1)), id);
  }
  if (!is && was) {
    const size_t at = alive_at_.at(id);
    alive_[at] = alive_.back();
    alive_at_[alive_[at]] = at;
    alive_.pop_back();
    alive_at_.erase(id);
  }
  if (is != was) out.reachable(id, is);
}

void Swim::take_own(const MemberInfo& info, const Endpoint& from, Out& out) {
  if (info.state == MemberState::Alive && info.incarnation <= self_.incarnation) return;
  if (info.incarnation < self_.incarnation) return;
  // Somebody thinks otherwise, or knows a later life of this machine: say so louder.
  count_out(self_);
  self_.incarnation = info.incarnation + 1;
  count_in(self_);
  if (info.state == MemberState::Suspect) set_health(health_ + 1);
  out.count("lashup/refutations");
  if (leaving_) return;
  out.rumour(self_);
  out.send(from, Gossip{self_});  // who thinks so shall know first
}

void Swim::take(const MemberInfo& info, bool accuses, const Endpoint& from, base::Instant now, Out& out) {
  if (info.id == self_.id) return take_own(info, from, out);
  const auto it = members_.find(info.id);
  if (it == members_.end()) {
    if (info.state == MemberState::Left) return;
    add_member(info, now, out);
    out.rumour(info);
    return;
  }
  Member& member = it->second;
  if (info.state == MemberState::Suspect && member.info.state == MemberState::Suspect &&
      info.incarnation == member.info.incarnation) {
    // One more that could not reach it.
    if (member.accusers.size() < static_cast<size_t>(options_.confirmations) + 1 &&
        member.accusers.insert(info.accuser).second) {
      set_suspicion_end(member);
      out.rumour(info);
    }
    return;
  }
  if (!overrides(info, member.info)) return;
  const bool bad_news = info.state != MemberState::Alive;
  if (bad_news && !accuses && info.state != MemberState::Left) {
    // From a list: old news perhaps, of the time of a partition. The machine itself shall hear it, and refute.
    if (member.reachable()) {
      out.send(member.info.at, Gossip{info});
      return;
    }
    if (info.incarnation <= member.info.incarnation) return;
  }
  if (info.state == MemberState::Suspect) {
    suspect(member, info, now, out);
    // A few of all look for themselves, so that a suspicion is soon confirmed or refuted.
    const double others = static_cast<double>(alive_.size()) + 1;
    if (random_.chance(options_.checkers / others)) probe(member, true, now, out);
    return;
  }
  set_state(member, info, now, out);
  out.rumour(info);
}

void Swim::set_suspicion_end(Member& member) {
  const double confirmed = static_cast<double>(member.accusers.empty() ? 0 : member.accusers.size() - 1);
  // Two machines have nobody to confirm: then the least time counts.
  const double needed = std::min<double>(options_.confirmations, static_cast<double>(alive_.size()) - 1);
  const double least = static_cast<double>(suspicion_min().count());
  const double most = needed < 1 ? least : least * options_.suspicion_max;
  const double share = needed < 1 ? 1 : std::min(1.0, std::log(confirmed + 1) / std::log(needed + 1));
  double length = std::max(least, most - share * (most - least));
  // Several that could not reach it have each told it again and again: no need to wait for rumours to spread.
  if (needed >= 1 && share >= 1) length = options_.suspicion * static_cast<double>(options_.period.count());
  member.suspicion_ends = member.suspicion_began + base::Duration(static_cast<int64_t>(length));
}

void Swim::suspect(Member& member, const MemberInfo& info, base::Instant now, Out& out) {
  if (member.info.state != MemberState::Suspect || member.info.incarnation != info.incarnation) {
    member.accusers.clear();
    member.suspicion_began = now;
    member.next_notice = now;
    set_state(member, info, now, out);
    out.count("lashup/suspicions");
  }
  if (!member.accusers.insert(info.accuser).second) return;
  set_suspicion_end(member);
  out.rumour(info);
}

void Swim::declare_dead(Member& member, base::Instant now, Out& out) {
  MemberInfo info = member.info;
  info.state = MemberState::Dead;
  info.accuser = 0;
  set_state(member, info, now, out);
  out.rumour(info);
  out.count("lashup/deaths");
}

void Swim::probe(const Member& member, bool extra, base::Instant now, Out& out) {
  const uint32_t sequence = next_sequence_++;
  Probe& probe = probes_[sequence];
  probe.target = member.info.id;
  probe.at = member.info.at;
  probe.extra = extra;
  probe.ask_others = now + scaled(options_.timeout);
  probe.ends = now + scaled(options_.period);
  // What is thought of it goes along, so that it can refute.
  if (member.info.state != MemberState::Alive) out.send(member.info.at, Gossip{member.info});
  out.send(member.info.at, Ping{sequence, member.info.id, false});
}

void Swim::probe_next(base::Instant now, Out& out) {
  while (true) {
    if (round_.empty()) {
      round_ = alive_;
      random_.shuffle(round_);
      if (round_.empty()) return;
    }
    const NodeId id = round_.back();
    round_.pop_back();
    const auto it = members_.find(id);
    if (it == members_.end() || !it->second.reachable()) continue;
    probe(it->second, false, now, out);
    return;
  }
}

void Swim::probe_failed(const Probe& probe, base::Instant now, Out& out) {
  if (!probe.extra) set_health(health_ + 1 - (probe.nacks_due > 0 && probe.nacks == probe.nacks_due ? 1 : 0));
  const auto it = members_.find(probe.target);
  if (it == members_.end() || !it->second.reachable()) return;
  out.count("lashup/failed_probes");
  MemberInfo info = it->second.info;
  info.state = MemberState::Suspect;
  info.accuser = self_.id;
  suspect(it->second, info, now, out);
}

void Swim::acked(uint32_t sequence, base::Instant now, Out& out) {
  if (const auto relay = relays_.find(sequence); relay != relays_.end()) {
    out.send(relay->second.origin, Ack{relay->second.sequence});
    relays_.erase(relay);
    return;
  }
  const auto it = probes_.find(sequence);
  if (it == probes_.end()) return;
  if (!it->second.extra && now <= it->second.ends) set_health(health_ - 1);
  probes_.erase(it);
}

void Swim::on_ping(const Endpoint& from, NodeId sender, const Ping& ping, base::Instant, Out& out) {
  if (ping.target != 0 && ping.target != self_.id) return;  // for one that was here before
  out.send(from, Ack{ping.sequence});
  if (ping.join) {
    send_members(from, out);
    return;
  }
  // Whom we hold for dead shall know, and refute.
  const auto it = members_.find(sender);
  if (it != members_.end() && it->second.info.state != MemberState::Alive) out.send(from, Gossip{it->second.info});
}

void Swim::on_frame(const Endpoint& from, NodeId sender, const Frame& frame, base::Instant now, Out& out) {
  // One address has one process: another number at an address that just spoke replaces the one before.
  if (const auto known = by_endpoint_.find(from);
      known != by_endpoint_.end() && known->second != sender && sender != self_.id) {
    if (const auto* gossip = std::get_if<Gossip>(&frame); gossip && gossip->member.id == sender) {
      Member& old = members_.at(known->second);
      declare_dead(old, now, out);
    }
  }
  if (const auto* ping = std::get_if<Ping>(&frame)) return on_ping(from, sender, *ping, now, out);
  if (const auto* ack = std::get_if<Ack>(&frame)) return acked(ack->sequence, now, out);
  if (const auto* nack = std::get_if<Nack>(&frame)) {
    if (const auto it = probes_.find(nack->sequence); it != probes_.end()) ++it->second.nacks;
    return;
  }
  if (const auto* request = std::get_if<PingRequest>(&frame)) {
    if (relays_.size() >= kMaxRelays) return;
    const uint32_t sequence = next_sequence_++;
    relays_[sequence] = {from, request->sequence, now + options_.timeout, now + options_.period * 2, false};
    out.send(request->at, Ping{sequence, request->target, false});
    return;
  }
  if (const auto* gossip = std::get_if<Gossip>(&frame)) return take(gossip->member, true, from, now, out);
  if (const auto* sync = std::get_if<Sync>(&frame)) {
    const bool first = alive_.empty();
    take(sync->member, false, from, now, out);
    if (first && !alive_.empty()) out.joined(from);
    return;
  }
  if (std::holds_alternative<MembersWanted>(frame)) send_members(from, out);
}

void Swim::contact_seeds(base::Instant now, Out& out) {
  bool missing = false;
  for (const Endpoint& seed : options_.seeds) {
    if (seed == self_.at || by_endpoint_.contains(seed)) continue;
    missing = true;
    out.send(seed, Gossip{self_});
    out.send(seed, Ping{next_sequence_++, 0, true});
  }
  // Alone: soon again. Otherwise the seed may just not be up.
  next_join_ = now + (alive_.empty() && missing ? options_.join_retry : options_.join_retry * 20);
}

void Swim::forget_old(base::Instant now) {
  for (auto it = members_.begin(); it != members_.end();) {
    Member& member = it->second;
    if (!member.reachable() && now - member.changed > options_.forget) {
      count_out(member.info);
      dead_.erase(it->first);
      it = members_.erase(it);
    } else {
      ++it;
    }
  }
}

void Swim::on_time(base::Instant now, Out& out) {
  if (leaving_) return;
  if (now >= next_join_) contact_seeds(now, out);
  std::vector<NodeId> ended;
  for (const NodeId id : suspects_) {
    Member& member = members_.at(id);
    if (now >= member.suspicion_ends) {
      ended.push_back(id);
    } else if (now >= member.next_notice && member.accusers.contains(self_.id)) {
      // The accuser tells the suspect itself, again and again: one answer is enough.
      member.next_notice = now + options_.period / 2;
      out.send(member.info.at, Gossip{member.info});
    }
  }
  for (const NodeId id : ended) declare_dead(members_.at(id), now, out);
  std::vector<Probe> failed;
  for (auto it = probes_.begin(); it != probes_.end();) {
    Probe& probe = it->second;
    if (!probe.asked && now >= probe.ask_others) {
      probe.asked = true;
      for (const Member* helper : choose(static_cast<size_t>(options_.indirect), probe.target)) {
        ++probe.nacks_due;
        out.send(helper->info.at, PingRequest{it->first, probe.target, probe.at});
      }
    }
    if (now >= probe.ends) {
      failed.push_back(probe);
      it = probes_.erase(it);
    } else {
      ++it;
    }
  }
  for (const Probe& probe : failed) probe_failed(probe, now, out);
  for (auto it = relays_.begin(); it != relays_.end();) {
    Relay& relay = it->second;
    if (!relay.nacked && now >= relay.nack_at) {
      relay.nacked = true;
      out.send(relay.origin, Nack{relay.sequence});
    }
    it = now >= relay.ends ? relays_.erase(it) : std::next(it);
  }
  if (now >= next_probe_) {
    // Not all in step.
    next_probe_ =
        now + scaled(options_.period) -
        base::Duration(static_cast<int64_t>(static_cast<double>(options_.period.count()) * 0.1 * random_.unit()));
    probe_next(now, out);
  }
  if (now >= next_dead_) {
    next_dead_ = now + options_.retry_dead / 2 + random_.jitter(options_.retry_dead);
    forget_old(now);
    if (!dead_.empty()) {
      auto it = dead_.begin();
      std::advance(it, static_cast<std::ptrdiff_t>(random_.below(dead_.size())));
      probe(members_.at(*it), true, now, out);
      out.send(members_.at(*it).info.at, Gossip{self_});
    }
  }
}

base::Instant Swim::next_deadline() const {
  base::Instant next = std::min({next_probe_, next_join_, next_dead_});
  if (leaving_) return next + kForever;
  for (const auto& [sequence, probe] : probes_) next = std::min(next, probe.asked ? probe.ends : probe.ask_others);
  for (const auto& [sequence, relay] : relays_) next = std::min(next, relay.nacked ? relay.ends : relay.nack_at);
  for (const NodeId id : suspects_) {
    const Member& member = members_.at(id);
    next = std::min(next, member.suspicion_ends);
    if (member.accusers.contains(self_.id)) next = std::min(next, member.next_notice);
  }
  return next;
}

void Swim::leave(Out& out) {
  leaving_ = true;
  self_.state = MemberState::Left;
  out.rumour(self_);
  for (const Member* member : choose(16)) out.send(member->info.at, Gossip{self_});
}

}  // namespace l4lb
