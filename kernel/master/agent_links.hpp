#pragma once

// The gRPC side of the agent link: streams to and from agents. gRPC stays in agent_links.cpp; its threads post to the
// loop and nothing else.

#include <functional>
#include <memory>
#include <string>

#include "base/http/tls.hpp"
#include "base/loop.hpp"
#include "base/result.hpp"
#include "kernel/api/internal/agent_link.pb.h"
#include "kernel/master/ids.hpp"

namespace master {

class AgentLinks {
 public:
  struct Callbacks {
    /// On the loop, in order per link. `ip` is the peer's address.
    std::function<void(LinkId link, const std::string& ip, dcos::internal::v1::AgentMessage message)> on_message;
    /// On the loop, once per link, after its last message. Not for links that close() ended.
    std::function<void(LinkId link)> on_lost;
  };

  struct Options {
    size_t max_queued_messages = 100'000;            // per link, each direction; beyond, the link is cut
    size_t max_message_bytes = size_t{256} << 20;    // an agent that comes back tells all its tasks in one message
    base::Duration keepalive = base::seconds(20);    // a silent connection is probed, and cut when it does not answer
    std::shared_ptr<base::http::Tls> tls{};          // when enabled, links are encrypted; files are read again by gRPC
  };

  AgentLinks(base::Loop& loop, Options options, Callbacks callbacks);
  ~AgentLinks();  // cuts every link

  /// Port 0 takes a free one. Returns the bound port.
  base::Result<uint16_t> listen(const std::string& ip, uint16_t port);

  /// Where links without TLS are taken: the port itself, or, with TLS and downgrade, the next one (a free one when the port
  /// was 0). 0: nowhere.
  uint16_t plain_port() const;

  /// False when the link is gone.
  bool send(LinkId link, dcos::internal::v1::MasterMessage message);

  /// After what was sent before.
  void close(LinkId link);

  size_t size() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace master
