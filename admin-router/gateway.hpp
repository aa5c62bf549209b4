#pragma once

// What to do with one request: answer it here, send it on, or let it wait for the first facts.
// Decides from the route table, the authorizer and the core's facts; touches no socket.

#include <memory>
#include <optional>
#include <string>

#include "admin-router/authorizer.hpp"
#include "admin-router/http_head.hpp"
#include "admin-router/routes.hpp"
#include "admin-router/static_files.hpp"
#include "admin-router/table.hpp"
#include "base/metrics.hpp"
#include "base/time.hpp"

namespace admin_router {

/// Who sent the request.
struct Peer {
  std::string address{};  // without port
  std::string local{};    // the address it connected to
  bool tls = false;
};

/// An answer made here. `fields` are whole lines; Content-Length and Connection are added when it
/// is sent.
struct LocalAnswer {
  int status = 200;
  std::string fields{};
  std::shared_ptr<const std::string> body{};
};

/// Where a request goes and what changes on the way.
struct Forward {
  Address address{};
  std::string target{};         // path and query for the upstream
  std::string public_prefix{};  // "/service/x": Location headers are put below it
  std::string
      upstream_base{};  // what the public prefix stands for on the upstream, "" for its root
  std::string what{};   // for error texts: "the Mesos master"
  bool drop_accept_encoding = false;
  bool drop_authorization = false;
  bool to_cluster = false;      // a master or an agent
  std::string authorization{};  // set: replaces the client's header
  base::Duration head_timeout = base::seconds(60);
  std::shared_ptr<const Claims> session{};  // of a cluster with login
  int64_t stale_seconds = 0;                // above 0: told to the client in a header
};

struct Decision {
  enum class Kind : uint8_t { Reply, Send, Wait };
  Kind kind = Kind::Reply;
  LocalAnswer reply{};
  Forward forward{};
};

/// Where the daemons beside the gateway are. An absent one makes its routes answer 404.
struct Backends {
  std::optional<Address> package{};
  std::optional<Address> mesos_dns{};
  std::optional<Address> net{};
  std::optional<Address> login{};  // the user service, a unix socket; absent: no login
};

struct GatewayConfig {
  Backends backends{};
  std::string cluster_id{};
  std::string public_ip = "127.0.0.1";
  std::string version = "2.2.0";  // the release whose interfaces are offered
  std::string commit{};
  std::string ui_config{};  // JSON text of uiConfiguration
  bool cluster_tls = false;  // masters and agents are reached by https
  std::string cluster_authorization{};  // header for masters and agents, instead of the client's
  base::Duration patience =
      base::seconds(2);  // how long after the start requests wait for first facts
};

class Gateway {
 public:
  Gateway(GatewayConfig config, Table& table, Authorizer& authorizer, StaticFiles& files,
          const base::Metrics& metrics, base::Now start);

  /// `may_wait` is false once a request has waited long enough.
  void decide(const RequestHead& head, const Peer& peer, base::Now now, bool may_wait,
              Decision& out);

  /// Whether a running exchange may go on.
  bool goes_on(const Forward& forward, base::Now now) const {
    return !forward.session || authorizer_.goes_on(*forward.session, now);
  }

 private:
  struct Context {
    const RequestHead& head;
    const Peer& peer;
    base::Now now;
    bool may_wait;
    std::string_view path;  // normalised
  };
  void to_master(const Context& context, std::string_view cut, Decision& out);
  void to_service(const Context& context, std::string_view path, std::string_view prefix,
                  Decision& out);
  void to_agent(const Context& context, const Route& route, Decision& out);
  bool to_login(const Context& context, const Route& route, Decision& out);
  void to_backend(const Context& context, const Route& route, Decision& out);
  void to_agent_system(const Context& context, Decision& out);
  void as_cluster(Forward& forward) const;
  void wait_or_fail(const Context& context, const std::string& reason, Decision& out);
  void answer_here(const Context& context, const Route& route, Decision& out);
  void answer_auth(const Context& context, Decision& out);
  void refuse(const Context& context, const Verdict& verdict, Decision& out);
  void serve_file(const Context& context, Decision& out);
  std::string health(base::Now now) const;

  GatewayConfig config_;
  Table& table_;
  Authorizer& authorizer_;
  StaticFiles& files_;
  const base::Metrics& metrics_;
  base::Now start_;
  std::string scratch_{};
};

/// How a client wants to be told of an error.
enum class ErrorForm : uint8_t { Text, Html, Json };
ErrorForm error_form(const RequestHead& head);

LocalAnswer error_answer(ErrorForm form, int status, std::string_view text,
                         std::string_view tried = {});
inline LocalAnswer error_answer(const RequestHead& head, int status, std::string_view text) {
  return error_answer(error_form(head), status, text);
}

LocalAnswer json_answer(int status, std::string body);

}  // namespace admin_router
