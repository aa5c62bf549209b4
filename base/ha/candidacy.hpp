#pragma once

// One of several processes of a daemon: who of them acts, by ZooKeeper, and the store that the acting one keeps there
// (pure). A process leads at most once in its life: when it has lost the leadership it ends, and its supervisor starts it
// again.
//
//   <path>/election   one node per process, with its address
//   <path>/store      what base::ZooKeeperStore keeps
//
// One that does not lead keeps a copy of the store (ZooKeeperStore::follow), so that it has little to read when its turn comes.
//
// A process that stood still must not act on what it believed before: whoever holds this asks may_act() before each act.
// What it had sent before that moment is the business of whoever receives it; the store refuses it as a whole.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/store/zookeeper.hpp"
#include "base/zk/elector.hpp"
#include "base/zk/url.hpp"

namespace base::ha {

class Candidacy {
 public:
  struct Options {
    zk::Url url;
    std::string address;                   // what the others are told: "http://host:port"
    std::string writer;                    // names this process; never the same twice
    Duration session_timeout = seconds(10);
    Duration open_timeout = minutes(3);    // to have the store; a leader without one must let another lead
  };

  struct Callbacks {
    /// This process acts from now on; `store` is loaded.
    std::function<void(std::unique_ptr<Store> store)> on_leading;
    /// It acts no more, and must end. Nothing follows.
    std::function<void(const std::string& why)> on_lost;
    /// Another leads, or nobody is known to.
    std::function<void()> on_leader{};
    std::function<void(bool trouble, const std::string& text)> on_note{};
  };

  Candidacy(zk::Host host, Options options, Callbacks callbacks);
  ~Candidacy();  // gives the leadership up
  Candidacy(const Candidacy&) = delete;
  Candidacy& operator=(const Candidacy&) = delete;

  void start();

  /// True while this process leads, has its store and its lease lasts.
  bool may_act() const { return leading_ && !lost_ && elector_.may_act(); }

  /// Address of another process that leads. Nothing: nobody is known to, or this one does.
  std::optional<std::string> leader_elsewhere() const;

 private:
  void make_store();
  void open_store();
  void lose(const std::string& why);
  void note(bool trouble, const std::string& text) const;

  zk::Host host_;
  Options options_;
  Callbacks callbacks_;
  std::unique_ptr<ZooKeeperStore> store_{};  // followed, until it is ours and loaded
  uint64_t open_timer_ = 0;
  bool leading_ = false, lost_ = false;
  zk::Elector elector_;
};

}  // namespace base::ha
