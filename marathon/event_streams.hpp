#pragma once

// The open connections of /v2/events: who wants which types, keep-alive, cutting off who cannot follow, and the last
// events for those who come back with Last-Event-ID.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "marathon/effects.hpp"

namespace marathon {

class EventStreams {
 public:
  struct Callbacks {
    std::function<void(const std::string& remote_address)> on_open, on_close;
  };

  /// `run` names this process in the ids of events, so that ids of an earlier one are told from ours.
  EventStreams(base::Loop& loop, size_t max_outstanding, std::string run, Callbacks callbacks);
  ~EventStreams();

  /// Answers a request for the stream: 405 unless it accepts text/event-stream.
  void handle(const base::http::Request& request, const base::http::Responder& responder,
              const base::http::Headers& common, std::shared_ptr<const Viewer> viewer = nullptr);

  /// Sent with what else this turn of the loop publishes.
  void publish(const Publish& event);

  size_t size() const { return streams_.size(); }

 private:
  struct Subscriber {
    base::http::Stream stream;
    std::string remote;
    std::set<std::string> types;  // empty: all
    std::shared_ptr<const Viewer> viewer;  // null: sees everything
    size_t outstanding = 0;       // events written since the queue was last empty
  };

  struct Past {
    uint64_t number = 0;
    std::string type;
    std::shared_ptr<const std::string> frame;
    bool on_request = false;
    std::vector<Subject> about;
  };

  /// Whether it is for that subscriber, who must want it and may see it.
  static bool is_for(const Subscriber& subscriber, const Past& event);
  void replay(Subscriber& subscriber, std::string_view last_id);
  void remember(Past past);
  void flush();
  void remove(uint64_t id);
  void keep_alive();

  base::Loop& loop_;
  size_t max_outstanding_;
  Callbacks callbacks_;
  std::map<uint64_t, Subscriber> streams_;
  uint64_t next_ = 1;
  std::string run_;
  uint64_t next_event_ = 1;
  std::deque<Past> past_;  // newest last, within the two limits
  size_t past_bytes_ = 0;
  std::vector<Past> batch_;  // of this turn
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
  base::Loop::TimerId timer_ = 0;
};

}  // namespace marathon
