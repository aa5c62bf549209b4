#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "kernel/allocator/state.hpp"

// One run: agents in random order; for each, roles and frameworks by the sorters; the first that may have the agent's
// remainder is offered it. With guarantees, a first stage serves the roles that lack something.

namespace allocator {

using resources::Resource;

namespace {

enum class Step { Next, NextRole, Stop };

// Few enough to be sorted among themselves instead of walking everyone in order.
constexpr size_t kFewClients = 16;

template <class Entry, class Weight>
void weighted_shuffle(std::vector<Entry>& entries, base::Random& random, const Weight& weight) {
  std::vector<std::pair<double, Entry>> keyed;
  for (const Entry& entry : entries) keyed.emplace_back(-std::log(1.0 - random.unit()) / weight(entry), entry);
  std::stable_sort(keyed.begin(), keyed.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < keyed.size(); ++i) entries[i] = keyed[i].second;
}

/// Visits active clients in order until told to stop. The order must not change meanwhile.
template <class Visit>
class Walk {
 public:
  Walk(const Options& options, base::Random& random, bool with_parked, Visit& visit)
      : options_(options), random_(random), with_parked_(with_parked), visit_(visit) {}

  bool children(Role& role) {
    const bool random = options_.role_sorter == Options::Sorter::Random;
    if (!random && (!with_parked_ || role.parked.empty())) return entries(role, role.child_order);
    std::vector<RoleEntry> list = role.child_order;
    if (with_parked_) {
      const auto middle = static_cast<std::ptrdiff_t>(list.size());
      list.insert(list.end(), role.parked.begin(), role.parked.end());
      std::inplace_merge(list.begin(), list.begin() + middle, list.end(), [](const RoleEntry& a, const RoleEntry& b) {
        if (a.share != b.share) return a.share < b.share;
        if (a.count != b.count) return a.count < b.count;
        if (a.self != b.self) return a.self;
        return a.role->path < b.role->path;
      });
    }
    if (random) weighted_shuffle(list, random_, [](const RoleEntry& e) { return e.self ? 1.0 : e.role->weight; });
    return entries(role, list);
  }

  bool clients(Role& role) {
    if (options_.framework_sorter == Options::Sorter::Drf) return visit_all(role.order);
    std::vector<ClientEntry> list = role.order;
    random_.shuffle(list);
    return visit_all(list);
  }

 private:
  bool entries(Role& role, const std::vector<RoleEntry>& list) {
    for (const RoleEntry& entry : list) {
      if (!(entry.self ? clients(role) : node(*entry.role))) return false;
    }
    return true;
  }

  bool node(Role& role) {
    const bool only_clients = role.children == 0;
    return only_clients ? clients(role) : children(role);
  }

  bool visit_all(const std::vector<ClientEntry>& list) {
    for (const ClientEntry& entry : list) {
      switch (visit_(*entry.client)) {
        case Step::Next: break;
        case Step::NextRole: return true;
        case Step::Stop: return false;
      }
    }
    return true;
  }

  const Options& options_;
  base::Random& random_;
  bool with_parked_;
  Visit& visit_;
};

}  // namespace

/// The state of one run.
class Run {
 public:
  using Stage = Allocator::Impl::Stage;

  explicit Run(Allocator::Impl& state) : s_(state) {}

  std::vector<Offer> execute() {
    s_.tree.refresh();
    collect();
    if (candidates_.empty()) {
      finish();
      return {};
    }
    s_.prepare_headroom();
    s_.headroom_bound = false;
    guarantees_ = s_.required.any_positive();
    if (guarantees_) {
      s_.random.shuffle(candidates_);
      serve_guarantees();
    }
    s_.random.shuffle(candidates_);
    for (Agent* agent : candidates_) serve(*agent);
    finish();
    return std::move(offers_);
  }

 private:
  bool usable(const Agent& agent) const { return agent.active && agent.listed && !agent.available.empty(); }

  void collect() {
    for (uint32_t index : s_.dirty_clients) {
      Client* client = s_.clients[index];
      if (client && client->dirty && client->active) hungry_.push_back(client);
    }
    if (s_.all_dirty || !hungry_.empty()) {
      for (const auto& agent : s_.agents) {
        if (agent && usable(*agent)) candidates_.push_back(agent.get());
      }
    } else {
      std::sort(s_.dirty_agents.begin(), s_.dirty_agents.end());
      for (uint32_t index : s_.dirty_agents) {
        Agent* agent = s_.agents[index].get();
        if (agent && usable(*agent)) candidates_.push_back(agent);
      }
    }
    std::sort(hungry_.begin(), hungry_.end(), [](Client* a, Client* b) { return RoleTree::before(*a, *b); });
  }

  void finish() {
    for (uint32_t index : s_.dirty_agents) {
      if (s_.agents[index]) s_.agents[index]->dirty = false;
    }
    for (uint32_t index : s_.dirty_clients) {
      if (s_.clients[index]) s_.clients[index]->dirty = false;
    }
    s_.dirty_agents.clear();
    s_.dirty_clients.clear();
    s_.all_dirty = false;
    for (Agent* agent : shared_offered_) agent->offered_shared.clear();
  }

  bool everyone(const Agent& agent) const { return s_.all_dirty || agent.dirty; }

  void serve(Agent& agent) {
    if (!s_.worth_asking(agent, Stage::Surplus)) return;
    s_.find_refused(agent);
    bool offered = false;
    const bool all = everyone(agent);
    auto visit = [&](Client& client) {
      if ((!all && !client.dirty) || agent.refused.test(client.index)) return Step::Next;
      if (!ask(agent, client, Stage::Surplus)) return Step::Next;
      offered = true;
      return s_.worth_asking(agent, Stage::Surplus) ? Step::Next : Step::Stop;
    };
    const bool drf = s_.options.role_sorter == Options::Sorter::Drf && s_.options.framework_sorter == Options::Sorter::Drf;
    if (!all && hungry_.size() <= kFewClients && drf) {
      for (Client* client : hungry_) {
        if (visit(*client) == Step::Stop) break;
      }
    } else {
      Walk<decltype(visit)>(s_.options, s_.random, !agent.plain, visit).children(s_.tree.root());
    }
    if (!offered) return;
    s_.tree.refresh();
    if (hungry_.size() > 1 && hungry_.size() <= kFewClients) {
      std::sort(hungry_.begin(), hungry_.end(), [](Client* a, Client* b) { return RoleTree::before(*a, *b); });
    }
  }

  static bool lacks(const Allocator::Impl& s, const Role& role) { return s.unmet_chain(role).any_positive(); }

  void serve_guarantees() {
    const auto before = [](const Role* a, const Role* b) { return RoleTree::before(*a, *b); };
    std::vector<Role*> needy;
    bool flat = true;
    s_.tree.for_each_below_unmet([&](Role& role) {
      if (role.order.empty() || !lacks(s_, role)) return;
      needy.push_back(&role);
      flat &= role.parent->parent == nullptr && role.children == 0;
    });
    std::sort(needy.begin(), needy.end(), before);
    const bool random = s_.options.role_sorter == Options::Sorter::Random;
    for (Agent* agent : candidates_) {
      if (needy.empty()) break;
      if (!s_.worth_asking(*agent, Stage::Guarantees)) continue;
      if (random) weighted_shuffle(needy, s_.random, [](const Role* role) { return role->weight; });
      std::vector<Role*> served = serve_needy(*agent, needy);
      if (served.empty()) continue;
      // Take out who was served before the order changes; who still lacks something comes back in its new place.
      if (!random && flat) {
        std::erase_if(needy, [&](Role* role) { return std::find(served.begin(), served.end(), role) != served.end(); });
        s_.tree.refresh();
        for (Role* role : served) {
          if (lacks(s_, *role)) needy.insert(std::lower_bound(needy.begin(), needy.end(), role, before), role);
        }
      } else {
        s_.tree.refresh();
        std::erase_if(needy, [&](Role* role) { return !lacks(s_, *role); });
        std::sort(needy.begin(), needy.end(), before);
      }
    }
  }

  std::vector<Role*> serve_needy(Agent& agent, const std::vector<Role*>& needy) {
    std::vector<Role*> served;
    bool done = false;
    s_.find_refused(agent);
    for (Role* role : needy) {
      bool got = false;
      auto visit = [&](Client& client) {
        if ((!everyone(agent) && !client.dirty) || agent.refused.test(client.index)) return Step::Next;
        if (!ask(agent, client, Stage::Guarantees)) return Step::Next;
        got = true;
        done = !s_.worth_asking(agent, Stage::Guarantees);
        return done ? Step::Stop : (lacks(s_, *role) ? Step::Next : Step::NextRole);
      };
      Walk<decltype(visit)>(s_.options, s_.random, false, visit).clients(*role);
      if (got) served.push_back(role);
      if (done) break;
    }
    return served;
  }

  /// Makes the offer if it may be made.
  bool ask(Agent& agent, Client& client, Stage stage) {
    Resources offer;
    if (s_.consider(agent, client, stage, offer) != Verdict::Offer) return false;
    if (agent.shares) {
      agent.offered_shared += offer.shared();
      shared_offered_.push_back(&agent);
    }
    Resources allocated = offer;
    allocated.allocate(client.role->name);
    s_.hold(agent, client, allocated);
    agent.available -= agent.shares ? offer.non_shared() : offer;
    s_.available_changed(agent);
    if (s_.roles_with_quota > 0) {
      s_.prepare_headroom();
    }
    record(agent, client, std::move(allocated));
    return true;
  }

  void record(Agent& agent, Client& client, Resources resources) {
    if (guarantees_) {
      // Both stages may offer the same agent to the same framework: one offer then.
      const uint64_t key = uint64_t{agent.index} << 32 | client.index;
      auto [at, fresh] = offer_index_.emplace(key, offers_.size());
      if (!fresh) {
        offers_[at->second].resources += resources;
        return;
      }
    }
    offers_.push_back({client.framework->id, client.role->path, agent.id, std::move(resources)});
  }

  Allocator::Impl& s_;
  std::vector<Agent*> candidates_;
  std::vector<Client*> hungry_;  // dirty clients, in order
  std::vector<Agent*> shared_offered_;
  std::vector<Offer> offers_;
  std::unordered_map<uint64_t, size_t> offer_index_;
  bool guarantees_ = false;
};

std::vector<Offer> Allocator::Impl::run(base::Instant now) {
  expire_filters(now);
  if (!has_work()) return {};
  return Run(*this).execute();
}

}  // namespace allocator
