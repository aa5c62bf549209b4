#pragma once

// One connection of the HTTP server (internal to base/http): reads requests, keeps one slot per request that is being
// answered, writes the answers in the order of the requests.

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/http/channel.hpp"
#include "base/http/parser.hpp"
#include "base/http/poller.hpp"
#include "base/http/server.hpp"

namespace base::http {

class Connection;

/// What the connections of one server share.
struct ServerState : std::enable_shared_from_this<ServerState> {
  Loop& loop;
  Poller& poller;
  ServerOptions options;
  Handler handler;
  std::unordered_map<Connection*, std::shared_ptr<Connection>> connections;
  bool draining = false;
  std::function<void()> on_connection_closed;
  std::string spare;  // output memory lent to whichever connection is being served
  Instant refusal_logged{};       // when a failed handshake was logged last
  uint64_t refusals_unlogged = 0;

  ServerState(Loop& on, ServerOptions with, Handler call);

  /// The value of the Date header.
  const std::string& date();

  /// Logs a failed handshake: at most one a second, with the number of those left out.
  void log_refusal(const std::string& address, const std::string& why);

  // Large answers share what may be written in one turn of the loop, however many there are: calls and small answers go
  // between. They take turns, a piece each.

  /// How much a connection with much to write may write now; nothing: await_output().
  size_t output_left() const;
  void count_output(size_t bytes);

  /// Calls write_on() of the connection when there is something left for it.
  void await_output(std::weak_ptr<Connection> connection);

 private:
  void serve_outputs();
  void next_turn();

  std::deque<std::weak_ptr<Connection>> outputs_;
  size_t written_in_turn_ = 0;
  bool turn_posted_ = false;
  int64_t date_second_ = -1;
  std::string date_;
};

class Connection : public Poller::Watcher, public std::enable_shared_from_this<Connection> {
 public:
  using BodyCall = std::function<void(std::string_view, bool)>;
  using Call = std::function<void()>;

  Connection(std::shared_ptr<ServerState> server, std::unique_ptr<Channel> channel,
             std::string remote_address);

  /// Begins to serve, or, when the server is full, to refuse. False when the poller refuses the socket.
  bool start(bool refuse);

  void on_ready(bool ended, bool hung_up) override;

  /// Drops the connection. `notify`: the peer is the cause, tell those who wait.
  void close(bool notify);

  /// Enforces the time limits.
  void check_time(Instant now);

  /// Closes at once when nothing is under way, else after the running requests.
  void drain();

  /// Writes on what is queued.
  void write_on();

  bool closed() const { return closed_; }
  bool secure() const { return channel_ && channel_->secure(); }

  // For Responder and Stream; `slot` names a request of this connection. Unknown slots are ignored: the answer is
  // complete or the connection gone.
  void reply(uint64_t slot, Response response);
  bool begin_stream(uint64_t slot, Response head, bool raw);  // false: answered before
  bool write(uint64_t slot, std::string data);
  bool write(uint64_t slot, std::shared_ptr<const std::string> data);
  void end_stream(uint64_t slot);
  bool is_streaming(uint64_t slot);
  void cut(uint64_t slot);  // drops the connection after what the socket takes at once
  size_t queued_bytes(uint64_t slot);
  void set_on_body(uint64_t slot, BodyCall call);
  void pause_body(uint64_t slot, bool pause);
  void set_on_disconnect(uint64_t slot, Call call, bool of_stream);
  void set_on_drained(uint64_t slot, Call call);

 private:
  struct Slot {
    uint64_t id = 0;
    bool is_head = false;          // a HEAD request
    bool http10 = false;
    bool takes_gzip = false;
    bool keep_alive = true;
    bool upgrade = false;
    bool wants_continue = false;   // 100 Continue is due when somebody reads the body
    bool streams_body = false;
    bool body_done = false;        // the request was read to its end
    bool dispatched = false;       // the handler was called
    bool answered = false;         // the head of the answer is queued
    bool complete = false;         // all of the answer is queued
    bool streaming = false;
    bool fresh = false;            // the stream began in this turn
    bool chunked = false;
    std::optional<uint64_t> left;  // of a stream with a Content-Length: what is still to come
    bool raw = false;
    bool paused = false;
    bool body_ended = false;       // on_body was told
    OutQueue waiting;              // what cannot go out before the answers to earlier requests
    std::string pending_body;      // arrived before on_body was set
    std::shared_ptr<BodyCall> on_body;
    Call on_disconnect;
    Call on_stream_disconnect;
    Call on_drained;
  };

  Slot* find(uint64_t id);
  OutQueue& queue_of(Slot& slot) { return &slot == &slots_.front() ? out_ : slot.waiting; }

  // Input.
  bool shake_hands();
  void pump();
  void later();
  bool may_parse();
  void feed(std::string_view data);
  void parse(std::string_view& data);
  void on_head();
  void on_piece(std::string_view piece);
  void on_message_end();
  void on_end_of_input();
  void dispatch(Slot& slot);
  void deliver(uint64_t slot);
  void reject(int status, const std::string& message);

  // Output.
  enum class BodyKind { Sized, Chunked, UntilClose, Raw };
  template <class Data>
  bool write_data(uint64_t slot, size_t size, Data data);
  void render_head(Slot& slot, const Response& response, BodyKind kind, size_t body_bytes);
  void compress(const Slot& slot, Response& response);
  void advance();
  void flush();
  void finish();

  std::shared_ptr<ServerState> server_;
  std::unique_ptr<Channel> channel_;
  std::string remote_address_;
  uint64_t ticket_ = 0;
  RequestParser parser_;
  std::string leftover_;             // read and not yet parsed
  std::vector<Slot> slots_;          // requests not completely answered, oldest first
  uint64_t last_slot_ = 0;
  OutQueue out_;
  Instant last_progress_;
  Instant message_began_;
  bool established_ = false;         // the handshake is done
  bool in_message_ = false;          // part of a request was read
  bool in_pump_ = false;
  bool posted_ = false;
  bool awaits_output_ = false;       // its turn to write will come
  bool peer_ended_ = false;          // the poller announced the end of input
  bool end_seen_ = false;            // and it was read
  bool input_blocked_ = false;       // the last pump left something unread
  bool input_closed_ = false;        // nothing further is parsed
  bool closing_ = false;             // close when the output is written
  bool lingering_ = false;           // closed for writing; reads until the peer closes too
  bool closed_ = false;
};

struct Responder::Impl {
  std::shared_ptr<Connection> connection;
  uint64_t slot;

  Impl(std::shared_ptr<Connection> on, uint64_t id) : connection(std::move(on)), slot(id) {}
  ~Impl();
};

struct Stream::Impl {
  std::shared_ptr<Connection> connection;
  uint64_t slot;

  Impl(std::shared_ptr<Connection> on, uint64_t id) : connection(std::move(on)), slot(id) {}
  ~Impl();
};

}  // namespace base::http
