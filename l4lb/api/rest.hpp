#pragma once

// The node API: one table of routes.

#include <functional>
#include <map>
#include <memory>

#include "base/http/router.hpp"
#include "base/metrics.hpp"
#include "l4lb/core.hpp"

namespace l4lb {

class Rest {
 public:
  struct Context {
    base::Loop& loop;
    const Core& core;
    base::Metrics& metrics;
    std::string key_fingerprint;                     // raw bytes
    std::function<std::string()> dataplane_problem;  // empty: all is well
  };

  Rest(Context context, base::http::Router& router);
  ~Rest();
  Rest(const Rest&) = delete;
  Rest& operator=(const Rest&) = delete;

  /// Tells the readers of /v1/watch.
  void publish(const RecordsChanged& changed);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace l4lb
