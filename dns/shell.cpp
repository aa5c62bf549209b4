#include "dns/shell.hpp"

#include <ifaddrs.h>
#include <malloc.h>
#include <netinet/in.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>

#include <algorithm>

#include "base/http/client.hpp"
#include "base/http/router.hpp"
#include "base/http/server.hpp"
#include "base/json/writer.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/pool.hpp"
#include "base/strings.hpp"
#include "dns/api/http_v1.hpp"
#include "dns/core.hpp"
#include "dns/forwarder.hpp"
#include "dns/privileges.hpp"
#include "dns/tcp_server.hpp"
#include "dns/udp_server.hpp"
#include "dns/vip_watch.hpp"
#include "kernel/client/operator.hpp"
#include "kernel/client/protocol.hpp"

namespace dns {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;

constexpr base::Duration kResolveAgain = base::seconds(30);
constexpr int kBindTries = 20;  // for a free port of both kinds
constexpr size_t kForwardQueue = 4096;

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

std::vector<Address> local_addresses() {
  std::vector<Address> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    if (at->ifa_addr == nullptr) continue;
    Address address;
    if (at->ifa_addr->sa_family == AF_INET) {
      const auto* in = reinterpret_cast<const sockaddr_in*>(at->ifa_addr);
      address = address_of_wire({reinterpret_cast<const char*>(&in->sin_addr), 4});
    } else if (at->ifa_addr->sa_family == AF_INET6) {
      const auto* in6 = reinterpret_cast<const sockaddr_in6*>(at->ifa_addr);
      if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr)) continue;
      address = address_of_wire({reinterpret_cast<const char*>(&in6->sin6_addr), 16});
    } else {
      continue;
    }
    if (!address.is_loopback() && std::find(out.begin(), out.end(), address) == out.end()) out.push_back(address);
  }
  ::freeifaddrs(list);
  return out;
}

unsigned thread_count(const Config& config) {
  if (config.udp_threads > 0) return config.udp_threads;
  return static_cast<unsigned>(std::clamp<long>(::sysconf(_SC_NPROCESSORS_ONLN), 1, 4));
}

ForwarderOptions forwarder_options(const Config& config) {
  ForwarderOptions options;
  options.timeout = base::seconds(static_cast<int64_t>(config.timeout));
  options.limit = config.forward_limit;
  options.cache.max_bytes = config.cache_bytes;
  return options;
}

}  // namespace

struct Shell::Impl {
  Impl(base::Loop& l, const Config& c)
      : loop(l),
        config(c),
        answers(c.answers()),
        rules(c.forwarding()),
        core(c.records(local_addresses())),
        limit(c.rate_limit, base::Random::from_os().next()),
        forwarder(l, rules, forwarder_options(c)),
        udp(answers, cell, limit, [this](std::vector<ForwardedRequest> requests) { on_forwarded(std::move(requests)); }),
        tcp(l, answers, cell, {}, [this](std::string request, const Query& query, const Address& source, TcpServer::Done done) {
          forwarder.ask(std::move(request), query, source, true, std::move(done));
        }),
        resolver(l.context()),
        server(l, {}, [this](Request request, Responder responder) { router.handle(std::move(request), std::move(responder)); }) {
    add_routes();
    add_metrics();
  }

  ~Impl() {
    *alive = false;
    loop.cancel(timer);
  }

  // Core --------------------------------------------------------------------------------------------------------------

  void dispatch(const Event& event) {
    Effects out;
    core.on(event, loop.now(), out);
    for (Effect& effect : out) perform(effect);
  }

  void perform(Effect& effect) {
    std::visit(Overloaded{
                   [&](Publish& e) {
                     ++published;
                     cell.store(std::move(e.zone));
                   },
                   [&](CommitSoon&) { later([this] { dispatch(CommitDue{}); }); },
                   [&](Resolve& e) { resolve(e.host); },
                   [&](SetTimer& e) {
                     loop.cancel(timer);
                     timer = loop.at(e.at, [this] { dispatch(TimerFired{}); });
                   },
                   [&](Trace& e) { e.warning ? LOG_WARNING("{}", e.text) : LOG_INFO("{}", e.text); },
               },
               effect);
  }

  void later(std::function<void()> call) {
    loop.post([held = alive, call = std::move(call)] {
      if (*held) call();
    });
  }

  /// By the machine's own rules: hosts file and all. Looked up again, because machines move.
  void resolve(const std::string& host) {
    resolver.async_resolve(host, "", [this, held = alive, host](const boost::system::error_code& error, const auto& results) {
      if (!*held) return;
      std::vector<Address> addresses;
      for (const auto& result : results) {
        const auto address = parse_address(result.endpoint().address().to_string());
        if (address && std::find(addresses.begin(), addresses.end(), *address) == addresses.end()) addresses.push_back(*address);
      }
      if (error) LOG_DEBUG("no address of {}: {}", host, error.message());
      dispatch(HostResolved{host, std::move(addresses)});
      loop.after(kResolveAgain, [this, held, host] {
        if (*held) resolve(host);
      });
    });
  }

  void follow_cluster(client::OperatorOptions options) {
    client::Operator::Callbacks callbacks;
    callbacks.on_snapshot = [this](const std::string& master, const client::Operator::Event& event) {
      lost_since.reset();
      dispatch(ClusterSeen{master, event});
      // The message of a big cluster was big; its memory goes back when it is gone.
      later([this] { later([] { ::malloc_trim(0); }); });
    };
    callbacks.on_change = [this](const client::Operator::Event& event) { dispatch(ClusterChanged{event}); };
    callbacks.on_lost = [this](const std::string&) { lost_since = loop.now().instant; };
    events = std::make_unique<client::Operator>(loop, std::move(options), std::move(callbacks));
    events->start();
  }

  // DNS ---------------------------------------------------------------------------------------------------------------

  /// On any thread.
  void on_forwarded(std::vector<ForwardedRequest> requests) {
    if (forward_queued.load(std::memory_order_relaxed) > kForwardQueue) {
      forward_dropped.fetch_add(requests.size(), std::memory_order_relaxed);
      return;
    }
    forward_queued.fetch_add(requests.size(), std::memory_order_relaxed);
    loop.post([this, held = alive, batch = std::make_shared<std::vector<ForwardedRequest>>(std::move(requests))] {
      if (!*held) return;
      forward_queued.fetch_sub(batch->size(), std::memory_order_relaxed);
      for (ForwardedRequest& request : *batch) {
        const Query& query = request.query;
        const size_t fits = query.edns ? std::clamp<size_t>(query.payload, kClassicLimit, 4096) : kClassicLimit;
        forwarder.ask(std::move(request.bytes), query, request.peer.source, false,
                      [this, peer = request.peer, fits](std::optional<std::string> answer) {
                        if (answer) peer.send(fit_answer(std::move(*answer), fits, config.set_truncate_bit));
                      });
      }
    });
  }

  base::Result<uint16_t> listen_dns() {
    const Address listener = *parse_address(config.listener);
    for (int attempt = 1;; ++attempt) {
      UdpOptions options{listener, config.port, thread_count(config)};
      ASSIGN_OR_RETURN(options.port, tcp.listen(listener, config.port));
      auto bound = udp.bind(options);
      if (bound) return options.port;
      // A free port of one kind may be taken in the other.
      if (config.port != 0 || attempt == kBindTries) return bound.error();
      tcp.stop_listening();
    }
  }

  // HTTP --------------------------------------------------------------------------------------------------------------

  void add_routes() {
    const auto simple = [this](const char* pattern, const char* sentence, std::function<Response(const Request&)> answer) {
      router.add("GET", pattern, sentence,
                 [answer = std::move(answer)](Request request, Responder responder) { responder.reply(answer(request)); });
    };
    simple("/v1/version", "What this is.", [](const Request&) { return api::version(); });
    simple("/v1/config", "The configuration, without secrets.",
           [this](const Request&) { return Response::json(200, config.render(core.zone()->serial)); });
    simple("/v1/hosts/{host}", "Addresses of a name.",
           [this](const Request& r) { return api::hosts(*core.zone(), r.parameters.at("host")); });
    simple("/v1/hosts/{host}/ports", "Not offered, as in the original.",
           [](const Request&) { return Response::text(501, "To be implemented..."); });
    simple("/v1/services/{service}", "Hosts and ports of a service.",
           [this](const Request& r) { return api::services(*core.zone(), r.parameters.at("service")); });
    simple("/health", "200 when the cluster's state is known and followed.", [this](const Request&) { return health(); });
    simple("/metrics", "Prometheus text.", [this](const Request&) {
      Response response = Response::text(200, metrics.prometheus());
      response.headers.set("Content-Type", "text/plain; version=0.0.4; charset=utf-8");
      return response;
    });
    if (!config.enumeration_on) return;
    router.add("GET", "/v1/axfr", "Every record.", [this](Request, Responder responder) {
      render(responder, [zone = core.zone(), this] { return api::render_axfr(*zone, config); });
    });
    router.add("GET", "/v1/enumerate", "Records by framework and task.", [this](Request, Responder responder) {
      auto listing = std::make_shared<std::vector<Records::Listing>>(core.records().listing());
      render(responder, [listing, task_rules = core.records().rules()] { return api::render_enumeration(*listing, task_rules); });
    });
  }

  void render(const Responder& responder, std::function<std::string()> draw) {
    const bool taken = pool->run_for(std::move(draw), [this, held = alive, responder](std::string body) {
      responder.reply(Response::json(200, std::move(body)));
      // A big answer's memory goes back once it is sent.
      loop.after(base::seconds(1), [held] {
        if (*held) ::malloc_trim(0);
      });
    });
    if (!taken) responder.reply(Response::text(503, "too many requests for all records; try again"));
  }

  Response health() const {
    std::string why;
    if (!core.zone()->cluster_loaded) why = "no master has told the cluster's state yet";
    const base::Duration patience = base::seconds(static_cast<int64_t>(config.zk_detection_timeout));
    if (lost_since && config.zk_detection_timeout > 0 && loop.now().instant - *lost_since > patience) {
      why = "no master can be reached; the last known state is served";
    }
    std::string out;
    base::json::Writer w(out);
    w.begin_object();
    w.field("healthy", why.empty());
    if (!why.empty()) w.field("reason", why);
    w.field("serial", core.zone()->serial);
    w.field("records", core.zone()->records());
    w.end_object();
    return Response::json(why.empty() ? 200 : 503, std::move(out));
  }

  void add_metrics() {
    const auto gauge = [this](const char* name, std::function<double()> read) { metrics.gauge(name, std::move(read)); };
    const auto atomic = [&](const char* name, const std::atomic<uint64_t>& value) {
      gauge(name, [&value] { return static_cast<double>(value.load(std::memory_order_relaxed)); });
    };
    const auto count = [&](const char* name, const uint64_t& value) {
      gauge(name, [&value] { return static_cast<double>(value); });
    };
    atomic("dns/udp/queries", udp.counters().queries);
    atomic("dns/udp/answers", udp.counters().answers);
    atomic("dns/udp/forwarded", udp.counters().forwarded);
    atomic("dns/udp/rate_limited", udp.counters().limited);
    atomic("dns/udp/dropped", udp.counters().dropped);
    atomic("dns/udp/send_failures", udp.counters().failures);
    atomic("dns/forward/queue_dropped", forward_dropped);
    count("dns/tcp/queries", tcp.counters().queries);
    count("dns/tcp/answers", tcp.counters().answers);
    count("dns/tcp/connections", tcp.counters().connections);
    count("dns/tcp/connections_refused", tcp.counters().refused);
    gauge("dns/tcp/open", [this] { return static_cast<double>(tcp.counters().open); });
    count("dns/forward/cache_hits", forwarder.counters().hits);
    count("dns/forward/asked", forwarder.counters().asked);
    count("dns/forward/answered", forwarder.counters().answered);
    count("dns/forward/failed", forwarder.counters().failed);
    count("dns/forward/refused", forwarder.counters().refused);
    count("dns/forward/overflowed", forwarder.counters().overflowed);
    gauge("dns/forward/under_way", [this] { return static_cast<double>(forwarder.under_way()); });
    gauge("dns/forward/cached", [this] { return static_cast<double>(forwarder.cache().size()); });
    count("dns/zone/published", published);
    gauge("dns/zone/records", [this] { return static_cast<double>(core.zone()->records()); });
    gauge("dns/zone/names", [this] { return static_cast<double>(core.zone()->names()); });
    gauge("dns/zone/serial", [this] { return static_cast<double>(core.zone()->serial); });
    gauge("dns/cluster/tasks", [this] { return static_cast<double>(core.records().running_tasks()); });
    gauge("dns/cluster/agents", [this] { return static_cast<double>(core.records().agents()); });
    gauge("dns/cluster/subscribed", [this] { return events && events->subscribed() ? 1.0 : 0.0; });
    gauge("dns/vips/connected", [this] { return vips && vips->connected() ? 1.0 : 0.0; });
  }

  // Start -------------------------------------------------------------------------------------------------------------

  base::Result<client::OperatorOptions> operator_options() const {
    client::OperatorOptions options;
    ASSIGN_OR_RETURN(options.masters, client::parse_masters(base::join(config.masters, ",")));
    options.https = config.mesos_https_on;
    options.tls.ca_file = config.ca_cert_file;
    options.tls.verify_server = true;
    if (config.mesos_authentication == "basic") {
      options.authorization =
          "Basic " + base::base64_encode(config.credentials_principal + ":" + config.credentials_secret);
    }
    return options;
  }

  base::Result<Ports> start() {
    ASSIGN_OR_RETURN(client::OperatorOptions options, operator_options());
    if (!config.l4lb.empty()) {
      const auto url = base::http::Url::parse(config.l4lb);
      if (!url) return url.error().with_context("l4lb");
    }
    Ports ports;
    if (config.http_on) {
      ASSIGN_OR_RETURN(ports.http, server.listen(config.http_listener, config.http_port));
    }
    if (config.dns_on) {
      ASSIGN_OR_RETURN(ports.dns, listen_dns());
    }
    if (const base::Status dropped = drop_privileges(); !dropped) {
      LOG_WARNING("rights that are not needed are kept: {}", dropped.error().message);
    }
    // Threads keep the rights of whoever starts them: none is started before this.
    pool = std::make_unique<base::Pool>(loop, 1, 64);
    // What serves without the master is there before it.
    dispatch(CommitDue{});
    if (config.dns_on) udp.start();
    follow_cluster(std::move(options));
    if (!config.l4lb.empty()) {
      vips = std::make_unique<VipWatch>(loop, config.l4lb, [this](Event event) { dispatch(event); });
      vips->start();
    }
    return ports;
  }

  base::Loop& loop;
  const Config& config;
  const AnswerOptions answers;
  const ForwardRules rules;
  Core core;
  ZoneCell cell;
  RateLimit limit;
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
  std::atomic<size_t> forward_queued{0};
  std::atomic<uint64_t> forward_dropped{0};
  uint64_t published = 0;
  std::optional<base::Instant> lost_since;
  base::Loop::TimerId timer = 0;
  base::Metrics metrics;
  base::http::Router router;

  // Last, so that they go first: their callbacks use what is above.
  std::unique_ptr<base::Pool> pool;
  Forwarder forwarder;
  UdpServer udp;
  TcpServer tcp;
  boost::asio::ip::tcp::resolver resolver;
  std::unique_ptr<client::Operator> events;
  std::unique_ptr<VipWatch> vips;
  base::http::Server server;
};

Shell::Shell(base::Loop& loop, const Config& config) : impl_(std::make_unique<Impl>(loop, config)) {}
Shell::~Shell() = default;
base::Result<Shell::Ports> Shell::start() { return impl_->start(); }

}  // namespace dns
