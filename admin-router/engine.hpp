#pragma once

// Inside of the relay, shared by its files: the engine's state and the two kinds of connection.

#include <array>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "admin-router/chunks.hpp"
#include "admin-router/gateway.hpp"
#include "admin-router/poller.hpp"
#include "admin-router/proxy.hpp"
#include "admin-router/socket.hpp"
#include "base/pool.hpp"

namespace admin_router {

class Client;

/// A connection to a server of the cluster: in use by one client, or idle in the pool.
class Upstream : public Socket {
 public:
  Upstream(Proxy::Engine& engine, int fd, Address address)
      : Socket(poller_of(engine), fd), engine_(engine), address_(std::move(address)) {}

  void on_ready(uint32_t events) override;
  static Poller& poller_of(Proxy::Engine& engine);

  Client* client = nullptr;  // null: idle
  bool connecting = false;  // until the handshake is done
  bool reached = false;     // the TCP connection is there
  bool reused = false;
  base::Instant idle_since{};
  size_t slot = 0;  // place in the engine's list
  std::string& unread() { return in_; }
  const Address& address() const { return address_; }

 private:
  Proxy::Engine& engine_;
  Address address_;
};

/// A connection of a client, and the exchange under way on it.
class Client : public Socket {
 public:
  Client(Proxy::Engine& engine, int fd, Peer peer);

  void on_ready(uint32_t events) override;

  /// Advances as far as the sockets allow.
  void proceed();

  /// Looks at the time limits.
  void sweep(base::Instant now);

  /// The upstream could not be reached.
  void on_connect_failed(const std::string& why);
  void on_connected();
  /// The upstream's name was resolved (or not).
  void on_resolved(base::Result<std::string> ip);

  bool idle() const { return state_ == State::Head && in_.empty(); }
  void log_refusal(const std::string& why);
  bool parked() const { return state_ == State::Parked; }
  void close();
  size_t slot = 0;

 private:
  enum class State : uint8_t { Head, Parked, Exchange, Tunnel, Linger, Closed };
  enum class Mode : uint8_t { Raw, Unchunk, Enchunk };  // how the body reaches the client

  bool read_head();
  void take_head(std::string_view bytes, size_t head_bytes);
  void start_exchange(const RequestHead& head, std::string_view rest);
  void connect_upstream();
  void answer(const LocalAnswer& answer);
  void fail(int status, const std::string& text);
  void fault(const Fault& fault);

  void pump_request();
  void relay_request(std::string_view data);
  void pump_response();
  void on_upstream_data(std::string_view data);
  void on_response_head(std::string_view bytes, size_t head_bytes);
  void relay_response(std::string_view head, std::string_view data);
  void on_upstream_end(bool failed);
  bool retry();
  void finish();
  void drop_upstream();
  void begin_linger();
  void pump_tunnel();
  bool move_tunnel(Socket& from, Socket& to, std::string& unread);
  void drain_input();
  void touch() { activity_ = turn_now(); }
  base::Instant turn_now() const;
  /// The answer has no length that is known: a stream, or a tunnel.
  bool streaming() const;
  bool in_exchange() const { return state_ == State::Exchange; }

  Proxy::Engine& engine_;
  Peer peer_;
  State state_ = State::Head;
  base::Instant activity_{};      // the last byte that moved
  base::Instant head_started_{};  // first byte of an unfinished head
  size_t scanned_ = 0;            // of in_, without the end of a head in it
  size_t last_pending_ = 0;       // what sweep saw waiting for the client
  base::Instant stuck_since_{};
  bool reads_stream_ = false;     // what waits for the client is, or was, a stream's

  // The exchange.
  Upstream* upstream_ = nullptr;
  Forward forward_{};
  std::string host_{};
  std::string sent_head_{};  // kept while the request can be sent again
  bool to_head_ = false, keep_alive_ = true, upgrade_ = false, resolving_ = false;
  bool request_done_ = true, answered_ = false, half_closed_ = false;
  bool response_keep_alive_ = true, extra_bytes_ = false, repeatable_ = false;
  bool up_done_ = false, down_done_ = false;  // of a tunnel: that direction has ended
  ErrorForm form_ = ErrorForm::Text;
  int minor_ = 1;
  Framing request_{}, response_{};
  Mode mode_ = Mode::Raw;
  ChunkScanner request_chunks_{}, response_chunks_{};
  base::Instant half_closed_at_{};
};

struct Proxy::Engine {
  Engine(base::Loop& loop, Gateway& gateway, base::Metrics& metrics, ProxyOptions options);
  ~Engine();

  class Listener;

  base::Result<uint16_t> listen(const std::string& ip, uint16_t port, bool tls);
  void accept(Listener& listener);
  void sweep();
  void reap();
  void bury(Client& client);
  void bury(Upstream& upstream);

  /// A connected, idle one, or null.
  Upstream* take_idle(const Address& address);
  void put_idle(Upstream& upstream);
  /// Starts to connect. Error: at once refused.
  base::Result<Upstream*> connect(const Address& address, const std::string& ip);
  /// Calls back client->on_resolved with an IP, at once when it is known.
  void resolve(Client& client, const std::string& host);
  bool known_ip(const std::string& host, std::string& ip);

  base::Instant now() const { return loop.now().instant; }

  base::Loop& loop;
  Gateway& gateway;
  ProxyOptions options;
  Poller poller;
  std::unique_ptr<base::Pool> resolver;  // made when a name must be looked up: a process with one
                                         // thread is spared the locks of malloc and of system calls
  base::Loop::TimerId timer = 0;
  bool draining = false;
  base::Instant drain_until{};
  std::function<void()> drained{};

  std::vector<std::unique_ptr<Listener>> listeners{};
  std::vector<std::unique_ptr<Client>> clients{};
  std::vector<std::unique_ptr<Upstream>> upstreams{};
  std::vector<std::unique_ptr<Socket>> graves{};  // freed when no event can refer to them
  std::map<Address, std::vector<Upstream*>> idle{};
  struct Resolved {
    std::string ip;
    base::Instant until;
  };
  std::map<std::string, Resolved> names{};
  std::map<uint64_t, Client*> resolving{};
  uint64_t next_resolve = 1;
  base::Instant refusal_logged{};

  // Scratch for the request or answer being handled: nothing here survives a turn.
  std::array<char, 64 << 10> buffer{};
  RequestHead request{};
  ResponseHead response{};
  Decision decision{};
  std::string text{};
  std::string payload{};

  base::Counter& accepted;
  base::Counter& refused;
  base::Counter& requests;
  base::Counter& bad_requests;
  base::Counter& forwarded;
  base::Counter& upstream_failures;
  base::Counter& upstream_connects;
};

}  // namespace admin_router
