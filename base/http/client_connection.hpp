#pragma once

// What the client is made of (internal to base/http): calls, connections and the pool per host.

#include <sys/socket.h>

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/http/channel.hpp"
#include "base/http/client.hpp"
#include "base/http/parser.hpp"
#include "base/http/poller.hpp"

namespace base::http {

class ClientConnection;

/// One request from start to end, through redirects and retries.
struct ClientCall::Impl : std::enable_shared_from_this<ClientCall::Impl> {
  std::weak_ptr<Client::Impl> client;
  Loop* loop = nullptr;
  ClientRequest request;
  std::function<void(Result<Response>)> done;  // of request()
  std::shared_ptr<StreamCallbacks> callbacks;  // of stream() and stream_upload(); kept while one of them runs
  bool streaming = false;
  bool upload = false;
  bool upgrade = false;                        // asks for another protocol
  bool upload_ended = false;
  std::optional<uint64_t> upload_left;         // with a Content-Length: what write() may still bring
  OutQueue upload_waiting;                     // written before there is a connection
  bool starting = true;                        // inside the caller's call: no callback may run
  bool finished = false;
  bool retried = false;
  bool paused = false;
  int redirects = 0;
  std::string redirect_to;                     // the answer under way is a redirect: where to
  Response response;
  Loop::TimerId timer = 0;
  std::shared_ptr<ClientConnection> connection;

  /// Tells the caller the end, once.
  void finish(Status status);
  void cancel();
};

struct Client::Impl : std::enable_shared_from_this<Client::Impl> {
  using Call = std::shared_ptr<ClientCall::Impl>;

  struct Host {
    std::vector<std::shared_ptr<ClientConnection>> idle;
    std::map<ClientConnection*, std::shared_ptr<ClientConnection>> active;
    std::deque<Call> waiting;
  };

  Loop& loop;
  Poller& poller;
  ClientOptions options;
  std::map<std::string, Host> hosts;
  Loop::TimerId sweep = 0;
  std::string spare;

  Impl(Loop& on, ClientOptions with);

  static std::string key_of(const Url& url);
  static std::string key_of(const ClientRequest& request);
  void start(const Call& call);
  void retry(const Call& call);
  void on_timeout(const Call& call);
  /// The connection is idle again (`reusable`) or gone.
  void release(const std::shared_ptr<ClientConnection>& connection, bool reusable);
  void shut_down();

 private:
  void serve_waiting(const std::string& key);
  void close_idle();
};

class ClientConnection : public Poller::Watcher,
                         public std::enable_shared_from_this<ClientConnection> {
 public:
  using Call = std::shared_ptr<ClientCall::Impl>;

  ClientConnection(std::shared_ptr<Client::Impl> client, std::string key);

  /// Opens the connection and sends the call's request.
  void connect(const Call& call);

  /// Sends a request on an open, idle connection.
  void send(const Call& call);

  void on_ready(bool ended, bool hung_up) override;

  /// Sends what was queued; failures are told on a later turn.
  void flush();
  void upload(std::string data);
  void end_upload();
  void resume();

  /// Forgets the call and closes, without a word to it.
  void close();

  /// Closes, and cancels the call.
  void abandon();

  const std::string& key() const { return key_; }
  const OutQueue& out() const { return out_; }
  Instant idle_since{};

 private:
  struct Resolver;

  void resolve();
  void try_next_address(const std::string& problem);
  void on_connected();
  void fail(Error error);
  void fail_later(Error error);
  void on_closed_by_peer(const std::string& how);
  void render_request();
  void pump();
  void feed(std::string_view data);
  void parse(std::string_view& data);
  void on_head();
  bool on_piece(std::string_view piece);
  void on_answer_complete();
  bool take_redirect(const Response& head);
  void on_end_of_input();

  enum class State { New, Resolving, Connecting, Handshaking, Open, Closed };

  std::shared_ptr<Client::Impl> client_;
  std::string key_;
  State state_ = State::New;
  std::unique_ptr<Channel> channel_;
  uint64_t ticket_ = 0;
  Call call_;
  ResponseParser parser_;
  OutQueue out_;
  std::string leftover_;
  std::vector<std::pair<sockaddr_storage, socklen_t>> addresses_;
  size_t next_address_ = 0;
  Loop::TimerId connect_timer_ = 0;
  std::shared_ptr<Resolver> resolver_;
  bool reused_ = false;
  bool answer_began_ = false;
  bool in_pump_ = false;
  bool posted_ = false;
  bool peer_ended_ = false;
  bool input_blocked_ = false;
  bool raw_ = false;
};

}  // namespace base::http
