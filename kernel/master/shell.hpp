#pragma once

// Performs what the core decides: streams, replies, timers, the store; and turns what arrives into events. No rule of the
// domain lives here. Everything runs on the loop's thread but rendering, which runs on the pool.

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/http/server.hpp"
#include "base/log_level.hpp"
#include "base/loop.hpp"
#include "base/metrics.hpp"
#include "base/pool.hpp"
#include "base/store/store.hpp"
#include "kernel/api/content.hpp"
#include "kernel/master/agent_links.hpp"
#include "kernel/master/api/state_json.hpp"
#include "kernel/master/core.hpp"
#include "kernel/master/flags.hpp"
#include "kernel/master/leadership.hpp"
#include "kernel/master/subscribers.hpp"
#include "kernel/master/visibility.hpp"

namespace master {

/// What all who asked for the same share.
struct RenderedBody {
  std::shared_ptr<const std::string> text;  // null: too many renderings wait
  bool gzip = false;
};

class Shell {
 public:
  /// `store` is null for a registry that is forgotten, and where ZooKeeper keeps it (--zk).
  Shell(base::Loop& loop, const Flags& flags, std::unique_ptr<base::Store> store);

  /// Instead of the ZooKeeper that --zk names; before start().
  void set_zookeeper(base::zk::Host host) { zookeeper_ = std::move(host); }
  ~Shell();
  Shell(const Shell&) = delete;
  Shell& operator=(const Shell&) = delete;

  /// Listens and serves: at once when alone, when elected among several (--zk). A master that has lost the leadership
  /// stops the loop with exit code 1.
  base::Status start();

  /// Ends open requests and streams; `done` when the sockets are closed.
  void drain(std::function<void()> done);

  uint16_t http_port() const { return http_port_; }
  uint16_t link_port() const { return link_port_; }

  /// Where agents without TLS connect: the link port, or with TLS and downgrade a port of its own.
  uint16_t plain_link_port() const { return links_->plain_port(); }
  const base::http::Tls& tls() const { return *tls_; }

  // For the routes (api/) -----------------------------------------------------------------------------------------

  const Core& core() const { return *core_; }
  const Flags& flags() const { return flags_; }
  const ServerFacts& facts() const { return facts_; }
  base::Metrics& metrics() { return metrics_; }
  base::Loop& loop() { return loop_; }
  base::Random& random() { return random_; }
  base::LogLevel& log_level() { return log_level_; }
  bool recovered() const { return core_->state().recovered; }

  /// False: answers of this master would be somebody else's matter, or out of date.
  bool leading() const { return acting_ && (!leadership_ || leadership_->may_act()); }

  /// The leading master, which may be this one; nothing when none is known.
  std::optional<mesos::v1::MasterInfo> leader() const;

  void on(Event event);

  /// Registers the right to answer; the core's Reply uses it.
  CallId expect_reply(base::http::Responder responder);

  /// Takes over the stream of a SUBSCRIBE and tells the core.
  void open_scheduler_stream(base::http::Stream stream, api::ContentType type, std::string stream_id,
                             mesos::v1::scheduler::Call::Subscribe subscribe, std::string principal);

  /// Takes over the stream of an operator's SUBSCRIBE: snapshot first, then every later event, none missing.
  void open_operator_stream(base::http::Stream stream, api::ContentType type, const std::string& principal);
  size_t operator_streams() const { return subscribers_.size(); }

  using Render = std::function<std::string(const Snapshot&)>;

  /// What the principal may see.
  Visibility visibility(const std::string& principal) const { return Visibility(flags_.policy.acls, principal); }

  using OnRendered = std::function<void(const RenderedBody&)>;

  /// Answers with what `render` makes of the present state, as far as the principal may see it, off this thread. Equal keys
  /// that wait at the same time and see the same share one rendering. `gzip`: compressed, there as well, unless it is small.
  void render(const std::string& principal, std::string key, Render render, bool gzip, OnRendered done);

  /// What /metrics/snapshot shows.
  std::map<std::string, double> metrics_snapshot() const;

 private:
  struct SchedulerStream {
    base::http::Stream stream;
    api::ContentType type;
  };
  struct Rendering {
    struct Waiting {
      Render render;
      bool gzip = false;
      std::vector<OnRendered> done;
    };
    bool running = false;
    uint64_t version = 0;  // of the state that is being rendered
    std::vector<OnRendered> done;
    std::optional<Waiting> next;
  };

  void perform(Effects& effects);
  void perform(SendToAgent& effect);
  void perform(CloseLink& effect);
  void perform(SendToScheduler& effect);
  void perform(CloseConnection& effect);
  void perform(Reply& effect);
  void perform(Persist& effect);
  void perform(SetTimer& effect);
  void perform(CancelTimer& effect);
  void perform(Publish& effect);
  void perform(WantTurnEnd& effect);
  void perform(Trace& effect);

  void serve(std::unique_ptr<base::Store> store, std::vector<base::StoreEntry> entries);
  base::Status contend();
  void stop_acting(const std::string& why);
  void start_rendering(const std::string& key);
  std::shared_ptr<const Snapshot> snapshot();
  void count_record(const std::string& key, std::optional<size_t> bytes);
  void handle(Event event, Effects& effects);
  void watch_whitelist();
  void add_gauges();
  mesos::v1::MasterInfo make_master_info();

  base::Loop& loop_;
  const Flags& flags_;
  std::unique_ptr<base::Store> store_;
  base::Random random_;
  base::Metrics metrics_;
  base::LogLevel log_level_{loop_};
  ServerFacts facts_;
  std::unique_ptr<Core> core_;
  base::Pool pool_;
  Subscribers subscribers_;
  std::shared_ptr<base::http::Tls> tls_;
  std::unique_ptr<base::http::Server> server_;
  std::unique_ptr<AgentLinks> links_;
  std::optional<base::zk::Host> zookeeper_;
  std::unique_ptr<Leadership> leadership_;  // null: this master is alone
  bool acting_ = false, stopped_ = false;
  base::Time started_{};
  uint16_t http_port_ = 0, link_port_ = 0;

  std::deque<Event> events_;
  bool busy_ = false;
  uint64_t version_ = 0;  // of the state; grows with each event
  std::shared_ptr<const Snapshot> snapshot_;
  uint64_t snapshot_version_ = 0;

  std::map<std::string, size_t> registry_sizes_;  // of the records, by key
  size_t registry_bytes_ = 0;
  base::Instant allocation_asked_{};
  std::optional<std::set<std::string>> whitelist_;

  std::map<CallId, base::http::Responder> replies_;
  uint64_t next_id_ = 1;  // calls and connections
  std::map<ConnectionId, SchedulerStream> scheduler_streams_;
  std::map<TimerId, base::Loop::TimerId> timers_;
  std::map<std::string, Rendering> renderings_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace master
