#pragma once

// The kernel's rules as text (pure): one table, four maps from (address, protocol, port, slot) to backends, a few
// chains. A new connection draws a random slot; a backend owns as many slots as its weight is worth. A change of a
// service is a transaction of the slots that differ and nothing else.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "l4lb/names.hpp"
#include "l4lb/service_table.hpp"

namespace l4lb {

struct NftOptions {
  std::string table = "dcos_l4lb";  // letters, digits and '_'
  NameRange range;
  uint64_t seed = 0;  // differs per machine, so that remainders are spread over the cluster
};

/// Flows of a protocol without connections that end nowhere now: the kernel would go on sending them there.
struct StaleFlows {
  ServiceKey service;
  Endpoint backend;
  auto operator<=>(const StaleFlows&) const = default;
};

struct NftTransaction {
  std::string script;  // empty: nothing to do
  std::vector<StaleFlows> stale;
};

constexpr const char* kSlotMaps[] = {"b16v4", "b256v4", "b16v6", "b256v6"};
constexpr const char* kKnownSets[] = {"known4", "known6"};

class NftPlan {
 public:
  explicit NftPlan(NftOptions options) : options_(std::move(options)) {}

  /// Takes the changes in and tells what to do in the kernel.
  NftTransaction change(const std::vector<ServiceChange>& changes);

  /// Everything anew, in place of whatever there is, in one transaction.
  std::string full() const;

  /// What to do so that the map or set has what it should; `found` are the kernel's elements, in element() form.
  std::string repair(const std::string& name, const std::map<std::string, std::string>& found) const;

  /// Networks that this machine is in: both ends there would talk past it, so their packets get its address.
  void set_networks(std::vector<std::pair<Address, unsigned>> networks) { networks_ = std::move(networks); }
  const std::vector<std::pair<Address, unsigned>>& networks() const { return networks_; }
  /// The transaction that puts the rules for them in place.
  std::string masquerade_script() const;

  /// Literal addresses of unnamed services: they need a route of their own.
  std::set<Address> literals() const;

  size_t services() const { return services_.size(); }
  size_t backends() const;
  const NftOptions& options() const { return options_; }

 private:
  struct Slots {
    bool wide = false;
    std::vector<Endpoint> slots;  // empty: refused
    std::vector<Target> targets;
    std::vector<Endpoint> draining;
  };
  Slots assign(const ServiceKey& key, const ServiceChange& change, const Slots* before) const;
  std::string structure() const;
  std::map<std::string, std::string> elements(const std::string& name) const;

  NftOptions options_;
  std::map<ServiceKey, Slots> services_;
  std::map<Address, int> hairpins_;  // backend addresses: a backend may call its own service
  std::vector<std::pair<Address, unsigned>> networks_;
};

/// "11.0.0.1 . tcp . 80 . 3"
std::string element_key(const ServiceKey& key, size_t slot);
std::string element_value(const Endpoint& endpoint);

bool valid_table_name(std::string_view name);

}  // namespace l4lb
