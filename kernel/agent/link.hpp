#pragma once

// The agent's end of the link to the leading master: finds it, connects, connects again. gRPC stays in link.cpp.

#include <functional>
#include <memory>
#include <string>

#include "base/http/tls.hpp"
#include "base/loop.hpp"
#include "base/random.hpp"
#include "base/result.hpp"
#include "kernel/api/internal/agent_link.pb.h"

namespace agent {

class Link {
 public:
  struct Callbacks {
    std::function<void()> connected;
    std::function<void(dcos::internal::v1::MasterMessage)> received;
    std::function<void(const std::string& why)> disconnected;
  };

  /// `master` is host:port, file:///path of a file that holds it (read before each attempt), or zk://...: the leader as
  /// ZooKeeper has it.
  /// With `tls` enabled the master must speak TLS too.
  Link(base::Loop& loop, std::string master, base::Duration zk_session_timeout, std::shared_ptr<base::http::Tls> tls,
       base::Random random, Callbacks callbacks);
  ~Link();

  void start();

  /// Dropped when there is no connection: the core sends again what matters.
  void send(dcos::internal::v1::AgentMessage message);

  /// Drops the connection and finds the leading master anew.
  void reconnect(const std::string& why);

  /// Host and port of the master last found; empty before.
  const std::string& master() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace agent
