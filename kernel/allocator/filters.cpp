#include <algorithm>

#include "kernel/allocator/state.hpp"

namespace allocator {
namespace {

// Filters of one client on one agent; a client that keeps refusing other shapes loses its oldest filter.
constexpr size_t kMaxPerClient = 16;

struct ByClient {
  bool operator()(const Filter& filter, uint32_t client) const { return filter.client < client; }
  bool operator()(uint32_t client, const Filter& filter) const { return client < filter.client; }
};

auto filters_of(std::vector<Filter>& filters, uint32_t client) {
  return std::equal_range(filters.begin(), filters.end(), client, ByClient());
}

}  // namespace

void Allocator::Impl::add_filter(Agent& agent, Client& client, Resources refused, base::Instant expires) {
  auto [begin, end] = filters_of(agent.filters, client.index);
  // A filter that the new one makes pointless goes.
  for (auto at = begin; at != end;) {
    if (at->expires <= expires && refused.contains(*at->refused)) {
      at = agent.filters.erase(at);
      --client.filters;
      --live_filters;
    } else {
      ++at;
    }
    std::tie(begin, end) = filters_of(agent.filters, client.index);
  }
  if (static_cast<size_t>(end - begin) >= kMaxPerClient) {
    agent.filters.erase(begin);
    agent.refused.reset(client.index);
    --client.filters;
    --live_filters;
  }
  // Frameworks refuse the same offer one after the other: they share its resources.
  std::shared_ptr<const Resources> shared;
  if (!agent.filters.empty() && *agent.filters.back().refused == refused) {
    shared = agent.filters.back().refused;
  } else {
    shared = std::make_shared<const Resources>(std::move(refused));
  }
  const Filter filter{next_filter++, client.index, expires, std::move(shared)};
  agent.filters.insert(std::upper_bound(agent.filters.begin(), agent.filters.end(), client.index, ByClient()), filter);
  agent.filtered.set(client.index);
  ++client.filters;
  ++live_filters;
  expiries.push({expires, filter.id, agent.index});
}

void Allocator::Impl::remove_filters(Client& client) {
  if (client.filters == 0) return;
  for (auto& agent : agents) {
    if (!agent || !agent->filtered.test(client.index)) continue;
    auto [begin, end] = filters_of(agent->filters, client.index);
    live_filters -= static_cast<size_t>(end - begin);
    agent->filters.erase(begin, end);
    agent->filtered.reset(client.index);
    agent->refused.reset(client.index);
  }
  client.filters = 0;
  touch(client);
}

void Allocator::Impl::clear_filters(Agent& agent) {
  for (const Filter& filter : agent.filters) --clients[filter.client]->filters;
  live_filters -= agent.filters.size();
  agent.filters.clear();
  agent.filtered.clear();
  agent.refused.clear();
  touch(agent);
}

void Allocator::Impl::forget_refused(const Client& client) {
  for (auto& agent : agents) {
    if (agent) agent->refused.reset(client.index);
  }
}

void Allocator::Impl::expire_filters(base::Instant now) {
  while (!expiries.empty() && expiries.top().at <= now) {
    const Expiry expiry = expiries.top();
    expiries.pop();
    Agent* agent = agents[expiry.agent].get();
    if (!agent) continue;
    auto at = std::find_if(agent->filters.begin(), agent->filters.end(),
                           [&](const Filter& filter) { return filter.id == expiry.filter; });
    if (at == agent->filters.end()) continue;  // removed meanwhile
    Client& client = *clients[at->client];
    agent->filters.erase(at);
    --client.filters;
    --live_filters;
    auto [begin, end] = filters_of(agent->filters, client.index);
    if (begin == end) agent->filtered.reset(client.index);
    agent->refused.reset(client.index);
    touch(*agent);
  }
  // Filters that were removed early leave their expiry behind; long ones would pile up.
  if (expiries.size() > 2 * live_filters + 1024) {
    std::vector<Expiry> live;
    live.reserve(live_filters);
    for (const auto& agent : agents) {
      if (!agent) continue;
      for (const Filter& filter : agent->filters) live.push_back({filter.expires, filter.id, agent->index});
    }
    expiries = decltype(expiries)(std::greater<>(), std::move(live));
  }
}

/// For all filters of the agent at once: which refuse everything that is available? Most share their resources.
void Allocator::Impl::find_refused(Agent& agent) {
  if (agent.refused_known || agent.shares) return;
  agent.refused_known = true;
  const Resources* last = nullptr;
  bool refuses = false;
  for (const Filter& filter : agent.filters) {
    if (filter.refused.get() != last) {
      last = filter.refused.get();
      refuses = last->contains(agent.available);
    }
    if (refuses) agent.refused.set(filter.client);
  }
}

bool Allocator::Impl::filter_refuses(Agent& agent, const Client& client, const Resources& offer) const {
  if (!agent.filtered.test(client.index)) return false;
  auto [begin, end] = filters_of(agent.filters, client.index);
  return std::any_of(begin, end, [&](const Filter& filter) { return filter.refused->contains(offer); });
}

}  // namespace allocator
