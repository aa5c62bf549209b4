#include "marathon/pod.hpp"

#include "marathon/offer.hpp"

namespace marathon {

std::vector<const PodEndpoint*> endpoints_of(const Pod& pod) {
  std::vector<const PodEndpoint*> list;
  for (const PodContainer& container : pod.containers) {
    for (const PodEndpoint& endpoint : container.endpoints) list.push_back(&endpoint);
  }
  return list;
}

std::set<int> host_ports_of(const Pod& pod) {
  std::set<int> ports;
  for (const PodEndpoint* endpoint : endpoints_of(pod)) {
    if (endpoint->host_port) ports.insert(*endpoint->host_port);
  }
  return ports;
}

void sum_resources(App& app) {
  // Each amount is rounded by itself, as it will be taken from an offer.
  int64_t cpus = thousandths(app.pod->executor.cpus), mem = thousandths(app.pod->executor.mem);
  int64_t disk = thousandths(app.pod->executor.disk);
  app.gpus = 0;
  for (const PodContainer& container : app.pod->containers) {
    cpus += thousandths(container.cpus);
    mem += thousandths(container.mem);
    disk += thousandths(container.disk);
    app.gpus += container.gpus;
  }
  app.cpus = static_cast<double>(cpus) / 1000;
  app.mem = static_cast<double>(mem) / 1000;
  app.disk = static_cast<double>(disk) / 1000;
}

}  // namespace marathon
