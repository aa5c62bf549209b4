#pragma once

// Where several masters run: who leads, by ZooKeeper, and the registry that the leader keeps there, of which the others keep
// a copy (ZooKeeperStore::follow), so that they have little to read when their turn comes. A master leads at most once in
// its life: when it has lost the leadership the process ends, and its supervisor starts it again.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/store/zookeeper.hpp"
#include "base/zk/elector.hpp"
#include "base/zk/url.hpp"
#include "kernel/api/mesos/v1/mesos.pb.h"

namespace master {

class Leadership {
 public:
  struct Options {
    base::zk::Url url;
    base::Duration session_timeout = base::seconds(10);
    base::Duration fetch_timeout = base::minutes(1);  // to have the registry; a leader without one must let another lead
    bool in_memory = false;                           // the registry is forgotten
  };

  struct Callbacks {
    /// This master leads from now on; `registry` is loaded (null: in memory).
    std::function<void(std::unique_ptr<base::Store> registry)> on_leading;
    /// It leads no more and must do nothing more.
    std::function<void(const std::string& why)> on_lost;
  };

  Leadership(base::zk::Host host, Options options, const mesos::v1::MasterInfo& self, Callbacks callbacks);
  ~Leadership();  // gives the leadership up
  Leadership(const Leadership&) = delete;
  Leadership& operator=(const Leadership&) = delete;

  void start();

  /// To be asked before each act: a process that stood still must not act on what it believed before.
  bool may_act() const;

  /// Nothing: nobody leads, or ZooKeeper cannot be reached.
  const std::optional<mesos::v1::MasterInfo>& leader() const { return leader_; }

 private:
  void make_registry();
  void open_registry();
  void lose(const std::string& why);

  base::zk::Host host_;
  Options options_;
  mesos::v1::MasterInfo self_;
  Callbacks callbacks_;
  std::optional<mesos::v1::MasterInfo> leader_;
  std::unique_ptr<base::ZooKeeperStore> registry_;  // followed, until it is ours and loaded
  uint64_t fetch_timer_ = 0;
  bool lost_ = false;
  base::zk::Elector elector_;
};

/// Why `self` must not follow `leader`: both have a fault domain, in different regions. Absent: it may.
std::optional<std::string> region_conflict(const mesos::v1::MasterInfo& self, const mesos::v1::MasterInfo& leader);

}  // namespace master
