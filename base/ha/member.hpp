#pragma once

// Candidacy and proxy as one, on a real ZooKeeper: what a daemon's shell holds when it is one of several. One loop, one
// thread.

#include <functional>
#include <memory>
#include <string>

#include "base/ha/candidacy.hpp"
#include "base/ha/leader_proxy.hpp"

namespace base::ha {

class Member {
 public:
  struct Options {
    zk::Url url;
    std::string self;             // "host:port" at which others reach this process
    std::string scheme = "http";
    Duration session_timeout = seconds(10);
    LeaderProxy::Options proxy{};  // `self` is filled in
  };

  struct Callbacks {
    /// This process acts from now on. Requests wait until serving() is called.
    std::function<void(std::unique_ptr<Store> store)> on_leading;
    /// Nothing may be done any more; the process must end. May be called by what this holds: take nothing down inside.
    std::function<void(const std::string& why)> on_lost;
    std::function<void(http::Request, http::Responder)> serve;
    std::function<http::Response(int status, const std::string& message)> refuse;
  };

  Member(Loop& loop, Options options, Callbacks callbacks);
  ~Member();  // gives the leadership up: the next one need not wait for the session to end

  void start() { candidacy_->start(); }

  /// To be asked before each act.
  bool may_act() const { return candidacy_->may_act(); }

  /// The owner has read the store: requests are served here while it may act.
  void serving();
  bool leading() const { return serving_ && may_act(); }

  /// Serves the request, passes it on, lets it wait, or refuses it.
  void handle(http::Request request, http::Responder responder) {
    proxy_.handle(std::move(request), std::move(responder));
  }
  void redirect(const http::Request& request, const http::Responder& responder) { proxy_.redirect(request, responder); }

 private:
  bool serving_ = false;
  std::unique_ptr<Candidacy> candidacy_;
  LeaderProxy proxy_;
};

}  // namespace base::ha
