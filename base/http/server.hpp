#pragma once

// HTTP/1.1 server on Beast, confined to server.cpp: keep-alive, pipelining, limits on header, body, connections and
// idle time, gzip of answers, chunked streams, graceful drain. Runs on one loop.

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/http/message.hpp"
#include "base/http/tls.hpp"
#include "base/loop.hpp"

namespace base::http {

/// A response body under way, sent chunked. Copies are handles of one stream; when the last one goes without close(),
/// the connection is dropped, so that the client sees a cut and not an end. All calls on the loop; no callback runs
/// inside a call.
class Stream {
 public:
  struct Impl;
  Stream() = default;
  explicit Stream(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  /// Queues one chunk. False when the peer is gone or close() was called; then the data is dropped.
  bool write(std::string data) const;

  /// The same for data that many streams send: no copy is made.
  bool write(std::shared_ptr<const std::string> data) const;

  /// Bytes queued and not yet taken by the socket: the caller's measure for cutting off a slow reader.
  size_t queued_bytes() const;

  /// Ends the body after what is queued.
  void close() const;

  /// Drops the connection at once, queued data included.
  void abort() const;

  /// Called once when the peer has gone (not after close()).
  void on_disconnect(std::function<void()> call) const;

  /// Called each time the queue becomes empty.
  void on_drained(std::function<void()> call) const;

  bool connected() const;
  explicit operator bool() const { return impl_ != nullptr; }

 private:
  std::shared_ptr<Impl> impl_;
};

/// The right to answer one request, once. Copies are handles of the same right; when the last one goes without an answer,
/// the client gets 500. All calls on the loop, at any later time.
class Responder {
 public:
  struct Impl;
  explicit Responder(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}

  void reply(Response response) const;

  /// Sends status and headers now and returns the body's stream: chunked, or as it is when the headers have a
  /// Content-Length; writes beyond it are refused, and an end before it cuts the connection.
  Stream stream(Response head) const;

  /// For handlers of streaming routes: pieces of the request body as they arrive; `end` is true with the last call,
  /// which carries no data. Unread data stops the peer (back-pressure) until the function is set.
  void on_body(std::function<void(std::string_view data, bool end)> call) const;

  /// Stops and resumes on_body: back-pressure onto the sender of the body.
  void pause_body(bool pause) const;

  /// Answers 101 with `head` and turns the connection into a raw two-way channel: the stream writes bytes as they are,
  /// on_body gets what arrives. For requests with an Upgrade header (websockets).
  Stream upgrade(Response head) const;

  /// Called once when the client goes away before the answer is complete.
  void on_disconnect(std::function<void()> call) const;

  /// Whether the request came by TLS.
  bool secure() const;

 private:
  std::shared_ptr<Impl> impl_;
};

using Handler = std::function<void(Request, Responder)>;

struct ServerOptions {
  size_t max_header_bytes = 64 << 10;
  size_t max_body_bytes = 16 << 20;        // beyond: 413
  size_t max_connections = 10'000;         // beyond: accepted, answered 503 and closed
  Duration idle_timeout = seconds(120);    // between requests, and for a request that does not progress
  size_t gzip_min_bytes = 1024;            // smaller answers are not compressed; 0: never
  std::string server_name{};               // "Server" header; empty: none
  /// Tells which requests get their body by Responder::on_body instead of Request::body.
  std::function<bool(const Request& head)> streams_body{};
  /// When it is enabled, addresses (not unix sockets) take TLS.
  std::shared_ptr<Tls> tls{};
};

class Server {
 public:
  Server(Loop& loop, ServerOptions options, Handler handler);
  ~Server();  // closes every connection

  /// `address` is a literal IP. Port 0 takes a free one. Returns the bound port. The error names address, port and, when
  /// taken, says so. May be called for several addresses.
  Result<uint16_t> listen(const std::string& address, uint16_t port);

  /// A unix socket at `path` (replaced when stale), mode 0600.
  Status listen_unix(const std::string& path);

  /// Stops accepting, lets running requests end, closes idle connections; `done` when all are closed or after `limit`.
  void drain(Duration limit, std::function<void()> done);

  size_t connections() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace base::http
