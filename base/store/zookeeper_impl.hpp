#pragma once

// Inside the ZooKeeper store: three files share this. zookeeper.cpp: commits and reads; zookeeper_change.cpp: one fenced
// change, whatever the connection does; zookeeper_load.cpp: taking over and loading.

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <set>

#include "base/store/zookeeper.hpp"

namespace base {

constexpr size_t kBuckets = 64;
std::string bucket_name(size_t bucket);
size_t bucket_of(const std::string& name);

/// What has been read while the store is being followed or opened.
struct ZooKeeperLoad {
  struct Node {
    std::string data{};
    int32_t version = 0;
  };
  std::function<void(Status)> done{};  // null: it is only followed yet
  bool taken = false;                  // by some attempt of ours

  // Of the present attempt, which ends with its session.
  bool running = false;
  bool ours = false;      // the store is: nobody else changes it any more
  bool watching = false;  // nodes are
  bool reading_journal = false;
  std::set<size_t> to_list{};
  std::deque<std::pair<size_t, std::string>> to_read{};  // by bucket
  size_t under_way = 0, listing = 0;  // reads, and those of them that list
  std::array<std::map<std::string, Node>, kBuckets> nodes{};
  Instant began{};
  Duration took{0};
  uint64_t pause_timer = 0;
  std::string journal{};  // the journal node's data
  std::vector<std::string> journal_pieces{};
  std::map<std::string, std::string> pieces{};  // of the journal, by name
};

struct ZooKeeperStore::Impl : std::enable_shared_from_this<ZooKeeperStore::Impl> {
  /// A key's nodes as they are on the servers.
  struct Entry {
    std::string value{};
    bool exists = true;                 // the main node does
    int32_t version = 0;                // of the main node
    std::vector<int32_t> parts{};       // versions of the part nodes
    bool readable = true;               // false: something is wrong with it; it can be written, not read
  };

  struct Pending {
    StoreBatch batch;
    Done done;
    size_t bytes = 0;
  };

  /// Which key's node an op is for: to mend what we believe of it.
  struct Target {
    std::string key;
    int part = -1;  // -1: the main node
  };

  struct Change {
    std::vector<zk::Op> ops{};
    std::vector<Target> targets{};  // of each op, where it is for a key
    std::function<void(Status)> done{};
    std::function<void(Change&)> rebuild{};  // makes ops and targets anew; null: they do not depend on entries
    int losses = 0, mended = 0;
  };
  using Writes = std::map<std::string, std::optional<std::string>>;

  Impl(zk::Host h, Options o, Callbacks c) : host(std::move(h)), options(std::move(o)), callbacks(std::move(c)) {}

  /// A callback that does nothing once the store or the present session is gone.
  template <class Function>
  auto guarded(Function function) {
    return [weak = weak_from_this(), number = session_number, function](auto... arguments) {
      const auto self = weak.lock();
      if (self && !self->stopped && self->session_number == number) function(*self, std::move(arguments)...);
    };
  }

  // zookeeper.cpp
  void commit(StoreBatch batch, Done done);
  void next_group();
  void commit_group(std::vector<Pending> group);
  void commit_by_journal(Writes writes, std::function<void(Status)> done);
  void apply_journaled(std::shared_ptr<Writes> writes, size_t pieces, uint64_t number, std::function<void(Status)> done);
  void apply_parts(std::shared_ptr<Writes> part, std::function<void(Status)> done);
  void make_ops(const std::string& key, const std::optional<std::string>& value, Change& out) const;
  void remember(const std::string& key, std::optional<std::string> value);
  void fail_later(Done done, Error error);
  void fence(const std::string& why);
  void trouble(const std::string& text) {
    if (callbacks.on_trouble) callbacks.on_trouble(text);
  }

  // zookeeper_change.cpp
  void connect();
  void reconnect_after(Duration delay);
  void on_session(zk::SessionState state);
  void run(Change change);
  void send_change();
  void on_change(zk::Rc rc, size_t failed);
  void resolve();
  void change_is_done(Status status);
  void mend(const Target& target);
  std::string signature(uint64_t number) const { return options.writer + " " + std::to_string(number); }
  std::string root(const std::string& name) const { return options.path + "/" + name; }
  std::string node_of(const std::string& key, int part) const;

  // zookeeper_load.cpp
  void load_step();
  void begin_taking();
  void make_buckets(size_t next);
  void take_over();
  void taken_over(int32_t version);
  template <class Function>
  zk::Client::Watch watch(Function function);
  void list_bucket(size_t bucket);
  void take_listing(size_t bucket, const std::string& path, const std::vector<std::string>& names);
  void read_node(size_t bucket, const std::string& name);
  void read_soon();
  void read_more();
  void read_journal();
  void finish_load();
  void refuse_load(const std::string& why);
  void restart_load(zk::Rc rc);

  zk::Host host;
  Options options;
  Callbacks callbacks;
  std::unique_ptr<zk::Client> client;
  uint64_t session_number = 0;
  bool connected = false, reconnecting = false, stopped = false, fenced = false, broken = false;
  std::string fenced_why;

  std::map<std::string, Entry> entries;
  int32_t epoch_version = 0;
  uint64_t commit_number = 0;

  std::deque<Pending> queue;
  bool busy = false;
  std::optional<Change> change;
  bool change_sent = false, resolving = false;
  uint64_t retry_timer = 0;

  std::optional<ZooKeeperLoad> load;
  int32_t journal_version = 0;
};

/// A batch as bytes, for the journal.
std::string encode_writes(const std::map<std::string, std::optional<std::string>>& writes);
Result<std::map<std::string, std::optional<std::string>>> decode_writes(std::string_view bytes);

}  // namespace base
