#include "tests/sim/network.hpp"

#include <algorithm>

namespace sim {

StreamId Network::open(Node& from, Node& to, std::function<void()> closed_from,
                       std::function<void()> closed_to) {
  const StreamId id = next_++;
  Stream& stream = streams_[id];
  stream.side[0] = {&from, from.epoch, std::move(closed_from), false, {}};
  stream.side[1] = {&to, to.epoch, std::move(closed_to), false, {}};
  if (!to.alive || blocked(from, to)) {
    // Refused at once, or no answer within the connect timeout.
    stream.broken = true;
    stream.side[1].told = true;
    tell(id, 0, to.alive ? base::seconds(5) : delay());
  }
  return id;
}

base::Duration Network::delay() {
  auto& random = world_.random();
  base::Duration d = faults_.delay_min + random.jitter(faults_.delay_max - faults_.delay_min);
  if (faults_.slow > 0 && random.chance(faults_.slow)) d += random.jitter(faults_.slow_max);
  return d;
}

void Network::send(StreamId id, int side, std::function<void()> call) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.broken) return;
  if (faults_.reset > 0 && world_.random().chance(faults_.reset)) {
    break_stream(id);
    return;
  }
  Side& to = found->second.side[1 - side];
  // Ordered: never before what was sent earlier.
  to.last_arrival = std::max(to.last_arrival, world_.now().instant + delay());
  world_.after(to.last_arrival - world_.now().instant,
               [this, id, to_side = 1 - side, call = std::move(call)]() mutable {
                 arrive(id, to_side, std::move(call));
               });
}

void Network::arrive(StreamId id, int to_side, std::function<void()> call) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.broken) return;
  Stream& stream = found->second;
  if (!stream.silent && !blocked(*stream.side[0].node, *stream.side[1].node)) {
    deliver(id, to_side, call);
    return;
  }
  stream.side[to_side].held.push_back(std::move(call));
  if (stream.silent) return;
  stream.silent = true;
  stream.silent_since = world_.now().instant;
  world_.after(base::milliseconds(200), [this, id] { release(id); });
}

void Network::release(StreamId id) {
  auto found = streams_.find(id);
  if (found == streams_.end() || found->second.broken) return;
  if (blocked(*found->second.side[0].node, *found->second.side[1].node)) {
    // The kernels go on trying; after the keepalive time both sides give the stream up.
    if (world_.now().instant - found->second.silent_since >= faults_.dead_peer)
      break_stream(id);
    else
      world_.after(base::milliseconds(200), [this, id] { release(id); });
    return;
  }
  found->second.silent = false;
  for (int side = 0; side < 2; ++side) {
    auto held = std::move(found->second.side[side].held);
    found->second.side[side].held.clear();
    for (const auto& call : held) deliver(id, side, call);
    found = streams_.find(id);  // a delivery may have ended the stream
    if (found == streams_.end() || found->second.broken) return;
  }
}

void Network::deliver(StreamId id, int to_side, const std::function<void()>& call) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.broken) return;
  Side& to = found->second.side[to_side];
  if (!to.node->alive || to.node->epoch != to.epoch || to.told) return;
  ++delivered_;
  if (to.node->frozen_until > world_.now().instant) {
    world_.after(*to.node, to.node->frozen_until - world_.now().instant, call);  // it lies in the socket
    return;
  }
  call();
}

void Network::close(StreamId id, int side) {
  const auto found = streams_.find(id);
  if (found == streams_.end() || found->second.broken) return;
  found->second.side[side].told = true;  // it knows
  send(id, side, [this, id, other = 1 - side] { tell(id, other, base::Duration::zero()); });
}

void Network::break_stream(StreamId id) {
  Stream& stream = streams_.at(id);
  if (stream.broken) return;
  stream.broken = true;
  for (int side = 0; side < 2; ++side)
    tell(id, side, world_.random().jitter(base::milliseconds(50)));
}

void Network::tell(StreamId id, int side, base::Duration delay) {
  world_.after(delay, [this, id, side] {
    const auto found = streams_.find(id);
    if (found == streams_.end()) return;
    Side& to = found->second.side[side];
    const bool tell_it = !to.told && to.node->alive && to.node->epoch == to.epoch;
    to.told = true;
    found->second.broken = true;
    auto closed = std::move(to.closed);
    Node& node = *to.node;
    if (found->second.side[0].told && found->second.side[1].told) streams_.erase(found);
    if (!tell_it || !closed) return;
    if (node.frozen_until > world_.now().instant) {
      world_.after(node, node.frozen_until - world_.now().instant, closed);
    } else {
      closed();
    }
  });
}

void Network::node_crashed(const Node& node) {
  std::vector<StreamId> affected;
  for (const auto& [id, stream] : streams_) {
    if (stream.side[0].node == &node || stream.side[1].node == &node) affected.push_back(id);
  }
  for (const StreamId id : affected) {
    Stream& stream = streams_.at(id);
    if (stream.broken) continue;
    stream.broken = true;
    const bool cut = blocked(*stream.side[0].node, *stream.side[1].node);
    for (int side = 0; side < 2; ++side) {
      if (stream.side[side].node == &node)
        stream.side[side].told = true;
      else
        tell(id, side, cut ? faults_.dead_peer : delay());
    }
  }
}

void Network::partition(const std::string& a, const std::string& b) {
  partitions_.insert(std::minmax(a, b));
}
void Network::heal(const std::string& a, const std::string& b) {
  partitions_.erase(std::minmax(a, b));
}
void Network::heal_all() {
  partitions_.clear();
}
bool Network::blocked(const Node& a, const Node& b) const {
  return partitions_.count(std::minmax(a.name, b.name)) > 0;
}

}  // namespace sim
