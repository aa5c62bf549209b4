#include "marathon/shell.hpp"

#include <deque>
#include <unordered_map>

#include "base/ha/acting.hpp"
#include "base/http/server.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "base/zk/url.hpp"
#include "kernel/client/scheduler.hpp"
#include "marathon/access.hpp"
#include "marathon/backup.hpp"
#include "marathon/core.hpp"
#include "marathon/event_streams.hpp"
#include "marathon/logging_api.hpp"
#include "marathon/prober.hpp"
#include "marathon/start_orders.hpp"

namespace marathon {
namespace {

constexpr base::Duration kDrain = base::seconds(5);

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

base::log::Level log_level(TraceLevel level) {
  switch (level) {
    case TraceLevel::Debug: return base::log::Level::Debug;
    case TraceLevel::Info: return base::log::Level::Info;
    case TraceLevel::Warning: return base::log::Level::Warning;
    case TraceLevel::Error: return base::log::Level::Error;
  }
  return base::log::Level::Info;
}

}  // namespace

struct Shell::Impl {
  Impl(base::Loop& l, base::Store* s, const Flags& f, std::shared_ptr<base::http::Tls> t)
      : loop(l),
        tls(std::move(t)),
        acting(l, s, [this] { scheduler.reset(); }),
        flags(f),
        core(f.policy(), f.identity(f.http_port), base::Random::from_os()),
        streams(l, f.event_stream_max_outstanding_messages, base::Random::from_os().uuid().substr(0, 8),
                {.on_open = [this](const std::string& remote) { dispatch(StreamOpened{remote}); },
                 .on_close = [this](const std::string& remote) { dispatch(StreamClosed{remote}); }}),
        prober(l, [this](Probed result) { dispatch(std::move(result)); }),
        server(l, server_options(f, tls), [this](base::http::Request request, base::http::Responder responder) {
          handle(std::move(request), std::move(responder));
        }) {}

  ~Impl() {
    for (const auto& [name, timer] : timers) loop.cancel(timer);
    busy = true;  // what the members' ends report is not for the core any more
    acting.resign();
  }

  static base::http::ServerOptions server_options(const Flags& f, const std::shared_ptr<base::http::Tls>& tls) {
    base::http::ServerOptions options;
    options.tls = tls;
    if (!f.http_compression) options.gzip_min_bytes = 0;
    return options;
  }

  /// Feeds one event to the core and performs its effects. Effects may cause events at once: these wait their turn.
  void dispatch(Event event) {
    if (!acting.begun()) return;
    events.push_back(std::move(event));
    if (busy) return;
    busy = true;
    while (!events.empty()) {
      if (!acting.may_act()) {
        acting.stop("ZooKeeper has not confirmed the session in time");
        break;
      }
      const Event next = std::move(events.front());
      events.pop_front();
      Effects out;
      core.on(next, loop.now(), out);
      for (Effect& effect : out.list) perform(effect);
    }
    busy = false;
  }

  void perform(Effect& effect) {
    std::visit(Overloaded{
                   [&](Reply& e) { reply(e); },
                   [&](Persist& e) { persist(e); },
                   [&](SendCall& e) {
                     if (scheduler) scheduler->send(*e.call);
                   },
                   [&](SetTimer& e) { set_timer(e); },
                   [&](CancelTimer& e) { cancel_timer(e.timer); },
                   [&](Publish& e) { streams.publish(e); },
                   [&](Probe& e) { prober.probe(e); },
                   [&](Exit& e) {
                     LOG_ERROR("leaving: {}", e.reason);
                     drain(e.code);
                   },
                   [&](Trace& e) { base::log::line(log_level(e.level), "marathon", "{}", e.text); },
               },
               effect);
  }

  void persist(Persist& e) {
    base::StoreBatch batch;
    for (Write& write : e.writes) batch.writes.push_back({std::move(write.key), std::move(write.value)});
    // The store may outlive this shell with commits under way.
    acting.store()->commit(std::move(batch), [this, weak = std::weak_ptr(alive), ticket = e.ticket](base::Status status) {
      if (!weak.expired()) dispatch(Persisted{ticket, std::move(status)});
    });
  }

  void set_timer(const SetTimer& e) {
    cancel_timer(e.timer);
    timers[e.timer] = loop.at(e.at, [this, name = e.timer] {
      timers.erase(name);
      dispatch(TimerFired{name});
    });
  }

  void cancel_timer(const TimerName& name) {
    const auto it = timers.find(name);
    if (it == timers.end()) return;
    loop.cancel(it->second);
    timers.erase(it);
  }

  base::http::Headers common_headers() const {
    base::http::Headers headers{{"Cache-Control", "no-cache, no-store, must-revalidate"},
                                {"Pragma", "no-cache"},
                                {"Expires", "0"},
                                {"X-Marathon-Leader", std::string(scheme()) + "://" + leader},
                                {"X-Frame-Options", "DENY"},
                                {"X-XSS-Protection", "1; mode=block"}};
    if (flags.access_control_allow_origin) {
      headers.add("Access-Control-Allow-Origin", *flags.access_control_allow_origin);
      headers.add("Access-Control-Allow-Methods", "GET, HEAD, OPTIONS");
      headers.add("Access-Control-Max-Age", "86400");
    }
    return headers;
  }

  void reply(Reply& e) {
    const auto it = calls.find(e.call);
    if (it == calls.end()) return;
    Answered answered{it->second.method, e.response.status, loop.now().instant - it->second.since, it->second.received,
                      e.response.body.size()};
    const auto headers = common_headers();  // named: a range-for does not keep a temporary's temporary alive
    for (const auto& [name, value] : headers.all()) e.response.headers.set(name, value);
    it->second.responder.reply(std::move(e.response));
    calls.erase(it);
    dispatch(std::move(answered));
  }

  void refuse_access(int status, const base::http::Responder& responder) const {
    if (status == 403) return responder.reply(render(refuse(403, "no rule of --http_authorization grants this user the request")));
    auto response = render(refuse(401, "credentials are missing or wrong"));
    access.ask(response.headers);
    responder.reply(std::move(response));
  }

  void handle(base::http::Request request, base::http::Responder responder) {
    const Access::Answer answer = access.decide(request, loop.now().time);
    if (answer.status != 0) return refuse_access(answer.status, responder);
    if (request.method == "OPTIONS" && flags.access_control_allow_origin) {
      base::http::Response response;
      response.headers = common_headers();
      response.headers.set("Access-Control-Allow-Headers",
                           std::string(request.headers.get_or("Access-Control-Request-Headers", "")));
      return responder.reply(std::move(response));
    }
    if (!acting.member()) return serve(std::move(request), std::move(responder), answer.viewer);
    if (request.path == "/ping" && request.method == "GET") return responder.reply(answer_ping(request));
    if (is_events(request) && !flags.leader_proxy_events && !acting.member()->leading()) {
      return acting.member()->redirect(request, responder);
    }
    acting.member()->handle(std::move(request), std::move(responder));
  }

  static bool is_events(const base::http::Request& request) {
    return request.path == "/v2/events" || request.path == "/v2/events/";
  }

  void serve(base::http::Request request, base::http::Responder responder, std::shared_ptr<const Viewer> viewer) {
    if (is_events(request)) return streams.handle(request, responder, common_headers(), std::move(viewer));
    if (request.path == "/v2/backup" && request.method == "GET") return back_up(responder);
    if (request.path == "/logging") return reply_here(responder, logging.handle(request));
    if (request.path == "/" || is_within(request.path, "/ui")) return reply_here(responder, lead_to_pages(request));
    if (flags.http_max_concurrent_requests && calls.size() >= *flags.http_max_concurrent_requests) {
      return responder.reply(render(refuse(503, "too many requests at once")));
    }
    const CallId call = next_call++;
    calls.emplace(call, Call{responder, request.method, loop.now().instant, request.body.size()});
    responder.on_disconnect([this, call] { calls.erase(call); });
    dispatch(HttpRequested{call, std::move(request), std::move(viewer)});
  }

  /// The answer to what the core is not asked.
  void reply_here(const base::http::Responder& responder, base::http::Response response) const {
    const auto common = common_headers();
    for (const auto& [name, value] : common.all()) response.headers.set(name, value);
    responder.reply(std::move(response));
  }

  /// The original has its pages below /ui/, and a browser that comes to its door is sent there. Here they are the gateway's.
  base::http::Response lead_to_pages(const base::http::Request& request) const {
    if (request.path != "/" && !flags.ui_url) {
      return render(refuse(404, "there are no pages here: the dashboard is the gateway's; --ui_url makes this lead there"));
    }
    base::http::Response response;
    response.status = 302;
    response.headers.set("Location", request.path == "/" ? "/ui/" : *flags.ui_url);
    return response;
  }

  void back_up(const base::http::Responder& responder) {
    auto text = take_backup(*acting.store());
    if (!text) return responder.reply(render(refuse(503, text.error().message)));
    base::http::Response response;
    response.headers.set("Content-Type", "application/x-ndjson");
    response.body = std::move(*text);
    reply_here(responder, std::move(response));
  }

  base::Result<uint16_t> start() {
    ASSIGN_OR_RETURN(access, Access::from(flags));
    ASSIGN_OR_RETURN(port, server.listen(flags.http_address, flags.http_port));
    core.set_identity(flags.identity(port));
    leader = flags.identity(port).leader;
    if (flags.zk) {
      contend();
    } else {
      RETURN_IF_ERROR(begin());
    }
    return port;
  }

  /// From here on this process acts.
  base::Status begin() {
    auto records = acting.store()->scan("");
    if (!records) return records.error().with_context("reading the store");
    Recovered recovered;
    for (base::StoreEntry& entry : *records) recovered.records.emplace_back(std::move(entry.key), std::move(entry.value));
    ASSIGN_OR_RETURN(client::ProtocolOptions protocol, flags.protocol());
    acting.begin();
    dispatch(std::move(recovered));
    if (draining) return {};
    client::Scheduler::Callbacks callbacks;
    callbacks.on_event = [this](std::shared_ptr<const mesos::v1::scheduler::Event> event) {
      dispatch(MasterEvent{std::move(event)});
    };
    callbacks.on_disconnected = [this](const std::string&, bool) { dispatch(MasterLost{}); };
    callbacks.may_act = [this] { return acting.may_act(); };
    mesos::v1::FrameworkInfo framework = flags.framework(core.state().framework_id, port);
    framework.mutable_roles()->Assign(core.state().roles.begin(), core.state().roles.end());
    scheduler = std::make_unique<client::Scheduler>(loop, std::move(protocol), std::move(framework), std::move(callbacks));
    scheduler->start();
    return {};
  }

  void contend() {
    base::ha::Member::Options options;
    options.url = base::zk::parse_url(*flags.zk).value();
    options.self = leader;
    options.scheme = scheme();
    options.session_timeout = base::milliseconds(static_cast<int64_t>(flags.zk_session_timeout));
    options.proxy.connect_timeout = base::milliseconds(static_cast<int64_t>(flags.leader_proxy_connection_timeout));
    options.proxy.head_timeout = base::milliseconds(static_cast<int64_t>(flags.leader_proxy_read_timeout));
    options.proxy.max_connections = flags.leader_proxy_max_open_connections;
    options.proxy.tls = tls;
    acting.contend({.options = std::move(options),
                    .on_leading = [this] { lead(); },
                    .serve =
                        [this](base::http::Request request, base::http::Responder responder) {
                          // Again: it may have waited for a leader, and others pass requests on.
                          const Access::Answer answer = access.decide(request, loop.now().time);
                          if (answer.status != 0) return refuse_access(answer.status, responder);
                          serve(std::move(request), std::move(responder), answer.viewer);
                        },
                    .refuse = [](int status, const std::string& message) { return render(refuse(status, message)); }});
  }

  void lead() {
    const auto go_on = [this](const base::Status& restored) {
      if (!restored) return acting.stop(restored.error().message);
      carry_out_start_orders(*acting.store(), [this, weak = std::weak_ptr(alive)](base::Status status) {
        if (weak.expired() || acting.stopped()) return;
        if (status) status = begin();
        if (!status) return acting.stop(status.error().message);
        acting.serving();
      });
    };
    if (!flags.restore || !acting.store()->scan("").value_or({}).empty()) return go_on({});  // restored by an earlier leader
    auto batch = read_backup(*acting.store(), *flags.restore);
    if (!batch) return go_on(batch.error());
    acting.store()->commit(std::move(*batch), [weak = std::weak_ptr(alive), go_on](base::Status status) {
      if (!weak.expired()) go_on(status);
    });
  }

  void drain(int exit_code) {
    if (draining) return;
    draining = true;
    scheduler.reset();
    const auto end = [this, weak = std::weak_ptr(alive), exit_code] {
      if (weak.expired()) return;
      if (acting.member()) acting.resign();
      loop.stop(exit_code);
    };
    server.drain(kDrain, end);
    // Event streams never end by themselves.
    loop.after(base::milliseconds(500), end);
  }

  const char* scheme() const { return tls ? tls->scheme() : "http"; }

  base::Loop& loop;
  std::shared_ptr<base::http::Tls> tls;  // null: plain
  base::ha::Acting acting;
  const Flags& flags;
  Core core;
  std::deque<Event> events;
  bool busy = false;
  bool draining = false;
  uint16_t port = 0;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
  std::unordered_map<TimerName, base::Loop::TimerId> timers;
  /// A request under way.
  struct Call {
    base::http::Responder responder;
    std::string method;
    base::Instant since;
    uint64_t received = 0;
  };
  std::unordered_map<CallId, Call> calls;
  CallId next_call = 1;
  std::string leader;
  Access access;
  LoggingApi logging{loop};

  // Last, so that they go first: their callbacks use what is above.
  EventStreams streams;
  Prober prober;
  base::http::Server server;
  std::unique_ptr<client::Scheduler> scheduler;
};

Shell::Shell(base::Loop& loop, base::Store& store, const Flags& flags, std::shared_ptr<base::http::Tls> tls)
    : impl_(std::make_unique<Impl>(loop, &store, flags, std::move(tls))) {}

Shell::Shell(base::Loop& loop, const Flags& flags, std::shared_ptr<base::http::Tls> tls)
    : impl_(std::make_unique<Impl>(loop, nullptr, flags, std::move(tls))) {}

Shell::~Shell() = default;

base::Result<uint16_t> Shell::start() { return impl_->start(); }

void Shell::drain(int exit_code) { impl_->drain(exit_code); }

}  // namespace marathon
