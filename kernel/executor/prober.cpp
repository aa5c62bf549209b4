#include "kernel/executor/prober.hpp"

#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include "base/http/client.hpp"
#include "base/netns.hpp"

namespace executor {
namespace {

constexpr size_t kMaxAnswerBytes = 1 << 20;
constexpr int kMaxRedirects = 10;
constexpr base::Duration kForever = base::hours(24);

/// Zero means no limit.
base::Duration limit_of(double seconds) {
  const base::Duration limit = from_seconds(seconds);
  return limit == base::Duration::zero() ? kForever : limit;
}

base::http::ClientOptions client_options() {
  base::http::ClientOptions options;
  options.verify_tls = false;        // a task's certificate is rarely made out to 127.0.0.1
  options.max_idle_per_host = 0;     // every probe shows that a new connection is taken
  return options;
}

}  // namespace

struct Prober::Impl : std::enable_shared_from_this<Prober::Impl> {
  Impl(base::Loop& l, base::Pool& p, containerizer::Containerizer& c)
      : loop(l), pool(p), containers(c), client(l, client_options()) {}

  void http(const std::string& container, const std::string& scheme, bool v6, uint32_t port, const std::string& path,
            double timeout, Done done) {
    base::http::ClientRequest request;
    std::string target = path.empty() ? "/" : path;
    if (target[0] != '/') target = "/" + target;
    request.url.scheme = scheme.empty() ? "http" : scheme;
    request.url.host = v6 ? "::1" : "127.0.0.1";
    request.url.port = static_cast<uint16_t>(port);
    request.url.target = target;
    request.network = containers.network_of(container);
    request.timeout = limit_of(timeout);
    request.max_redirects = kMaxRedirects;
    request.max_body_bytes = kMaxAnswerBytes;
    client.request(std::move(request), [done](base::Result<base::http::Response> response) {
      ProbeResult result;
      if (response)
        result.http_status = response->status;
      else
        result.message = "HTTP probe failed: " + response.error().message;
      done(std::move(result));
    });
  }

  void tcp(const std::string& container, bool v6, uint32_t port, double timeout, Done done) {
    namespace asio = boost::asio;
    struct Attempt {
      explicit Attempt(asio::io_context& context) : socket(context) {}
      asio::ip::tcp::socket socket;
      base::Loop::TimerId timer = 0;
      bool timed_out = false;
    };
    auto attempt = std::make_shared<Attempt>(loop.context());
    const asio::ip::address address =
        v6 ? asio::ip::address(asio::ip::address_v6::loopback()) : asio::ip::address(asio::ip::address_v4::loopback());
    auto made = base::open_socket(containers.network_of(container), v6 ? AF_INET6 : AF_INET, SOCK_STREAM);
    boost::system::error_code taken;
    if (made && *made) attempt->socket.assign(v6 ? asio::ip::tcp::v6() : asio::ip::tcp::v4(), made->release(), taken);
    if (!made || !attempt->socket.is_open()) {
      const std::string why = made ? "no socket" : made.error().message;
      return loop.post([done, why] { done({.message = "TCP probe failed: " + why}); });
    }
    attempt->timer = loop.after(limit_of(timeout), [attempt] {
      attempt->timed_out = true;
      boost::system::error_code ignored;
      attempt->socket.close(ignored);
    });
    attempt->socket.async_connect({address, static_cast<uint16_t>(port)},
                                  [self = shared_from_this(), attempt, done](const boost::system::error_code& error) {
                                    self->loop.cancel(attempt->timer);
                                    if (self->stopped) return;
                                    ProbeResult result;
                                    if (attempt->timed_out)
                                      result.message = "TCP probe timed out";
                                    else
                                      result.tcp_succeeded = !error;
                                    done(std::move(result));
                                  });
  }

  void command(const std::string& container, const mesos::v1::CommandInfo& info, double timeout, Done done) {
    containers.run_inside(container, info, from_seconds(timeout), [done](base::Result<int> status) {
      ProbeResult result;
      if (!status)
        result.message = "Command probe failed: " + status.error().message;
      else if (WIFEXITED(*status))
        result.exit_code = WEXITSTATUS(*status);
      else
        result.exit_code = 128 + WTERMSIG(*status);
      done(std::move(result));
    });
  }

  base::Loop& loop;
  base::Pool& pool;
  containerizer::Containerizer& containers;
  base::http::Client client;
  bool stopped = false;
};

Prober::Prober(base::Loop& loop, base::Pool& pool, containerizer::Containerizer& containers)
    : impl_(std::make_shared<Impl>(loop, pool, containers)) {}

Prober::~Prober() { impl_->stopped = true; }

void Prober::check(const std::string& container, const mesos::v1::CheckInfo& info, Done done) {
  using Type = mesos::v1::CheckInfo;
  switch (info.type()) {
    case Type::COMMAND:
      return impl_->command(container, info.command().command(), info.timeout_seconds(), std::move(done));
    case Type::HTTP:
      return impl_->http(container, "http", false, info.http().port(), info.http().path(), info.timeout_seconds(), std::move(done));
    case Type::TCP: return impl_->tcp(container, false, info.tcp().port(), info.timeout_seconds(), std::move(done));
    default: impl_->loop.post([done] { done({.message = "the check has no type"}); });
  }
}

void Prober::health(const std::string& container, const mesos::v1::HealthCheck& info, Done done) {
  using Type = mesos::v1::HealthCheck;
  constexpr auto kV6 = mesos::v1::NetworkInfo::IPv6;
  switch (info.type()) {
    case Type::COMMAND: return impl_->command(container, info.command(), info.timeout_seconds(), std::move(done));
    case Type::HTTP:
      return impl_->http(container, info.http().scheme(), info.http().protocol() == kV6, info.http().port(), info.http().path(),
                         info.timeout_seconds(), std::move(done));
    case Type::TCP:
      return impl_->tcp(container, info.tcp().protocol() == kV6, info.tcp().port(), info.timeout_seconds(), std::move(done));
    default: impl_->loop.post([done] { done({.message = "the health check has no type"}); });
  }
}

}  // namespace executor
