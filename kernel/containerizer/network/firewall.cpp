#include "kernel/containerizer/network/firewall.hpp"

namespace containerizer::network {

Firewall::Firewall(std::string table, Policy policy) : plan_(std::move(table), std::move(policy)) {}

Status Firewall::run(const std::string& script) {
  if (script.empty()) return {};
  if (!nft_) nft_ = std::make_unique<base::Nft>();
  auto done = nft_->run(script);
  if (!done) return done.error();
  return {};
}

Status Firewall::set(const std::string& key, FirewallEntry entry) {
  const std::lock_guard lock(mutex_);
  if (run(plan_.set(key, std::move(entry)))) return {};
  // Somebody took our table away, or left something in it: all of it anew.
  Status done = run(plan_.full());
  if (!done) {
    (void)plan_.remove(key);
    (void)run(plan_.full());
  }
  return done;
}

Status Firewall::remove(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const std::string script = plan_.remove(key);
  if (run(script)) return {};
  return run(plan_.full());
}

bool Firewall::has(const std::string& key) const {
  const std::lock_guard lock(mutex_);
  return plan_.entries().contains(key);
}

Status Firewall::rebuild(std::map<std::string, FirewallEntry> entries) {
  const std::lock_guard lock(mutex_);
  plan_.forget_all();
  for (auto& [key, entry] : entries) (void)plan_.set(key, std::move(entry));
  return run(plan_.full());
}

size_t Firewall::ports() const {
  const std::lock_guard lock(mutex_);
  return plan_.ports();
}

}  // namespace containerizer::network
