#include "l4lb/dataplane/nft_plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

namespace l4lb {
namespace {

constexpr size_t kNarrow = 16, kWide = 256;
constexpr size_t kElementsPerLine = 500;

const char* map_name(bool wide, const Address& address) { return kSlotMaps[(address.v6() ? 2 : 0) + (wide ? 1 : 0)]; }

const char* known_name(const Address& address) { return kKnownSets[address.v6() ? 1 : 0]; }
const char* hairpin_name(const Address& address) { return address.v6() ? "hair6" : "hair4"; }

std::string service_text(const ServiceKey& key) {
  return fmt::format("{} . {} . {}", render(key.address), name_of(key.protocol), key.port);
}

std::string twice(const Address& address) { return fmt::format("{0} . {0}", render(address)); }

/// "add element inet t name { a, b }" lines of bounded length.
class Script {
 public:
  explicit Script(const std::string& table) : table_(table) {}

  void element(const char* verb, const std::string& name, const std::string& text) {
    auto& list = lists_[{verb, name}];
    list.push_back(text);
  }

  /// Deletions come first: a slot that changes is deleted and added.
  std::string text() const {
    std::string out;
    for (const std::string_view verb : {"delete", "add"})
      for (const auto& [key, list] : lists_) {
        if (key.first != verb) continue;
        for (size_t at = 0; at < list.size(); at += kElementsPerLine) {
          out += fmt::format("{} element inet {} {} {{ ", verb, table_, key.second);
          for (size_t i = at; i < std::min(list.size(), at + kElementsPerLine); ++i) {
            if (i > at) out += ", ";
            out += list[i];
          }
          out += " }\n";
        }
      }
    return out;
  }

 private:
  const std::string& table_;
  std::map<std::pair<std::string, std::string>, std::vector<std::string>> lists_;
};

}  // namespace

bool valid_table_name(std::string_view name) {
  return !name.empty() && name.size() <= 32 &&
         (std::isalpha(static_cast<unsigned char>(name[0])) != 0 || name[0] == '_') &&
         std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
}

std::string element_key(const ServiceKey& key, size_t slot) { return fmt::format("{} . {}", service_text(key), slot); }

std::string element_value(const Endpoint& endpoint) {
  return fmt::format("{} . {}", render(endpoint.address), endpoint.port);
}

size_t NftPlan::backends() const {
  size_t count = 0;
  for (const auto& [key, slots] : services_) count += slots.targets.size();
  return count;
}

std::set<Address> NftPlan::literals() const {
  std::set<Address> out;
  for (const auto& [key, slots] : services_)
    if (!options_.range.contains(key.address)) out.insert(key.address);
  return out;
}

NftPlan::Slots NftPlan::assign(const ServiceKey& key, const ServiceChange& change, const Slots* before) const {
  Slots out{false, {}, change.targets, change.draining};
  std::vector<Target> targets = change.targets;
  if (targets.empty()) return out;
  const uint64_t turn = hash_text(service_text(key), options_.seed);
  // Another machine begins elsewhere: who gets more of what does not divide evens out over the cluster.
  std::rotate(targets.begin(), targets.begin() + static_cast<std::ptrdiff_t>(turn % targets.size()), targets.end());
  if (targets.size() > kWide) targets.resize(kWide);
  const uint64_t total = std::accumulate(targets.begin(), targets.end(), uint64_t{0},
                                         [](uint64_t sum, const Target& t) { return sum + t.weight; });
  out.wide = !(targets.size() <= 4 || (total <= kNarrow && kNarrow % total == 0));
  const size_t size = out.wide ? kWide : kNarrow;
  // Whole shares first, then the largest remainders; everybody has at least one.
  std::vector<std::pair<uint64_t, size_t>> remainders;
  std::vector<size_t> share(targets.size());
  size_t given = 0;
  for (size_t i = 0; i < targets.size(); ++i) {
    share[i] = std::max<size_t>(1, size * targets[i].weight / total);
    remainders.emplace_back(size * targets[i].weight % total, i);
    given += share[i];
  }
  std::stable_sort(remainders.begin(), remainders.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  for (size_t i = 0; given < size; i = (i + 1) % remainders.size(), ++given) ++share[remainders[i].second];
  while (given > size) {
    --*std::max_element(share.begin(), share.end());
    --given;
  }
  // Slots that may stay stay.
  out.slots.resize(size);
  std::map<Endpoint, size_t> left;
  for (size_t i = 0; i < targets.size(); ++i) left[targets[i].endpoint] = share[i];
  std::vector<size_t> free;
  for (size_t i = 0; i < size; ++i) {
    const bool same = before && before->slots.size() == size;
    const auto found = same ? left.find(before->slots[i]) : left.end();
    if (found != left.end() && found->second > 0) {
      out.slots[i] = found->first;
      --found->second;
    } else {
      free.push_back(i);
    }
  }
  auto at = free.begin();
  for (const Target& target : targets)
    for (size_t& count = left[target.endpoint]; count > 0 && at != free.end(); --count)
      out.slots[*at++] = target.endpoint;
  return out;
}

NftTransaction NftPlan::change(const std::vector<ServiceChange>& changes) {
  NftTransaction out;
  Script script(options_.table);
  std::map<Address, int> before_hairpins = hairpins_;
  std::map<ServiceKey, std::optional<Slots>> old;
  for (const ServiceChange& change : changes) {
    const auto it = services_.find(change.key);
    if (!old.contains(change.key)) old[change.key] = it == services_.end() ? std::nullopt : std::optional(it->second);
    const bool was_known = it != services_.end();
    Slots next;
    if (change.known) next = assign(change.key, change, was_known ? &it->second : nullptr);
    Slots before = was_known ? std::move(it->second) : Slots{};
    for (const Target& target : before.targets)
      if (--hairpins_[target.endpoint.address] == 0) hairpins_.erase(target.endpoint.address);
    for (const Target& target : next.targets) ++hairpins_[target.endpoint.address];
    if (change.key.protocol == Protocol::Udp) {
      std::set<Endpoint> gone(before.draining.begin(), before.draining.end());
      for (const Target& target : before.targets) gone.insert(target.endpoint);
      for (const Target& target : next.targets) gone.erase(target.endpoint);
      for (const Endpoint& endpoint : next.draining) gone.erase(endpoint);
      for (const Endpoint& endpoint : gone) out.stale.push_back({change.key, endpoint});
    }
    if (change.known) services_[change.key] = std::move(next);
    else if (was_known) services_.erase(it);
  }
  const Slots none;
  for (const auto& [key, found] : old) {
    const auto it = services_.find(key);
    const Slots& before = found ? *found : none;
    const bool known = it != services_.end();
    if (!options_.range.contains(key.address) && known != found.has_value())
      script.element(known ? "add" : "delete", known_name(key.address), service_text(key));
    const Slots& now = it == services_.end() ? none : it->second;
    const bool same_map = before.wide == now.wide;
    for (size_t i = 0; i < before.slots.size(); ++i)
      if (!same_map || i >= now.slots.size() || now.slots[i] != before.slots[i])
        script.element("delete", map_name(before.wide, key.address), element_key(key, i));
    for (size_t i = 0; i < now.slots.size(); ++i)
      if (!same_map || i >= before.slots.size() || now.slots[i] != before.slots[i])
        script.element("add", map_name(now.wide, key.address),
                       element_key(key, i) + " : " + element_value(now.slots[i]));
  }
  for (const auto& [address, count] : hairpins_)
    if (!before_hairpins.contains(address)) script.element("add", hairpin_name(address), twice(address));
  for (const auto& [address, count] : before_hairpins)
    if (!hairpins_.contains(address)) script.element("delete", hairpin_name(address), twice(address));
  out.script = script.text();
  return out;
}

std::map<std::string, std::string> NftPlan::elements(const std::string& name) const {
  std::map<std::string, std::string> out;
  for (const auto& [key, slots] : services_) {
    if (!slots.slots.empty() && name == map_name(slots.wide, key.address))
      for (size_t i = 0; i < slots.slots.size(); ++i) out[element_key(key, i)] = element_value(slots.slots[i]);
    if (name == known_name(key.address) && !options_.range.contains(key.address)) out[service_text(key)];
  }
  for (const auto& [address, count] : hairpins_)
    if (name == hairpin_name(address)) out[twice(address)];
  return out;
}

std::string NftPlan::repair(const std::string& name, const std::map<std::string, std::string>& found) const {
  Script script(options_.table);
  const auto wanted = elements(name);
  for (const auto& [key, value] : found)
    if (const auto it = wanted.find(key); it == wanted.end() || it->second != value)
      script.element("delete", name, key);
  for (const auto& [key, value] : wanted)
    if (const auto it = found.find(key); it == found.end() || it->second != value)
      script.element("add", name, value.empty() ? key : key + " : " + value);
  return script.text();
}

std::string NftPlan::masquerade_script() const {
  const std::string& t = options_.table;
  std::string out = fmt::format("flush chain inet {} post\n", t);
  const auto rule = [&](const std::string& text) { out += fmt::format("add rule inet {} post {}\n", t, text); };
  rule("oifname \"lo\" accept");
  rule("ct status dnat ip saddr . ip daddr @hair4 masquerade");
  rule("ct status dnat ip6 saddr . ip6 daddr @hair6 masquerade");
  for (const auto& [address, bits] : networks_)
    rule(fmt::format("ct status dnat {0} saddr {1}/{2} {0} daddr {1}/{2} masquerade", address.v6() ? "ip6" : "ip",
                     render(address), bits));
  return out;
}

/// Sets, maps and chains. Order in a packet's life: nat (-110) sends it to a backend; what still asks for a virtual
/// address behind that (-90) has no backend and is refused at once.
std::string NftPlan::structure() const {
  const std::string range4 = fmt::format("{}-{}", render(Address::from_v4(options_.range.first)),
                                         render(Address::from_v4(options_.range.last)));
  const std::string range6 =
      fmt::format("{}-{}", render(options_.range.v6(1)), render(options_.range.v6(options_.range.size())));
  std::string out = fmt::format("table inet {} {{\n", options_.table);
  for (const int family : {4, 6}) {
    const char* ip = family == 4 ? "ip" : "ip6";
    const char* type = family == 4 ? "ipv4_addr" : "ipv6_addr";
    for (const size_t slots : {kNarrow, kWide})
      out += fmt::format(
          "  map b{0}v{1} {{ typeof {2} daddr . meta l4proto . th dport . numgen random mod {0} : {2} daddr . th "
          "dport; }}\n",
          slots, family, ip);
    out += fmt::format("  set known{0} {{ type {1} . inet_proto . inet_service; }}\n", family, type);
    out += fmt::format("  set hair{0} {{ type {1} . {1}; }}\n", family, type);
    out +=
        fmt::format("  set failed{0} {{ type {1} . inet_service; size 4096; flags dynamic,timeout; timeout 10s; }}\n",
                    family, type);
  }
  out += "  chain pick {\n";
  for (const int family : {4, 6})
    for (const size_t slots : {kNarrow, kWide})
      out += fmt::format("    dnat {0} to {0} daddr . meta l4proto . th dport . numgen random mod {1} map @b{1}v{2}\n",
                         family == 4 ? "ip" : "ip6", slots, family);
  out += "  }\n";
  // A refusal of a connection attempt: a reset that answers nothing but the first packet.
  out += "  chain watch {\n";
  for (const int family : {4, 6})
    out += fmt::format(
        "    ct direction reply ct status dnat tcp flags & (rst | ack) == rst | ack tcp sequence 0 add @failed{0} {{ "
        "{1} saddr . tcp sport }}\n",
        family, family == 4 ? "ip" : "ip6");
  out += "  }\n";
  out += fmt::format(
      "  chain refuse {{\n"
      "    meta l4proto tcp reject with tcp reset\n"
      "    reject with icmpx port-unreachable\n"
      "  }}\n"
      "  chain unserved {{\n"
      "    ip daddr {0} goto refuse\n"
      "    ip6 daddr {1} goto refuse\n"
      "    ip daddr . meta l4proto . th dport @known4 goto refuse\n"
      "    ip6 daddr . meta l4proto . th dport @known6 goto refuse\n"
      "  }}\n"
      "  chain nat_out {{ type nat hook output priority -110; jump pick; }}\n"
      "  chain nat_pre {{ type nat hook prerouting priority -110; jump pick; }}\n"
      "  chain post {{ type nat hook postrouting priority 90; }}\n"
      "  chain filter_out {{ type filter hook output priority -90; jump watch; jump unserved; }}\n"
      "  chain filter_pre {{ type filter hook prerouting priority -90; iifname \"lo\" accept; jump watch; jump "
      "unserved; }}\n"
      "}}\n",
      range4, range6);
  return out;
}

std::string NftPlan::full() const {
  // Added first, so that deleting it works in any case.
  std::string out = fmt::format("add table inet {0}\ndelete table inet {0}\n", options_.table);
  out += structure();
  out += masquerade_script();
  for (const char* name : kSlotMaps) out += repair(name, {});
  for (const char* name : {"known4", "known6", "hair4", "hair6"}) out += repair(name, {});
  return out;
}

}  // namespace l4lb
