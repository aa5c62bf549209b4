#pragma once

// The relay: accepts clients, asks the gateway what to do with each request, and moves bytes
// between the two sockets without waiting for a whole message. One thread, the loop's.

#include <functional>
#include <memory>
#include <string>

#include "admin-router/gateway.hpp"
#include "base/http/tls.hpp"
#include "base/loop.hpp"
#include "base/metrics.hpp"
#include "base/result.hpp"

namespace admin_router {

struct ProxyOptions {
  size_t max_header_bytes = 64 << 10;
  uint64_t max_body_bytes = uint64_t{32} << 30;  // of a request that tells its length
  size_t max_connections = 10'000;
  size_t max_idle_per_upstream = 64;
  base::Duration idle_timeout = base::seconds(65);    // a client between requests
  base::Duration header_timeout = base::seconds(30);  // from the first byte of a head to its last
  base::Duration connect_timeout = base::seconds(5);
  base::Duration write_timeout = base::seconds(60);  // a client that takes nothing of an answer with a length
  base::Duration body_timeout =
      base::seconds(600);  // an upstream that stops inside a body of known length
  base::Duration upstream_idle = base::seconds(30);
  base::Duration half_closed_timeout =
      base::seconds(30);  // a stream to a client that has closed its own direction
  /// For listeners with TLS, and for upstreams whose certificates are checked.
  std::shared_ptr<base::http::Tls> tls{};
  /// For services that speak https: their certificates are rarely from an authority that is known.
  std::shared_ptr<base::http::Tls> unchecked_tls{};
};

class Proxy {
 public:
  Proxy(base::Loop& loop, Gateway& gateway, base::Metrics& metrics, ProxyOptions options = {});
  ~Proxy();

  /// `ip` is literal; port 0 takes a free one. Returns the bound port. With `tls` by
  /// ProxyOptions::tls, which must be enabled.
  base::Result<uint16_t> listen(const std::string& ip, uint16_t port, bool tls = false);

  /// Requests that wait for first facts are decided again.
  void wake();

  /// Stops accepting, closes idle connections, lets running exchanges end; `done` when all are gone
  /// or after `limit`.
  void drain(base::Duration limit, std::function<void()> done);

  size_t connections() const;

  struct Engine;

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace admin_router
