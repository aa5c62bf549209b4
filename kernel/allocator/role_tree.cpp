#include "kernel/allocator/role_tree.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "base/testing/planted.hpp"
#include "kernel/allocator/state.hpp"

namespace allocator {
namespace {

// Deeper paths hang below the last level as one name, so that hostile role names cannot make the tree deep.
constexpr size_t kMaxDepth = 64;

bool less(const ClientEntry& a, const ClientEntry& b) {
  if (a.share != b.share) return a.share < b.share;
  if (a.count != b.count) return a.count < b.count;
  return a.client != b.client && a.client->framework->id < b.client->framework->id;
}

bool less(const RoleEntry& a, const RoleEntry& b) {
  if (a.share != b.share) return a.share < b.share;
  if (a.count != b.count) return a.count < b.count;
  if (a.self != b.self) return a.self;
  return a.role != b.role && a.role->path < b.role->path;
}

constexpr auto kLess = [](const auto& a, const auto& b) { return less(a, b); };

template <class Entry>
void insert_sorted(std::vector<Entry>& list, const Entry& entry) {
  list.insert(std::lower_bound(list.begin(), list.end(), entry, kLess), entry);
}

template <class Entry>
void erase_sorted(std::vector<Entry>& list, const Entry& entry) {
  auto at = std::lower_bound(list.begin(), list.end(), entry, kLess);
  CHECK(at != list.end() && !less(entry, *at));
  list.erase(at);
}

template <class Entry>
void move_sorted(std::vector<Entry>& list, const Entry& from, const Entry& to) {
  auto at = std::lower_bound(list.begin(), list.end(), from, kLess);
  CHECK(at != list.end() && !less(from, *at));
  if (less(from, to)) {
    auto end = std::lower_bound(at + 1, list.end(), to, kLess);
    std::move(at + 1, end, at);
    *(end - 1) = to;
  } else {
    auto begin = std::lower_bound(list.begin(), at, to, kLess);
    std::move_backward(begin, at, at + 1);
    *begin = to;
  }
}

ClientEntry entry_of(Client& client) { return {client.share, client.count, &client}; }
RoleEntry entry_of(Role& role) { return {role.share, role.count, &role, false}; }
RoleEntry self_entry_of(Role& role) { return {role.own_share, role.own_count, &role, true}; }

}  // namespace

RoleTree::RoleTree(ScalarNames& names, const Options& options) : names_(names), options_(options) {}

Role* RoleTree::find(std::string_view path) {
  auto found = roles_.find(path);
  return found == roles_.end() ? nullptr : found->second.get();
}

const Role* RoleTree::find(std::string_view path) const {
  auto found = roles_.find(path);
  return found == roles_.end() ? nullptr : found->second.get();
}

Role& RoleTree::ensure(std::string_view path) {
  if (Role* known = find(path)) return *known;
  Role* parent = &root_;
  size_t depth = 1;
  for (size_t slash = path.find('/'); slash != std::string_view::npos; slash = path.find('/', slash + 1)) {
    if (depth++ >= kMaxDepth) break;
    parent = &ensure(path.substr(0, slash));
  }
  auto role = std::make_unique<Role>();
  role->path = std::string(path);
  role->name = resources::Name(path);
  role->parent = parent;
  role->hierarchical = path.find('/') != std::string_view::npos;
  role->limits_above = parent->limits_above;
  ++parent->children;
  return *roles_.emplace(role->path, std::move(role)).first->second;
}

void RoleTree::prune(Role& role) {
  Role* at = &role;
  while (at != &root_ && at->clients.empty() && at->children == 0 && !at->weight_set && !at->quota &&
         at->reservations == 0) {
    if (at->unmet_stale) required();
    Role* parent = at->parent;
    --parent->children;
    roles_.erase(roles_.find(at->path));
    at = parent;
  }
}

void RoleTree::insert(Role& parent, const RoleEntry& entry, bool parked) {
  insert_sorted(parked ? parent.parked : parent.child_order, entry);
}

void RoleTree::erase(Role& parent, const RoleEntry& entry, bool parked) {
  erase_sorted(parked ? parent.parked : parent.child_order, entry);
}

void RoleTree::activate(Client& client) {
  if (client.active) return;
  client.active = true;
  Role& role = *client.role;
  client.share = share_of(client.allocated);
  client.count = client.new_count;
  if (role.order.empty()) insert(role, self_entry_of(role), false);
  insert_sorted(role.order, entry_of(client));
  for (Role* at = &role; at != &root_; at = at->parent) {
    if (at->active_below++ > 0) continue;
    // A role that was out of the order comes in with what it holds by now.
    at->share = share_of(at->allocated) / at->weight;
    at->count = at->new_count;
    at->is_parked = at_limit(*at);
    insert(*at->parent, entry_of(*at), at->is_parked);
  }
  if (!client.stale) {
    client.stale = true;
    stale_.push_back(&client);
  }
}

void RoleTree::deactivate(Client& client) {
  if (!client.active) return;
  client.active = false;
  Role& role = *client.role;
  erase_sorted(role.order, entry_of(client));
  if (role.order.empty()) erase(role, self_entry_of(role), false);
  for (Role* at = &role; at != &root_; at = at->parent) {
    if (--at->active_below == 0) erase(*at->parent, entry_of(*at), at->is_parked);
  }
  if (client.stale) {
    client.stale = false;
    std::erase(stale_, &client);
  }
}

void RoleTree::remove(Client& client) {
  deactivate(client);
  if (client.stale) std::erase(stale_, &client);
  Role& role = *client.role;
  std::erase_if(role.clients, [&](const auto& other) { return other.get() == &client; });
  prune(role);
}

void RoleTree::allocated(Client& client, const Amounts& amounts, bool counts) {
  client.allocated += amounts;
  client.new_count += counts;
  client.role->own_allocated += amounts;
  client.role->new_own_count += counts;
  for (Role* at = client.role; at != &root_; at = at->parent) {
    at->allocated += amounts;
    at->new_count += counts;
  }
  if (!client.stale) {
    client.stale = true;
    stale_.push_back(&client);
  }
}

void RoleTree::released(Client& client, const Amounts& amounts) {
  client.allocated -= amounts;
  client.role->own_allocated -= amounts;
  for (Role* at = client.role; at != &root_; at = at->parent) at->allocated -= amounts;
  if (!client.stale) {
    client.stale = true;
    stale_.push_back(&client);
  }
}

void RoleTree::quota_changes(Role& role) {
  Role* top = &role;
  while (top->parent != &root_) top = top->parent;
  if (top->unmet_stale) return;
  top->unmet_stale = true;
  stale_tops_.push_back(top);
}

void RoleTree::consume(Role& role, const Amounts& amounts) {
  Role* top = &role;
  for (Role* at = &role; at != &root_; at = at->parent) {
    at->consumed += amounts;
    top = at;
  }
  if (top->quota_below > 0) quota_changes(*top);
}

void RoleTree::unconsume(Role& role, const Amounts& amounts) {
  Role* top = &role;
  for (Role* at = &role; at != &root_; at = at->parent) {
    at->consumed -= amounts;
    top = at;
  }
  if (top->quota_below > 0) quota_changes(*top);
}

const Amounts& RoleTree::required() {
  for (Role* top : stale_tops_) {
    top->unmet_stale = false;
    required_ -= top->unmet;
    top->unmet = unmet(*top);
    required_ += top->unmet;
    if (top->unmet.any_positive()) {
      unmet_tops_.emplace(top->path, top);
    } else {
      unmet_tops_.erase(top->path);
    }
  }
  stale_tops_.clear();
  return required_;
}

void RoleTree::count_limits(Role& role) {
  role.limits_above = role.parent->limits_above + (role.limits.empty() ? 0 : 1);
  const std::string prefix = role.path + "/";
  // Sorted by path, so a parent comes before its children.
  for (auto at = roles_.lower_bound(prefix); at != roles_.end() && at->first.starts_with(prefix); ++at) {
    Role& below = *at->second;
    below.limits_above = below.parent->limits_above + (below.limits.empty() ? 0 : 1);
  }
}

double RoleTree::share_of(const Amounts& amounts) const {
  if (base::planted("allocator/ignores-shares")) return 0;
  double share = 0;
  for (size_t i = 0; i < amounts.size(); ++i) {
    const Scalar total = total_.get(i), mine = amounts.get(i);
    if (!mine.positive() || !total.positive()) continue;
    if (!options_.fair_sharing_excluded.empty() && options_.fair_sharing_excluded.contains(names_.name(i))) continue;
    share = std::max(share, static_cast<double>(mine.thousandths()) / static_cast<double>(total.thousandths()));
  }
  return share;
}

void RoleTree::place(Client& client) {
  const ClientEntry from = entry_of(client);
  client.share = share_of(client.allocated);
  client.count = client.new_count;
  if (client.active) move_sorted(client.role->order, from, entry_of(client));
}

void RoleTree::place(Role& role) {
  const RoleEntry from = entry_of(role);
  const bool was_parked = role.is_parked;
  role.share = share_of(role.allocated) / role.weight;
  role.count = role.new_count;
  role.is_parked = at_limit(role);
  if (role.active_below == 0) return;
  if (was_parked == role.is_parked) {
    move_sorted(was_parked ? role.parent->parked : role.parent->child_order, from, entry_of(role));
  } else {
    erase(*role.parent, from, was_parked);
    insert(*role.parent, entry_of(role), role.is_parked);
  }
}

void RoleTree::refresh() {
  if (resort_) {
    resort_all();
    return;
  }
  for (Client* client : stale_) {
    client->stale = false;
    place(*client);
    Role& role = *client->role;
    const RoleEntry from = self_entry_of(role);
    role.own_share = share_of(role.own_allocated);
    role.own_count = role.new_own_count;
    if (!role.order.empty()) move_sorted(role.child_order, from, self_entry_of(role));
    for (Role* at = &role; at != &root_; at = at->parent) place(*at);
  }
  stale_.clear();
}

void RoleTree::resort_all() {
  resort_ = false;
  for (Client* client : stale_) client->stale = false;
  stale_.clear();
  root_.child_order.clear();
  root_.parked.clear();
  for (auto& [path, owned] : roles_) {
    Role& role = *owned;
    role.child_order.clear();
    role.parked.clear();
    role.share = share_of(role.allocated) / role.weight;
    role.count = role.new_count;
    role.own_share = share_of(role.own_allocated);
    role.own_count = role.new_own_count;
    role.is_parked = at_limit(role);
    for (ClientEntry& entry : role.order) {
      entry.client->share = entry.share = share_of(entry.client->allocated);
      entry.client->count = entry.count = entry.client->new_count;
    }
    if (!std::is_sorted(role.order.begin(), role.order.end(), kLess)) {
      std::sort(role.order.begin(), role.order.end(), kLess);
    }
    for (auto& client : role.clients) {
      if (client->active) continue;
      client->share = share_of(client->allocated);
      client->count = client->new_count;
    }
  }
  for (auto& [path, owned] : roles_) {
    Role& role = *owned;
    if (role.active_below == 0) continue;
    if (!role.order.empty()) role.child_order.push_back(self_entry_of(role));
    (role.is_parked ? role.parent->parked : role.parent->child_order).push_back(entry_of(role));
  }
  const auto sort = [](Role& role) {
    std::sort(role.child_order.begin(), role.child_order.end(), kLess);
    std::sort(role.parked.begin(), role.parked.end(), kLess);
  };
  sort(root_);
  for (auto& [path, role] : roles_) {
    if (role->active_below > 0) sort(*role);
  }
}

bool RoleTree::before(const Role& a, const Role& b) {
  if (&a == &b) return false;
  // Compare where the two paths from the root part.
  const auto depth = [](const Role* role) {
    size_t out = 0;
    for (; role->parent; role = role->parent) ++out;
    return out;
  };
  const Role *x = &a, *y = &b;
  size_t dx = depth(x), dy = depth(y);
  const Role *below_x = nullptr, *below_y = nullptr;
  for (; dx > dy; --dx) below_x = std::exchange(x, x->parent);
  for (; dy > dx; --dy) below_y = std::exchange(y, y->parent);
  while (x != y) {
    below_x = std::exchange(x, x->parent);
    below_y = std::exchange(y, y->parent);
  }
  const auto entry = [](const Role* parent, const Role* below) {
    return below ? RoleEntry{below->share, below->count, const_cast<Role*>(below), false}
                 : RoleEntry{parent->own_share, parent->own_count, const_cast<Role*>(parent), true};
  };
  return less(entry(x, below_x), entry(y, below_y));
}

bool RoleTree::before(const Client& a, const Client& b) {
  if (a.role != b.role) return before(*a.role, *b.role);
  return less(ClientEntry{a.share, a.count, const_cast<Client*>(&a)},
              ClientEntry{b.share, b.count, const_cast<Client*>(&b)});
}

std::optional<Scalar> RoleTree::limit_left(const Role& role, size_t name) {
  std::optional<Scalar> left;
  if (role.limits_above == 0) return left;
  for (const Role* at = &role; at->parent; at = at->parent) {
    for (const auto& [index, limit] : at->limits) {
      if (index != name) continue;
      const Scalar here = std::max(Scalar(), limit - at->consumed.get(name));
      if (!left || here < *left) left = here;
    }
  }
  return left;
}

bool RoleTree::at_limit(const Role& role) const {
  if (role.limits.empty() || options_.min_allocatable.empty()) return false;
  for (const auto& client : role.clients) {
    if (client->minimum) return false;
  }
  if (role.children > 0) return false;  // children may have minima of their own
  for (const ResourceQuantities& minimum : options_.min_allocatable) {
    bool possible = true;
    for (const auto& [name, amount] : minimum.list()) {
      for (const auto& [index, limit] : role.limits) {
        if (names_.name(index) == name && limit - role.consumed.get(index) < amount) possible = false;
      }
    }
    if (possible) return false;
  }
  return true;
}

Amounts RoleTree::unmet(const Role& role) const {
  Amounts out;
  if (role.quota_below == 0) return out;
  if (role.quota_below > (role.quota ? 1u : 0u)) {
    for (auto at = roles_.upper_bound(role.path + "/"); at != roles_.end() && at->first.starts_with(role.path + "/");
         ++at) {
      if (at->second->parent == &role) out += unmet(*at->second);
    }
  }
  for (const auto& [index, guarantee] : role.guarantees) {
    out.set(index, std::max(out.get(index), guarantee - role.consumed.get(index)));
  }
  return out;
}

}  // namespace allocator
