#include "base/check.hpp"
#include "kernel/allocator/state.hpp"

namespace allocator {

Framework& Allocator::Impl::ensure_framework(const std::string& id) {
  auto& slot = frameworks[id];
  if (!slot) {
    slot = std::make_unique<Framework>();
    slot->id = id;
  }
  return *slot;
}

Framework* Allocator::Impl::find_framework(const std::string& id) {
  auto found = frameworks.find(id);
  return found == frameworks.end() ? nullptr : found->second.get();
}

Client& Allocator::Impl::ensure_client(Framework& framework, const std::string& role) {
  auto [slot, inserted] = framework.clients.emplace(role, nullptr);
  if (!inserted) return *slot->second;
  auto owned = std::make_unique<Client>();
  Client& client = *owned;
  client.framework = &framework;
  client.role = &tree.ensure(role);
  if (free_clients.empty()) {
    client.index = static_cast<uint32_t>(clients.size());
    clients.push_back(&client);
  } else {
    client.index = free_clients.back();
    free_clients.pop_back();
    clients[client.index] = &client;
  }
  client.role->clients.push_back(std::move(owned));
  slot->second = &client;
  return client;
}

void Allocator::Impl::remove_client(Client& client) {
  remove_filters(client);
  if (client.minimum) --minimum_overrides;
  clients[client.index] = nullptr;
  free_clients.push_back(client.index);
  client.framework->clients.erase(client.role->path);
  tree.remove(client);
}

void Allocator::Impl::touch(Client& client) {
  if (client.dirty) return;
  client.dirty = true;
  dirty_clients.push_back(client.index);
}

void Allocator::Impl::settle(Client& client) {
  const bool wanted = client.framework->active && client.subscribed && !client.suppressed;
  if (wanted == client.active) return;
  if (wanted) {
    tree.activate(client);
    touch(client);
  } else {
    tree.deactivate(client);
  }
}

void Allocator::Impl::configure(Framework& framework, const FrameworkConfig& config) {
  const bool capabilities_changed = !(framework.config.capabilities == config.capabilities);
  const bool constraints_changed = framework.config.constraints != config.constraints;
  framework.config = config;
  for (const std::string& role : config.roles) ensure_client(framework, role);
  std::vector<Client*> idle;
  for (auto& [role, client] : framework.clients) {
    const bool subscribed = config.roles.contains(role), suppressed = config.suppressed_roles.contains(role);
    if ((client->subscribed && !subscribed) || (client->suppressed && !suppressed)) remove_filters(*client);
    client->subscribed = subscribed;
    client->suppressed = suppressed;
    auto minimum = framework.config.min_allocatable.find(role);
    const bool overridden = subscribed && minimum != framework.config.min_allocatable.end();
    if (overridden != (client->minimum != nullptr)) {
      minimum_overrides += overridden ? 1 : size_t(-1);
      tree.resort();
    }
    client->minimum = overridden ? &minimum->second : nullptr;
    if (capabilities_changed || constraints_changed || overridden) {
      forget_refused(*client);
      touch(*client);
    }
    settle(*client);
    if (!subscribed && client->holdings == 0) idle.push_back(client);
  }
  for (Client* client : idle) remove_client(*client);
}

void Allocator::add_framework(const std::string& id, const FrameworkConfig& config, bool active) {
  Framework& framework = impl_->ensure_framework(id);
  framework.known = true;
  framework.active = active;
  impl_->configure(framework, config);
}

void Allocator::update_framework(const std::string& id, const FrameworkConfig& config) {
  if (Framework* framework = impl_->find_framework(id)) impl_->configure(*framework, config);
}

void Allocator::remove_framework(const std::string& id) {
  Framework* framework = impl_->find_framework(id);
  if (!framework) return;
  for (auto& agent : impl_->agents) {
    if (!agent) continue;
    const Resources held = impl_->held(*agent, *framework);
    if (!held.empty()) impl_->release(*agent, *framework, held);
  }
  while (!framework->clients.empty()) impl_->remove_client(*framework->clients.begin()->second);
  impl_->frameworks.erase(id);
}

void Allocator::activate_framework(const std::string& id) {
  Framework* framework = impl_->find_framework(id);
  if (!framework) return;
  framework->active = true;
  for (auto& [role, client] : framework->clients) impl_->settle(*client);
}

void Allocator::deactivate_framework(const std::string& id) {
  Framework* framework = impl_->find_framework(id);
  if (!framework) return;
  framework->active = false;
  for (auto& [role, client] : framework->clients) {
    impl_->remove_filters(*client);
    impl_->settle(*client);
  }
}

void Allocator::revive(const std::string& id, const std::set<std::string>& roles) {
  Framework* framework = impl_->find_framework(id);
  if (!framework) return;
  for (auto& [role, client] : framework->clients) {
    if (!client->subscribed || (!roles.empty() && !roles.contains(role))) continue;
    impl_->remove_filters(*client);
    client->suppressed = false;
    framework->config.suppressed_roles.erase(role);
    impl_->settle(*client);
    impl_->touch(*client);
  }
}

void Allocator::suppress(const std::string& id, const std::set<std::string>& roles) {
  Framework* framework = impl_->find_framework(id);
  if (!framework) return;
  for (auto& [role, client] : framework->clients) {
    if (!client->subscribed || (!roles.empty() && !roles.contains(role))) continue;
    client->suppressed = true;
    framework->config.suppressed_roles.insert(role);
    impl_->settle(*client);
  }
}

}  // namespace allocator
