#include "marathon/prober.hpp"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "base/http/client.hpp"

namespace marathon {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

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

/// One HTTP request that ends with the answer's head, or with the first piece of its body when that is wanted: however
/// large the body is, and however slowly it comes.
struct HttpProbe : std::enable_shared_from_this<HttpProbe> {
  HttpProbe(base::Loop& l, uint64_t i, bool body, std::function<void(Probed)> d)
      : loop(l), want_body(body), done(std::move(d)) {
    result.id = i;
  }

  void start(base::http::Client& client, base::http::ClientRequest request) {
    auto self = shared_from_this();
    // The client's limit ends with the head.
    timer = loop.after(request.timeout, [self] { self->finish(self->result.status == 0 ? "timed out" : ""); });
    call = client.stream(std::move(request),
                         {.on_head = [self](const base::http::Response& head) { self->on_head(head); },
                          .on_data = [self](std::string_view data) { self->on_data(data); },
                          .on_end = [self](base::Status status) {
                            const bool cut = !status && self->result.status == 0;
                            self->finish(cut ? status.error().message : "");
                          }});
  }

  void on_head(const base::http::Response& head) {
    result.status = head.status;
    result.content_type = std::string(head.headers.get_or("Content-Type", ""));
    if (!want_body) finish("");
  }

  void on_data(std::string_view data) {
    if (finished) return;
    result.body += data.substr(0, kMaxShownBody - result.body.size());
    if (result.body.size() >= kMaxShownBody) finish("");
  }

  void finish(std::string error) {
    if (finished) return;
    finished = true;
    loop.cancel(timer);
    result.error = std::move(error);
    // Not from within its own callback.
    loop.post([self = shared_from_this()] { self->call.cancel(); });
    done(std::move(result));
  }

  base::Loop& loop;
  bool want_body;
  std::function<void(Probed)> done;
  Probed result;
  base::http::ClientCall call;
  base::Loop::TimerId timer = 0;
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
  auto http_probe = std::make_shared<HttpProbe>(impl_->loop, probe.id, probe.want_body, [weak](Probed result) {
    if (auto self = weak.lock()) self->done(std::move(result));
  });
  http_probe->start(impl_->http, std::move(request));
}

}  // namespace marathon
