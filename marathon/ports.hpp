#pragma once

// Ports: service ports that are unique in the cluster, and host ports taken from offers.

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "marathon/app.hpp"
#include "marathon/matcher.hpp"

namespace marathon {

/// Takes the app's host ports out of the offer: fixed ones exactly, others consecutive from a random start.
bool place_ports(Offer& offer, const App& app, const std::vector<std::string>& roles,
                 base::Random& random, Placement& placement);

/// The service ports in use, and the free ones in order, so that finding the lowest costs nothing.
class ServicePorts {
 public:
  ServicePorts(int min, int max);

  /// Gives every 0 of `app` a number: first those that `previous` had and `app` does not list, then the lowest free.
  /// False, with `app` unchanged, when the range is exhausted. Takes nothing: call take() with the stored app.
  bool assign(App& app, const App* previous) const;

  void take(const App& app);
  void release(const App& app);

  int min() const { return min_; }
  int max() const { return max_; }

 private:
  int min_, max_;
  std::map<int, int> used_;  // how many apps list the number
  std::set<int> free_;
};

/// The service port of each declared port, in order; none for pods.
std::vector<int> service_ports(const App& app);

}  // namespace marathon
