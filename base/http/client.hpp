#pragma once

// HTTP/1.1 client on Beast, confined to client.cpp: pooled keep-alive connections, timeouts, streamed answers. Runs on
// one loop; every callback runs there, never inside the call that started it.

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "base/http/message.hpp"
#include "base/http/tls.hpp"
#include "base/loop.hpp"

namespace base::http {

struct Url {
  std::string scheme = "http";  // http, https or unix
  std::string host;             // for unix: the socket's path
  uint16_t port = 80;
  std::string target = "/";     // path and query

  /// "http://host:8080/path?x=1", "https://host/", "unix:/run/x.sock:/path".
  static Result<Url> parse(std::string_view text);
  std::string render() const;
};

struct ClientRequest {
  std::string method = "GET";
  Url url;
  Headers headers{};
  std::string body{};
  Duration timeout = seconds(30);          // to the complete answer; for streams: to its head
  int max_redirects = 0;                   // 307/308 keep method and body; Authorization does not cross hosts
  size_t max_body_bytes = 64 << 20;
  std::string network{};                   // file of a network namespace to connect from; empty: this process's
};

struct ClientOptions {
  size_t max_connections_per_host = 64;
  size_t max_idle_per_host = 16;
  Duration idle_timeout = seconds(30);
  Duration connect_timeout = seconds(5);
  std::string ca_file{};                   // empty: the system's authorities
  bool verify_tls = true;
  std::shared_ptr<Tls> tls{};              // instead of the two above: with a certificate, and read again
};

/// A running request; dropping the handle does not end it.
class ClientCall {
 public:
  struct Impl;
  ClientCall() = default;
  explicit ClientCall(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
  /// No further callback runs.
  void cancel() const;
  /// For requests started with stream_upload: queues a piece of the body, or ends it.
  bool write(std::string data) const;
  void end() const;

  /// Bytes given to write() and not yet taken by the socket; StreamCallbacks::on_drained tells when it is 0 again.
  size_t queued_bytes() const;

  /// Stops and resumes on_data: back-pressure onto the server.
  void pause(bool pause) const;

 private:
  std::shared_ptr<Impl> impl_;
};

struct StreamCallbacks {
  std::function<void(const Response& head)> on_head;        // body empty
  std::function<void(std::string_view data)> on_data;
  std::function<void(Status)> on_end;                        // always the last; error when cut off or never connected
  std::function<void()> on_drained{};                        // what write() had queued is sent
};

class Client {
 public:
  struct Impl;

  explicit Client(Loop& loop, ClientOptions options = {});
  ~Client();  // cancels everything

  /// `done` gets the whole answer (any status), or an error: Unavailable (cannot connect), Timeout, BadGateway, TooLarge.
  ClientCall request(ClientRequest request, std::function<void(Result<Response>)> done);

  /// The answer's body as it arrives, for event streams. No time limit after the head.
  ClientCall stream(ClientRequest request, StreamCallbacks callbacks);

  /// As stream, with the request body sent by ClientCall::write and end: chunked, or as it is when the headers have a
  /// Content-Length. With an Upgrade header there is no body; after an answer 101 both directions are raw bytes.
  ClientCall stream_upload(ClientRequest request, StreamCallbacks callbacks);

 private:
  std::shared_ptr<Impl> impl_;
};

/// One blocking request on a loop of its own: for command-line programs and tests, never in a daemon.
Result<Response> fetch(ClientRequest request);

}  // namespace base::http
