#pragma once

// The store on ZooKeeper, for daemons that run several times: what one has committed, the next one finds. One node per
// key below <path>/kv; a commit is one atomic change of all its nodes.
//
// Fencing: <path>/epoch names the writer and its last commit. Opening takes the node over; every change sets it, on
// condition that nobody has since. A deposed writer's late change therefore fails as a whole, and a writer whose
// connection broke reads there whether its last change was performed.
//
// All content is held in memory as well: the writer is alone, so that reads need no server.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/store/store.hpp"
#include "base/zk/client.hpp"

namespace base {

class ZooKeeperStore : public Store {
 public:
  struct Options {
    std::string path;                       // "/mesos/registry"
    std::string writer;                     // names this process; never the same twice
    Duration session_timeout = seconds(10);
    size_t max_value_bytes = 900 << 10;     // a longer value is kept in several nodes
    size_t max_change_bytes = 1'000'000;    // of one change; servers take a megabyte by default
    size_t max_batch_bytes = 64 << 20;
    size_t max_queued = 100'000;            // batches that wait
  };

  struct Callbacks {
    /// Another process has taken over: no commit succeeds any more. The process should end.
    std::function<void(const std::string& why)> on_fenced{};
    std::function<void(const std::string& text)> on_trouble{};
  };

  ZooKeeperStore(zk::Host host, Options options, Callbacks callbacks);
  ~ZooKeeperStore() override;

  /// Reads everything and keeps up with what another process changes, so that open() has little left to read. Nothing is
  /// written. To be called at most once, before open().
  void follow();

  /// Takes over and loads everything, as often as the connection needs. To be called once; nothing else may be called
  /// before `done(ok)`.
  void open(std::function<void(Status)> done);

  void commit(StoreBatch batch, Done done) override;
  Result<std::vector<StoreEntry>> scan(const std::string& prefix) override;
  Result<std::optional<std::string>> get(const std::string& key) override;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

/// The node's name for a key, any bytes; and back. Names of parts end in "+0", "+1", ...
std::string node_name(const std::string& key);
std::string key_of_node(const std::string& name);

}  // namespace base
