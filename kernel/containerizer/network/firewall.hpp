#pragma once

// Puts the rules of firewall_plan.hpp into the kernel. Blocks; thread-safe.

#include <memory>
#include <mutex>
#include <string>

#include "base/nft.hpp"
#include "kernel/containerizer/network/firewall_plan.hpp"

namespace containerizer::network {

class Firewall {
 public:
  Firewall(std::string table, Policy policy);

  /// Adds or replaces what is said of `key`. After an error the kernel has what it had.
  Status set(const std::string& key, FirewallEntry entry);
  Status remove(const std::string& key);
  bool has(const std::string& key) const;

  /// In place of whatever there is in the kernel under our name: these entries.
  Status rebuild(std::map<std::string, FirewallEntry> entries);

  size_t ports() const;

 private:
  Status run(const std::string& script);

  mutable std::mutex mutex_;
  FirewallPlan plan_;
  std::unique_ptr<base::Nft> nft_;  // made when first needed: most agents have no rules
};

}  // namespace containerizer::network
