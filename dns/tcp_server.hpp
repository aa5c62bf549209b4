#pragma once

// Answers over TCP on the loop: pipelined requests, answers in any order (RFC 7766), limits on connections, on what is
// under way and on time. Names of others go to the forwarder.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "dns/address.hpp"
#include "dns/answer.hpp"
#include "dns/zone_cell.hpp"

namespace dns {

struct TcpOptions {
  size_t max_connections = 1000;
  size_t max_connections_per_source = 100;
  size_t max_under_way = 100;              // requests of one connection without an answer
  size_t max_queued_bytes = 1 << 20;       // answers that the client does not read: reading stops
  base::Duration idle_timeout = base::seconds(10);
};

struct TcpCounters {
  uint64_t connections = 0, refused = 0, queries = 0, answers = 0;
  size_t open = 0;
};

class TcpServer {
 public:
  using Done = std::function<void(std::optional<std::string>)>;
  using Forward = std::function<void(std::string request, const Query& query, const Address& source, Done done)>;

  TcpServer(base::Loop& loop, const AnswerOptions& answers, const ZoneCell& zone, TcpOptions options, Forward forward);
  ~TcpServer();

  base::Result<uint16_t> listen(const Address& address, uint16_t port);
  void stop_listening();
  const TcpCounters& counters() const;

  struct Impl;

 private:
  std::shared_ptr<Impl> impl_;
};

}  // namespace dns
