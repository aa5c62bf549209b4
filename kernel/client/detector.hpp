#pragma once

// Where the leading master is, by ZooKeeper: what schedulers, agents and tools with --master=zk://... hold.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.hpp"
#include "base/zk/client.hpp"
#include "base/zk/url.hpp"

namespace client {

class Detector {
 public:
  /// "ip:port" of the master that leads. Nothing: nobody leads, or ZooKeeper cannot be reached for longer than the session
  /// timeout; who knows a master that still answers does well to stay with it.
  using OnLeader = std::function<void(const std::optional<std::string>& master)>;

  Detector(base::Loop& loop, base::zk::Url url, OnLeader on_leader, base::Duration session_timeout = base::seconds(10));
  ~Detector();
  Detector(const Detector&) = delete;
  Detector& operator=(const Detector&) = delete;

  void start();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace client
