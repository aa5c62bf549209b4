#include "tests/sim/world.hpp"

#include <fmt/format.h>

#include <cstdio>

namespace sim {

namespace {
// The wall clock of every run starts here: 2020-01-01T00:00:00Z less the first hour of the
// monotonic clock.
constexpr base::Duration kEpoch = base::seconds(1'577'836'800 - 3600);
}  // namespace

World::World(uint64_t seed, bool print) : random_(seed), print_(print) {}

base::Now World::now() const {
  return {instant_, base::Time{kEpoch + instant_.since_start}};
}

void World::after(Node& node, base::Duration delay, std::function<void()> call) {
  queue_.push({instant_ + delay, sequence_++, &node, node.epoch, std::move(call)});
}

void World::after(base::Duration delay, std::function<void()> call) {
  queue_.push({instant_ + delay, sequence_++, nullptr, 0, std::move(call)});
}

bool World::step() {
  if (queue_.empty()) return false;
  // top() is const only to protect the order, which a moved-from function does not change.
  Scheduled next = std::move(const_cast<Scheduled&>(queue_.top()));
  queue_.pop();
  CHECK(next.at >= instant_);
  instant_ = next.at;
  if (next.node != nullptr && next.node->frozen_until > instant_) {
    next.at = next.node->frozen_until;
    next.sequence = sequence_++;
    queue_.push(std::move(next));
    return true;
  }
  ++events_;
  if (next.node == nullptr || (next.node->alive && next.node->epoch == next.epoch)) next.call();
  return true;
}

void World::run_for(base::Duration duration) {
  const base::Instant end = instant_ + duration;
  while (!queue_.empty() && queue_.top().at <= end) step();
  instant_ = end;
}

std::string World::line(std::string_view who, std::string_view what) const {
  return fmt::format(
      "{:.6f} {} {}", std::chrono::duration<double>(instant_.since_start - base::hours(1)).count(),
      who, what);
}

void World::trace(std::string_view who, std::string_view what) {
  const std::string text = line(who, what);
  for (const char c : text) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 1099511628211u;
  if (print_) fmt::print("{}\n", text);
}

void World::note(std::string_view who, std::string_view what) const {
  if (print_) fmt::print("{}\n", line(who, what));
}

void World::fail(const std::string& what) {
  trace("CHECKER", what);
  if (failures_.size() < 20) failures_.push_back(what);
}

}  // namespace sim
