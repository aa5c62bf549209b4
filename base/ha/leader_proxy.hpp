#pragma once

// What a process that does not lead does with requests: it passes them on to the one that does, and the answer back,
// piece by piece. While nobody is known to lead, or this process is about to, a request waits a little. One loop, one
// thread.

#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "base/http/client.hpp"
#include "base/http/server.hpp"

namespace base::ha {

class LeaderProxy {
 public:
  struct Options {
    std::string self;                        // "host:port", for the header by which loops are found
    std::string via_header = "X-Marathon-Via";
    std::string via_prefix = "1.1 ";         // before `self` in it
    std::string leader_header{};             // not empty: names the leader's "host:port" in request and answer
    Duration wait = milliseconds(2500);      // for somebody to lead
    Duration connect_timeout = seconds(5);
    Duration head_timeout = seconds(10);     // to the head of the answer
    size_t max_connections = 64;
    size_t max_waiting = 1000;
    std::shared_ptr<http::Tls> tls{};        // for a leader with https; null: the system's authorities
  };

  struct Callbacks {
    std::function<bool()> leading;                             // this process does
    std::function<std::optional<std::string>()> elsewhere;     // "http://host:port" of another that does
    std::function<void(http::Request, http::Responder)> serve;  // called while leading
    std::function<http::Response(int status, const std::string& message)> refuse;
  };

  LeaderProxy(Loop& loop, Options options, Callbacks callbacks);
  ~LeaderProxy();
  LeaderProxy(const LeaderProxy&) = delete;
  LeaderProxy& operator=(const LeaderProxy&) = delete;

  /// Answers the request in one of these ways. 503: nobody leads. 502: the leader cannot be reached, or the request has
  /// been here before. 504: the leader does not answer in time.
  void handle(http::Request request, http::Responder responder);

  /// As handle, for what is not to be passed on but asked of the leader itself: answered with a redirect (302).
  void redirect(const http::Request& request, const http::Responder& responder);

  /// Somebody else leads, or this process does: those who wait are looked at again.
  void leader_changed();

 private:
  struct Waiting {
    http::Request request;
    http::Responder responder;
    Loop::TimerId timer = 0;
    bool gone = false;
  };

  void wait(http::Request request, http::Responder responder);
  void forward(const std::string& leader, http::Request request, const http::Responder& responder);

  Loop& loop_;
  Options options_;
  Callbacks callbacks_;
  http::Client client_;
  std::list<std::shared_ptr<Waiting>> waiting_{};
};

}  // namespace base::ha
