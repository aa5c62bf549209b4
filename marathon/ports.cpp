#include "marathon/ports.hpp"

#include <algorithm>

#include "marathon/pod.hpp"

namespace marathon {
namespace {

/// Per declared port: a fixed host port, 0 for any, absent for none.
std::vector<std::optional<int>> wanted_ports(const App& app) {
  std::vector<std::optional<int>> wanted;
  if (app.pod) {
    for (const PodEndpoint* endpoint : endpoints_of(*app.pod)) wanted.push_back(endpoint->host_port);
  } else if (uses_host_network(app)) {
    for (const PortDefinition& port : app.port_definitions) {
      wanted.emplace_back(app.require_ports ? port.port : 0);
    }
  } else if (app.container) {
    for (const PortMapping& mapping : app.container->port_mappings) wanted.push_back(mapping.host_port);
  }
  return wanted;
}

/// Per declared port: the one inside the container; 0: any.
std::vector<int> container_ports(const App& app) {
  std::vector<int> ports;
  if (app.pod) {
    for (const PodEndpoint* endpoint : endpoints_of(*app.pod)) ports.push_back(endpoint->container_port.value_or(0));
  } else if (app.container) {
    for (const PortMapping& mapping : app.container->port_mappings) ports.push_back(mapping.container_port);
  }
  return ports;
}

bool accepts(const std::vector<std::string>& roles, const std::string& role) {
  return std::find(roles.begin(), roles.end(), role) != roles.end();
}

const PortPiece* find_piece(const std::vector<PortPiece>& pieces, const std::vector<std::string>& roles,
                            int port) {
  for (const PortPiece& piece : pieces) {
    if (port >= piece.first && port <= piece.last && accepts(roles, piece.role)) return &piece;
  }
  return nullptr;
}

/// Cuts `port` out of the ranges.
void remove_port(std::vector<PortPiece>& pieces, int port) {
  for (size_t i = 0; i < pieces.size(); ++i) {
    PortPiece& piece = pieces[i];
    if (port < piece.first || port > piece.last) continue;
    PortPiece upper = piece;
    upper.first = port + 1;
    piece.last = port - 1;
    if (upper.first <= upper.last) pieces.insert(pieces.begin() + static_cast<long>(i) + 1, upper);
    if (pieces[i].first > pieces[i].last) pieces.erase(pieces.begin() + static_cast<long>(i));
    return;
  }
}

/// Some port at or after a random start, or from the beginning when there is none behind it.
std::optional<int> next_port(const std::vector<PortPiece>& pieces, const std::vector<std::string>& roles,
                             int from) {
  std::optional<int> best, lowest;
  for (const PortPiece& piece : pieces) {
    if (!accepts(roles, piece.role)) continue;
    const int candidate = std::max(piece.first, from);
    if (candidate <= piece.last && (!best || candidate < *best)) best = candidate;
    if (!lowest || piece.first < *lowest) lowest = piece.first;
  }
  return best ? best : lowest;
}

int random_start(const std::vector<PortPiece>& pieces, base::Random& random) {
  uint64_t total = 0;
  for (const PortPiece& piece : pieces) total += static_cast<uint64_t>(piece.last - piece.first + 1);
  if (total == 0) return 0;
  uint64_t skip = random.below(total);
  for (const PortPiece& piece : pieces) {
    const auto size = static_cast<uint64_t>(piece.last - piece.first + 1);
    if (skip < size) return piece.first + static_cast<int>(skip);
    skip -= size;
  }
  return 0;
}

constexpr int kFirstGenerated = 1025;
constexpr int kGeneratedPorts = 65535 - kFirstGenerated + 1;

}  // namespace

bool place_ports(Offer& offer, const App& app, const std::vector<std::string>& roles,
                 base::Random& random, Placement& placement) {
  const auto wanted = wanted_ports(app);
  if (wanted.empty()) return true;
  std::vector<PortPiece> pieces = offer.ports;
  std::vector<PlacedPort> taken;
  placement.host_ports.assign(wanted.size(), 0);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i] || *wanted[i] == 0) continue;
    const PortPiece* piece = find_piece(pieces, roles, *wanted[i]);
    if (!piece) return false;
    taken.push_back({piece->index, *wanted[i]});
    placement.host_ports[i] = *wanted[i];
    remove_port(pieces, *wanted[i]);
  }
  int from = random_start(pieces, random);
  for (size_t i = 0; i < wanted.size(); ++i) {
    if (!wanted[i] || *wanted[i] != 0) continue;
    const auto port = next_port(pieces, roles, from);
    if (!port) return false;
    taken.push_back({find_piece(pieces, roles, *port)->index, *port});
    placement.host_ports[i] = *port;
    remove_port(pieces, *port);
    from = *port + 1;
  }
  placement.container_ports = placement.host_ports;
  if (!uses_host_network(app)) {
    const std::vector<int> inside = container_ports(app);
    std::set<int> used(inside.begin(), inside.end());
    used.insert(placement.host_ports.begin(), placement.host_ports.end());
    const auto generate = [&] {
      int port = 0;
      do {
        port = kFirstGenerated + static_cast<int>(random.below(static_cast<uint64_t>(kGeneratedPorts)));
      } while (!used.insert(port).second);
      return port;
    };
    for (size_t i = 0; i < wanted.size(); ++i) {
      const int declared = inside[i];
      if (declared != 0) {
        placement.container_ports[i] = declared;
      } else if (!wanted[i]) {
        placement.container_ports[i] = generate();
      }
    }
  }
  offer.ports = std::move(pieces);
  placement.ports = std::move(taken);
  return true;
}

std::vector<int> service_ports(const App& app) {
  std::vector<int> ports;
  if (app.pod) return ports;  // endpoints have none
  if (uses_host_network(app)) {
    for (const PortDefinition& port : app.port_definitions) ports.push_back(port.port);
  } else if (app.container) {
    for (const PortMapping& mapping : app.container->port_mappings) ports.push_back(mapping.service_port);
  }
  return ports;
}

ServicePorts::ServicePorts(int min, int max) : min_(min), max_(max) {
  for (int port = min; port <= max; ++port) free_.insert(free_.end(), port);
}

bool ServicePorts::assign(App& app, const App* previous) const {
  const std::vector<int> listed = service_ports(app);
  const std::set<int> own(listed.begin(), listed.end());
  std::vector<int> inherited;
  if (previous) {
    for (int port : service_ports(*previous)) {
      if (port != 0 && port >= min_ && port <= max_ && !own.contains(port)) inherited.push_back(port);
    }
  }
  std::vector<int> chosen;
  auto next_inherited = inherited.begin();
  auto next_free = free_.begin();
  for (int port : listed) {
    if (port != 0) {
      chosen.push_back(port);
    } else if (next_inherited != inherited.end()) {
      chosen.push_back(*next_inherited++);
    } else {
      while (next_free != free_.end() && own.contains(*next_free)) ++next_free;
      if (next_free == free_.end()) return false;
      chosen.push_back(*next_free++);
    }
  }
  for (size_t i = 0; i < chosen.size(); ++i) {
    if (uses_host_network(app)) {
      app.port_definitions[i].port = chosen[i];
    } else {
      app.container->port_mappings[i].service_port = chosen[i];
    }
  }
  return true;
}

void ServicePorts::take(const App& app) {
  for (int port : service_ports(app)) {
    if (port == 0) continue;
    ++used_[port];
    free_.erase(port);
  }
}

void ServicePorts::release(const App& app) {
  for (int port : service_ports(app)) {
    const auto it = used_.find(port);
    if (it == used_.end()) continue;
    if (--it->second > 0) continue;
    used_.erase(it);
    if (port >= min_ && port <= max_) free_.insert(port);
  }
}

}  // namespace marathon
