#pragma once

// Performs the election's effects on a ZooKeeper session: what daemons hold.
//
//   zk::Elector elector(host, {.path = "/mesos", .data = json, .election = {.contend = true}}, {
//       .on_elected = ..., .on_deposed = ..., .on_leader = ...});
//
// Without `contend` it only watches. Everything runs where the host's callbacks run.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/zk/election.hpp"

namespace base::zk {

class Elector {
 public:
  struct Options {
    std::string path;                   // of the group: "/mesos"
    std::string label = "json.info";    // of our node
    std::string data{};                 // of our node
    ElectionOptions election{};
  };

  struct Callbacks {
    std::function<void()> on_elected{};
    /// Stop acting, now. Nothing follows; the process begins anew.
    std::function<void(const std::string& why)> on_deposed{};
    /// Nothing: nobody leads, or ZooKeeper cannot be reached.
    std::function<void(const std::optional<Leader>&)> on_leader{};
    std::function<void(bool trouble, const std::string& text)> on_note{};
  };

  Elector(Host host, Options options, Callbacks callbacks);
  ~Elector();  // gives the leadership up: our node goes with the session
  Elector(const Elector&) = delete;
  Elector& operator=(const Elector&) = delete;

  void start();

  /// True while this process leads and its lease lasts. To be asked before each act: a process that stood still must not
  /// act on what it believed before.
  bool may_act() const;

  const std::optional<Leader>& leader() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace base::zk
