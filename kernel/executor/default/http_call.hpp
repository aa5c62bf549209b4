#pragma once

// One HTTP/1.1 request on a connection of its own, without a thread and without buffering what can be handed on: what the
// default executor needs of HTTP. The rest of the house uses base/http, which is too large to have one of per pod.

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "kernel/executor/default/poller.hpp"

namespace executor {

/// Where to connect: a unix socket, or an address in figures and a port.
struct Endpoint {
  std::string socket;
  std::string address;
  uint16_t port = 0;
  bool tls = false;  // whoever answers there
};

struct HttpRequest {
  Endpoint endpoint;
  std::string method = "POST", path = "/", body{};
  std::vector<std::pair<std::string, std::string>> headers{};  // besides Host, Content-Length and Connection
  std::optional<base::Instant> deadline{};                     // for the whole answer; absent: none
};

/// What comes of it; each may be empty.
struct HttpHandlers {
  std::function<void(int status, const std::string& location)> head{};
  std::function<void(std::string_view data)> data{};
  /// Always the last. `complete`: the answer came to its end; else `problem` says why not.
  std::function<void(bool complete, const std::string& problem)> end{};
};

/// This side's address on the way to an address in figures; nothing is sent. Empty: there is no way.
std::string address_towards(const std::string& address, uint16_t port);

/// To be given to a poller.
std::unique_ptr<Watched> make_http_call(HttpRequest request, HttpHandlers handlers);

/// Connects and closes; `done` gets whether that worked, or nothing when `deadline` passed.
std::unique_ptr<Watched> make_tcp_probe(const Endpoint& endpoint, std::optional<base::Instant> deadline,
                                        std::function<void(std::optional<bool>)> done);

}  // namespace executor
