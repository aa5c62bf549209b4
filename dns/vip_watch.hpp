#pragma once

// Follows l4lb's /v1/watch: a snapshot, then changes; connects again when it ends or falls silent. Runs on one loop.

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "dns/events.hpp"

namespace dns {

class VipWatch {
 public:
  /// `url` is l4lb's, "http://127.0.0.1:62080". `on_event` gets VipsSeen and VipsChanged.
  VipWatch(base::Loop& loop, std::string url, std::function<void(Event)> on_event);
  ~VipWatch();

  void start();
  bool connected() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace dns
