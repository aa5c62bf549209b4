#pragma once

// The open connections of /v2/events: who wants which types, keep-alive, and cutting off who cannot follow.

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "base/http/server.hpp"
#include "base/loop.hpp"

namespace marathon {

class EventStreams {
 public:
  struct Callbacks {
    std::function<void(const std::string& remote_address)> on_open, on_close;
  };

  EventStreams(base::Loop& loop, size_t max_outstanding, Callbacks callbacks);
  ~EventStreams();

  /// Answers a request for the stream: 405 unless it accepts text/event-stream.
  void handle(const base::http::Request& request, const base::http::Responder& responder,
              const base::http::Headers& common);

  void publish(const std::string& type, const std::string& data);

  size_t size() const { return streams_.size(); }

 private:
  struct Subscriber {
    base::http::Stream stream;
    std::string remote;
    std::set<std::string> types;  // empty: all
    size_t outstanding = 0;       // events since the queue was last empty
  };

  void remove(uint64_t id);
  void keep_alive();

  base::Loop& loop_;
  size_t max_outstanding_;
  Callbacks callbacks_;
  std::map<uint64_t, Subscriber> streams_;
  uint64_t next_ = 1;
  base::Loop::TimerId timer_ = 0;
};

}  // namespace marathon
