#pragma once

// Keeps the kernel as the plan says: changes at once, everything anew after an error, a comparison now and then. One
// job at a time on the pool; what comes meanwhile is one transaction afterwards.

#include <functional>
#include <memory>

#include "base/loop.hpp"
#include "base/metrics.hpp"
#include "base/pool.hpp"
#include "l4lb/dataplane/nft_apply.hpp"

namespace l4lb {

struct DriverOptions {
  NftOptions nft;
  RouteOptions routes;
  base::Duration reconcile = base::seconds(30);
};

class Driver {
 public:
  /// `failed` hears of backends that refused connections.
  Driver(base::Loop& loop, base::Pool& pool, base::Metrics& metrics, DriverOptions options,
         std::function<void(std::vector<Endpoint>)> failed);
  ~Driver();
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;

  void change(std::vector<ServiceChange> changes);

  /// Until then nothing is touched: rules of an earlier process forward with what it knew.
  void start();
  bool started() const;

  /// Removes table and routes, then calls `done`.
  void cleanup(std::function<void(base::Status)> done);

  /// For people: what the last error was; empty when all is well.
  const std::string& problem() const;
  size_t services() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

/// Removes table and routes now: for --cleanup.
base::Status remove_dataplane(const DriverOptions& options);

}  // namespace l4lb
