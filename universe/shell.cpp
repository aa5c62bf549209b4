#include "universe/shell.hpp"

#include <deque>
#include <unordered_map>

#include "base/http/client.hpp"
#include "base/http/server.hpp"
#include "base/log.hpp"
#include "base/metrics.hpp"
#include "base/strings.hpp"
#include "universe/core.hpp"
#include "universe/fetcher.hpp"
#include "universe/relay.hpp"

namespace universe {
namespace {

constexpr base::Duration kDrain = base::seconds(5);
constexpr base::Duration kAskTimeout = base::seconds(30);
constexpr size_t kMaxBody = size_t{8} << 20;

constexpr const char* kCounters[] = {"requests",       "refusals",          "installs",         "uninstalls",
                                     "fetches",        "fetch_failures",    "upstream_failures", "store_failures",
                                     "labels_set_aside", "records_set_aside"};

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
  Impl(base::Loop& l, base::Store& s, const Flags& f)
      : loop(l),
        store(s),
        flags(f),
        core(f.policy(), base::Random::from_os()),
        client(l),
        fetcher(l, {.kept_dir = f.data_dir + "/repositories",
                    .bundled_dir = f.bundled,
                    .timeout = f.fetch_timeout,
                    .limits = {.max_bytes = f.max_repository_bytes.value}}),
        server(l, {.max_body_bytes = kMaxBody}, [this](base::http::Request request, base::http::Responder responder) {
          handle(std::move(request), std::move(responder));
        }) {
    add_metrics();
  }

  ~Impl() {
    for (const auto& [name, timer] : timers) loop.cancel(timer);
    busy = true;  // what the members' ends report is not for the core any more
  }

  void add_metrics() {
    for (const char* name : kCounters) {
      metrics.gauge(std::string("universe/") + name, [this, name = std::string(name)] {
        const auto it = core.state().counters.find(name);
        return it == core.state().counters.end() ? 0.0 : static_cast<double>(it->second);
      });
    }
    metrics.gauge("universe/package_versions",
                  [this] { return static_cast<double>(core.state().catalog->version_count()); });
    const auto sum = [this](auto value) {
      return [this, value] {
        double total = 0;
        for (const auto& [uri, source] : core.state().sources) total += static_cast<double>(value(source));
        return total;
      };
    };
    metrics.gauge("universe/repositories", sum([](const Source&) { return 1; }));
    metrics.gauge("universe/repositories_failing", sum([](const Source& s) { return s.failures > 0 ? 1 : 0; }));
    metrics.gauge("universe/packages_set_aside",
                  sum([](const Source& s) { return s.index ? s.index->set_aside_count : 0; }));
  }

  /// Feeds one event to the core and performs its effects. Effects may cause events at once: these wait their turn.
  void dispatch(Event event) {
    events.push_back(std::move(event));
    if (busy) return;
    busy = true;
    while (!events.empty()) {
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
                   [&](SetTimer& e) { set_timer(e); },
                   [&](CancelTimer& e) { cancel_timer(e.timer); },
                   [&](Fetch& e) { fetch(e); },
                   [&](Forget& e) { fetcher.forget(e.uri); },
                   [&](Ask& e) { ask(e); },
                   [&](Relay& e) { relay(e); },
                   [&](Trace& e) { base::log::line(log_level(e.level), "universe", "{}", e.text); },
               },
               effect);
  }

  void persist(Persist& e) {
    base::StoreBatch batch;
    for (Write& write : e.writes) batch.writes.push_back({std::move(write.key), std::move(write.value)});
    // The store may outlive this shell with commits under way.
    store.commit(std::move(batch), [this, weak = std::weak_ptr(alive), ticket = e.ticket](base::Status status) {
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

  void fetch(const Fetch& e) {
    if (e.kept) return dispatch(Fetched{e.ticket, fetcher.load_kept(e.uri)});
    fetcher.fetch(e, [this, weak = std::weak_ptr(alive), ticket = e.ticket](FetchOutcome outcome) {
      if (!weak.expired()) dispatch(Fetched{ticket, std::move(outcome)});
    });
  }

  void ask(Ask& e) {
    base::http::ClientRequest request;
    request.method = e.method;
    request.url = e.upstream == Upstream::Marathon ? marathon : master;
    request.url.target = e.path;
    request.timeout = kAskTimeout;
    request.max_redirects = 3;
    request.headers.set("Accept", "application/json");
    if (!e.body.empty()) {
      request.headers.set("Content-Type", e.upstream == Upstream::Marathon ? "application/json"
                                                                           : "application/x-www-form-urlencoded");
    }
    if (!e.authorization.empty()) request.headers.set("Authorization", e.authorization);
    request.body = std::move(e.body);
    client.request(std::move(request), [this, ticket = e.ticket](base::Result<base::http::Response> response) {
      dispatch(Answered{ticket, std::move(response)});
    });
  }

  void relay(const Relay& e) {
    const auto it = calls.find(e.call);
    if (it == calls.end()) return;
    relay_resource(client, e.url, it->second);
    calls.erase(it);
  }

  void reply(Reply& e) {
    const auto it = calls.find(e.call);
    if (it == calls.end()) return;
    it->second.reply(std::move(e.response));
    calls.erase(it);
  }

  void handle(base::http::Request request, base::http::Responder responder) {
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if (reads && request.path == "/health") return responder.reply(base::http::Response::json(200, R"({"healthy":true})"));
    if (reads && request.path == "/metrics") {
      auto response = base::http::Response::text(200, metrics.prometheus());
      response.headers.set("Content-Type", "text/plain; version=0.0.4");
      return responder.reply(std::move(response));
    }
    const CallId call = next_call++;
    calls.emplace(call, responder);
    responder.on_disconnect([this, call] { calls.erase(call); });
    dispatch(HttpRequested{call, std::move(request)});
  }

  base::Result<uint16_t> start() {
    ASSIGN_OR_RETURN(marathon, parse_address("marathon", flags.marathon));
    ASSIGN_OR_RETURN(master, parse_address("master", flags.master));
    auto records = store.scan("");
    if (!records) return records.error().with_context("reading the store");
    Recovered recovered;
    for (base::StoreEntry& entry : *records) {
      recovered.records.emplace_back(std::move(entry.key), std::move(entry.value));
    }
    dispatch(std::move(recovered));
    return server.listen(flags.ip, flags.port);
  }

  void drain(int exit_code) {
    if (draining) return;
    draining = true;
    server.drain(kDrain, [this, exit_code] { loop.stop(exit_code); });
  }

  base::Loop& loop;
  base::Store& store;
  const Flags& flags;
  Core core;
  base::Metrics metrics;
  base::http::Url marathon, master;
  std::deque<Event> events;
  bool busy = false;
  bool draining = false;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
  std::unordered_map<TimerName, base::Loop::TimerId> timers;
  std::unordered_map<CallId, base::http::Responder> calls;
  CallId next_call = 1;

  // Last, so that they go first: their callbacks use what is above.
  base::http::Client client;
  Fetcher fetcher;
  base::http::Server server;
};

Shell::Shell(base::Loop& loop, base::Store& store, const Flags& flags)
    : impl_(std::make_unique<Impl>(loop, store, flags)) {}

Shell::~Shell() = default;

base::Result<uint16_t> Shell::start() { return impl_->start(); }

void Shell::drain(int exit_code) { impl_->drain(exit_code); }

}  // namespace universe
