#include "marathon/prober.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/http/client.hpp"

namespace marathon {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

constexpr size_t kMaxBody = 64 << 10;
constexpr size_t kMaxShownBody = 4 << 10;

/// One TCP connection that is closed as soon as it is open.
struct TcpProbe : std::enable_shared_from_this<TcpProbe> {
  TcpProbe(asio::io_context& context, std::function<void(std::string error)> d)
      : resolver(context), socket(context), timer(context), done(std::move(d)) {}

  void start(const std::string& host, int port, base::Duration timeout) {
    auto self = shared_from_this();
    timer.expires_after(timeout);
    timer.async_wait([self](const boost::system::error_code& error) {
      if (!error) self->finish("connection timed out");
    });
    resolver.async_resolve(host, std::to_string(port),
                           [self](const boost::system::error_code& error, tcp::resolver::results_type results) {
                             if (error) return self->finish(error.message());
                             if (self->finished) return;
                             asio::async_connect(self->socket, results,
                                                 [self](const boost::system::error_code& e, const tcp::endpoint&) {
                                                   self->finish(e ? e.message() : "");
                                                 });
                           });
  }

  void finish(const std::string& error) {
    if (finished) return;
    finished = true;
    boost::system::error_code ignored;
    timer.cancel();
    resolver.cancel();
    socket.close(ignored);
    done(error);
  }

  tcp::resolver resolver;
  tcp::socket socket;
  asio::steady_timer timer;
  std::function<void(std::string)> done;
  bool finished = false;
};

}  // namespace

struct Prober::Impl {
  Impl(base::Loop& l, std::function<void(Probed)> d)
      : loop(l),
        // Connections are not kept: an endpoint that can no longer be connected to must be noticed. Certificates are
        // not verified: what answers is what is asked.
        http(l, {.max_idle_per_host = 0, .verify_tls = false}),
        done(std::move(d)) {}

  base::Loop& loop;
  base::http::Client http;
  std::function<void(Probed)> done;
};

Prober::Prober(base::Loop& loop, std::function<void(Probed)> done)
    : impl_(std::make_shared<Impl>(loop, std::move(done))) {}

Prober::~Prober() = default;

void Prober::probe(const Probe& probe) {
  std::weak_ptr<Impl> weak = impl_;
  if (probe.kind == ProbeKind::Tcp) {
    auto tcp_probe = std::make_shared<TcpProbe>(impl_->loop.context(), [weak, id = probe.id](std::string error) {
      if (auto self = weak.lock()) self->done({id, 0, std::move(error), {}, {}});
    });
    return tcp_probe->start(probe.host, probe.port, probe.timeout);
  }
  base::http::ClientRequest request;
  request.url.scheme = probe.kind == ProbeKind::Https ? "https" : "http";
  request.url.host = probe.host;
  request.url.port = static_cast<uint16_t>(probe.port);
  request.url.target = probe.path;
  request.timeout = probe.timeout;
  request.max_body_bytes = kMaxBody;
  impl_->http.request(std::move(request), [weak, id = probe.id, want_body = probe.want_body](
                                              base::Result<base::http::Response> answer) {
    auto self = weak.lock();
    if (!self) return;
    Probed result;
    result.id = id;
    if (answer) {
      result.status = answer->status;
      result.content_type = std::string(answer->headers.get_or("Content-Type", ""));
      if (want_body) result.body = answer->body.substr(0, kMaxShownBody);
    } else {
      result.error = answer.error().message;
    }
    self->done(std::move(result));
  });
}

}  // namespace marathon
