#include "l4lb/testing.hpp"

#include <fmt/format.h>

namespace l4lb::testing {
namespace {

constexpr uint16_t kPort = 62501;
constexpr uint32_t kNetwork = 10U << 24;

}  // namespace

Task make_task(const std::string& id, const std::string& vip, uint64_t port, const std::string& state) {
  Task task;
  task.framework_id = "framework";
  task.framework_name = "marathon";
  task.id = id;
  task.name = id;
  task.state = state;
  task.ports = {port};
  task.discovery.push_back({port, "tcp", {{"VIP_0", vip}}});
  return task;
}

World::World(WorldOptions options) : options_(std::move(options)), random_(options_.seed), nodes_(options_.nodes) {
  for (size_t i = 0; i < std::min(options_.seeds, nodes_.size()); ++i)
    options_.policy.swim.seeds.push_back({ip(i), kPort});
  for (size_t i = 0; i < nodes_.size(); ++i) start(i);
}

World::~World() = default;

Address World::ip(size_t node) const { return Address::from_v4(kNetwork + 1 + static_cast<uint32_t>(node)); }

size_t World::node_of(const Endpoint& endpoint) const {
  const uint32_t index = endpoint.address.to_v4() - kNetwork - 1;
  return endpoint.port == kPort ? index : nodes_.size();
}

void World::start(size_t index) {
  Node& node = nodes_[index];
  ++node.generation;
  ++node.life;
  node.kernel.clear();
  node.seen_reachable.clear();
  // Ids are as random as in life: their order must not be that of the addresses.
  const NodeId id = hash_text(fmt::format("node {}", index), options_.seed);
  MemberInfo self{id, {ip(index), kPort}, node.life, MemberState::Alive, 0, ip(index), fmt::format("host-{}", index)};
  node.core = std::make_unique<Core>(options_.policy, self, base::Random(random_.next()));
  Recovered recovered;
  for (const auto& [key, value] : node.store) recovered.records.emplace_back(key, value);
  push(now_ + base::Duration(static_cast<int64_t>(random_.below(1'000'000))), index, std::move(recovered));
}

void World::stop(size_t index) {
  nodes_[index].core.reset();
  ++nodes_[index].generation;
}

void World::push(base::Instant at, size_t node, Event event, uint64_t wake_number) {
  queue_.push({at, ++order_, node, nodes_[node].generation, wake_number, std::make_shared<Event>(std::move(event))});
}

void World::tell(size_t node, Event event) { push(now_, node, std::move(event)); }

bool World::step() {
  if (queue_.empty()) return false;
  const Item item = queue_.top();
  queue_.pop();
  now_ = std::max(now_, item.at);
  Node& node = nodes_[item.node];
  if (node.generation != item.generation || !node.core) return true;
  if (item.wake_number != 0 && item.wake_number != node.wake_number) return true;
  ++events_;
  hash_ = (hash_ ^ static_cast<uint64_t>(now_.since_start.count()) ^ item.node << 48 ^ item.event->index() << 40) *
          1099511628211U;
  Effects effects;
  node.core->on(*item.event, now_, effects);
  perform(item.node, effects);
  return true;
}

void World::send(size_t from, const Send& send) {
  ++datagrams_;
  bytes_ += send.bytes.size();
  const size_t to = node_of(send.to);
  if (to >= nodes_.size() || random_.chance(options_.loss)) return;
  if (!groups_.empty() && groups_[from] != groups_[to]) return;
  const base::Instant at = now_ + options_.delay + random_.jitter(options_.jitter) + nodes_[from].lag + nodes_[to].lag;
  push(at, to, DatagramReceived{{ip(from), kPort}, nodes_[from].core->id(), send.bytes});
}

void World::perform(size_t index, Effects& effects) {
  Node& node = nodes_[index];
  for (Effect& effect : effects.list) {
    if (const auto* out = std::get_if<Send>(&effect)) {
      send(index, *out);
    } else if (auto* persist = std::get_if<Persist>(&effect)) {
      if (node.store_fails) {
        push(now_ + options_.store_delay, index, Persisted{persist->ticket, base::Error{base::Code::NoSpace, "full"}});
        continue;
      }
      for (auto& [key, value] : persist->writes) {
        if (value) node.store[key] = *value;
        else node.store.erase(key);
      }
      push(now_ + options_.store_delay, index, Persisted{persist->ticket, {}});
    } else if (auto* program = std::get_if<Program>(&effect)) {
      for (ServiceChange& change : program->changes) {
        if (change.known) node.kernel[change.key] = std::move(change);
        else node.kernel.erase(change.key);
      }
    } else if (const auto* wake = std::get_if<Wake>(&effect)) {
      push(wake->at, index, TimerFired{}, ++node.wake_number);
    } else if (const auto* count = std::get_if<Count>(&effect)) {
      counters_[count->metric] += count->by;
      if (std::string_view(count->metric) != "lashup/deaths") continue;
      for (size_t other = 0; other < nodes_.size(); ++other) {
        const bool apart = !groups_.empty() && groups_[other] != groups_[index];
        if (!nodes_[other].core || apart) continue;
        const auto it = node.core->swim().members().find(nodes_[other].core->id());
        if (it != node.core->swim().members().end() && it->second.info.state == MemberState::Dead &&
            it->second.changed == now_)
          false_deaths_.push_back(fmt::format("host-{} held host-{} for dead", index, other));
      }
    }
  }
}

void World::run_for(base::Duration duration) {
  const base::Instant end = now_ + duration;
  while (!queue_.empty() && queue_.top().at <= end) step();
  now_ = end;
}

bool World::run_until(const std::function<bool()>& condition, base::Duration limit, base::Duration every) {
  const base::Instant end = now_ + limit;
  if (condition()) return true;
  base::Instant look = now_ + every;
  while (!queue_.empty() && queue_.top().at <= end) {
    const base::Instant before = now_;
    step();
    // Many events share a moment; the condition may be dear.
    if (now_ == before || now_ < look) continue;
    look = now_ + every;
    if (condition()) return true;
  }
  now_ = std::max(now_, end);
  return condition();
}

bool World::membership_is_true() const {
  for (const Node& node : nodes_) {
    if (!node.core) continue;
    size_t expected = 0;
    for (const Node& other : nodes_)
      if (other.core && &other != &node) ++expected;
    if (node.core->swim().alive() != expected) return false;
    for (const Node& other : nodes_)
      if (other.core && !node.core->swim().reachable(other.core->id())) return false;
  }
  return true;
}

std::string World::difference() const {
  const Node* first = nullptr;
  for (const Node& node : nodes_) {
    if (!node.core) continue;
    if (!first) {
      first = &node;
      continue;
    }
    const auto name = [&] { return node.core->swim().self().hostname + " and " + first->core->swim().self().hostname; };
    if (node.core->replica().digest() != first->core->replica().digest()) return name() + " differ in versions";
    if (node.core->records() != first->core->records()) return name() + " differ in names and addresses";
    const auto& a = node.core->replica().vips();
    const auto& b = first->core->replica().vips();
    if (a.size() != b.size()) return name() + " differ in services";
    for (auto x = a.begin(), y = b.begin(); x != a.end(); ++x, ++y) {
      if (x->first != y->first || x->second.size() != y->second.size())
        return name() + " differ in " + render(x->first);
      for (auto m = x->second.begin(), n = y->second.begin(); m != x->second.end(); ++m, ++n)
        if (m->first != n->first || !(*m->second == *n->second))
          return name() + " differ in an entry of " + render(x->first);
    }
    if (node.kernel != first->kernel) return name() + " forward differently";
  }
  return "";
}

uint64_t World::counted(const std::string& metric) const {
  const auto it = counters_.find(metric);
  return it == counters_.end() ? 0 : it->second;
}

}  // namespace l4lb::testing
