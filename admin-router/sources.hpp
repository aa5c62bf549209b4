#pragma once

// Keeps the core's facts fresh: one subscription to the leading master's operator stream, one to
// Marathon's event stream and a read of its apps when they changed. Nothing is polled.

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "admin-router/table.hpp"
#include "base/http/client.hpp"
#include "base/http/sse.hpp"
#include "base/loop.hpp"
#include "base/recordio.hpp"
#include "base/zk/url.hpp"

namespace client {
class Detector;
}

namespace admin_router {

class Sources {
 public:
  struct Options {
    std::vector<Address> masters{};  // tried in turn until one leads
    std::optional<base::zk::Url> zookeeper{};  // instead: who leads is looked up there
    bool tls = false;                // masters are reached by https
    base::http::ClientOptions client{};
    std::string authorization{};     // header for masters
    base::Duration retry = base::milliseconds(500);
    base::Duration settle = base::milliseconds(50);  // events in a burst cause one read of the apps
    base::Duration silence =
        base::seconds(45);  // a stream without even a heartbeat is taken for dead
  };

  /// `changed` runs after the table took an event.
  Sources(base::Loop& loop, Table& table, Options options, std::function<void()> changed);
  ~Sources();

  void start();

 private:
  void feed(const Event& event);
  void detect();
  void connect_master();
  void on_master_head(uint64_t call, const base::http::Response& head);
  void on_master_data(uint64_t call, std::string_view data);
  void lose_master(uint64_t call, const std::string& reason);
  void follow_marathon();
  void connect_marathon();
  void on_marathon_data(uint64_t call, std::string_view data);
  void lose_marathon(uint64_t call, const std::string& reason);
  void read_apps_soon();
  void read_apps_now();
  void watch_silence();

  base::Loop& loop_;
  Table& table_;
  Options options_;
  std::function<void()> changed_;
  base::http::Client client_;

  // Calls are numbered, so that a late callback of one that was given up does no harm.
  std::unique_ptr<client::Detector> detector_;
  base::http::ClientCall master_call_{};
  uint64_t master_number_ = 0;
  bool master_open_ = false;
  Address master_{};
  std::optional<Address> hinted_{};  // the leader, told by one that does not lead
  size_t next_master_ = 0;
  base::RecordDecoder records_{};
  base::Instant master_heard_{};

  base::http::ClientCall marathon_call_{};
  uint64_t marathon_number_ = 0;
  bool marathon_open_ = false, reading_apps_ = false, apps_outdated_ = false;
  ServiceUrl marathon_{};
  base::http::SseDecoder events_{};
  base::Instant marathon_heard_{};

  base::Loop::TimerId master_timer_ = 0, marathon_timer_ = 0, settle_timer_ = 0, silence_timer_ = 0;
};

}  // namespace admin_router
