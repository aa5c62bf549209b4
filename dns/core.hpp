#pragma once

// From the cluster's events to the zone that is served, as a deterministic state machine. Not thread-safe.


#include "base/time.hpp"
#include "dns/effects.hpp"
#include "dns/events.hpp"
#include "dns/records.hpp"

namespace dns {

class Core {
 public:
  explicit Core(RecordsOptions options) : records_(std::move(options)) {}

  void on(const Event& event, base::Now now, Effects& out);

  const Records& records() const { return records_; }
  const std::shared_ptr<const Zone>& zone() const { return records_.zone(); }

 private:
  void on_cluster(const ClusterSeen& event, base::Now now, Effects& out);

  Records records_;
  bool commit_asked_ = false;
  bool timer_set_ = false;
};

}  // namespace dns
