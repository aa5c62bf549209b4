#pragma once

// Answers over UDP: one thread per socket, several sockets on one port, answers from the zone of the moment. Names of
// others are handed over to the loop, in bounded number.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "dns/answer.hpp"
#include "dns/rate_limit.hpp"
#include "dns/zone_cell.hpp"

namespace dns {

/// Where a request came from, and through which socket and address its answer leaves.
struct UdpPeer {
  int socket = -1;
  std::array<char, 28> address{};  // sockaddr_in or sockaddr_in6
  uint8_t address_size = 0;
  Address source;
  Address local;                   // with a listener on all addresses: where the request arrived
  bool has_local = false;

  /// Thread-safe.
  void send(std::string_view answer) const;
};

struct ForwardedRequest {
  std::string bytes;
  Query query;
  UdpPeer peer;
};

struct UdpCounters {
  std::atomic<uint64_t> queries{0}, answers{0}, forwarded{0}, limited{0}, dropped{0}, failures{0};
};

struct UdpOptions {
  Address listener;
  uint16_t port = 53;
  unsigned threads = 1;
};

class UdpServer {
 public:
  /// `forward` is called by any of the threads.
  using Forward = std::function<void(std::vector<ForwardedRequest>)>;

  UdpServer(const AnswerOptions& answers, const ZoneCell& zone, RateLimit& limit, Forward forward);
  ~UdpServer();  // ends the threads

  /// The bound port. Requests wait in the sockets until start().
  base::Result<uint16_t> bind(const UdpOptions& options);
  void start();

  const UdpCounters& counters() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace dns
