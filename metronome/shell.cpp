#include "metronome/shell.hpp"

#include <deque>
#include <unordered_map>

#include "base/clock_watch.hpp"
#include "base/ha/acting.hpp"
#include "base/http/server.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "base/system_zones.hpp"
#include "metronome/api/api.hpp"
#include "metronome/core.hpp"
#include "kernel/client/scheduler.hpp"

namespace metronome {
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
  Impl(base::Loop& l, base::Store* s, const Flags& f)
      : loop(l),
        acting(l, s, [this] { scheduler.reset(); }),
        flags(f),
        zones(base::system_time_zones()),
        core(f.policy(), f.hostname, *zones, base::Random::from_os()),
        server(l, {}, [this](base::http::Request request, base::http::Responder responder) {
          handle(std::move(request), std::move(responder));
        }) {}

  ~Impl() {
    for (const auto& [name, timer] : timers) loop.cancel(timer);
    busy = true;  // what the members' ends report is not for the core any more
    acting.resign();
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
                   [&](Exit& e) {
                     LOG_ERROR("leaving: {}", e.reason);
                     drain(e.code);
                   },
                   [&](Trace& e) { base::log::line(log_level(e.level), "metronome", "{}", e.text); },
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

  void reply(Reply& e) {
    const auto it = calls.find(e.call);
    if (it == calls.end()) return;
    it->second.reply(std::move(e.response));
    calls.erase(it);
  }

  bool authorized(const base::http::Request& request) const {
    if (!flags.http_credentials) return true;
    const std::string_view given = request.headers.get_or("Authorization", "");
    const std::string wanted = "Basic " + base::base64_encode(*flags.http_credentials);
    // Compared without leaving early, so that time tells nothing about the secret.
    unsigned char difference = given.size() == wanted.size() ? 0 : 1;
    for (size_t i = 0; i < given.size() && i < wanted.size(); ++i) {
      difference = static_cast<unsigned char>(difference | (given[i] ^ wanted[i]));
    }
    return difference == 0;
  }

  void handle(base::http::Request request, base::http::Responder responder) {
    if (!authorized(request)) {
      auto response = base::http::Response::text(401, "credentials are missing or wrong");
      response.headers.set("WWW-Authenticate", "Basic realm=\"metronome\"");
      return responder.reply(std::move(response));
    }
    // Of this process, whoever leads.
    const bool local = request.path == "/ping" || request.path == "/v1/metrics";
    if (acting.member() && !local) return acting.member()->handle(std::move(request), std::move(responder));
    if (!acting.begun() && request.path == "/ping") return responder.reply(base::http::Response::text(200, "pong"));
    if (!acting.begun()) return responder.reply(base::http::Response::json(200, api::standby_metrics()));
    serve(std::move(request), std::move(responder));
  }

  void serve(base::http::Request request, base::http::Responder responder) {
    const CallId call = next_call++;
    calls.emplace(call, responder);
    responder.on_disconnect([this, call] { calls.erase(call); });
    dispatch(HttpRequested{call, std::move(request)});
  }

  base::Result<uint16_t> start() {
    ASSIGN_OR_RETURN(port, server.listen(flags.http_address, flags.http_port));
    core.set_address(flags.hostname + ":" + std::to_string(port));
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
    clock = std::make_unique<base::ClockWatch>(loop, [this] { dispatch(ClockJumped{}); });
    client::Scheduler::Callbacks callbacks;
    callbacks.on_event = [this](std::shared_ptr<const mesos::v1::scheduler::Event> event) {
      dispatch(MasterEvent{std::move(event)});
    };
    callbacks.on_disconnected = [this](const std::string&, bool) { dispatch(MasterLost{}); };
    callbacks.may_act = [this] { return acting.may_act(); };
    scheduler = std::make_unique<client::Scheduler>(
        loop, std::move(protocol), flags.framework(core.state().framework_id, port), std::move(callbacks));
    scheduler->start();
    return {};
  }

  void contend() {
    base::ha::Member::Options options;
    options.url = *flags.zk;
    options.self = flags.hostname + ":" + std::to_string(port);
    options.session_timeout = base::milliseconds(static_cast<int64_t>(flags.zk_session_timeout));
    options.proxy.via_header = "X-VIA";
    options.proxy.via_prefix = "";
    options.proxy.leader_header = "X-LEADER";
    acting.contend({.options = std::move(options),
                    .on_leading =
                        [this] {
                          if (const auto begun = begin(); !begun) return acting.stop(begun.error().message);
                          acting.serving();
                        },
                    .serve = [this](base::http::Request request, base::http::Responder responder) {
                      serve(std::move(request), std::move(responder));
                    },
                    .refuse = [](int status, const std::string& message) { return base::http::Response::text(status, message); }});
  }

  void drain(int exit_code) {
    if (draining) return;
    draining = true;
    scheduler.reset();
    server.drain(kDrain, [this, weak = std::weak_ptr(alive), exit_code] {
      if (weak.expired()) return;
      if (acting.member()) acting.resign();
      loop.stop(exit_code);
    });
  }

  base::Loop& loop;
  base::ha::Acting acting;
  const Flags& flags;
  std::unique_ptr<base::TimeZones> zones;
  Core core;
  std::deque<Event> events;
  bool busy = false;
  bool draining = false;
  uint16_t port = 0;
  std::shared_ptr<int> alive = std::make_shared<int>(0);
  std::unordered_map<TimerName, base::Loop::TimerId> timers;
  std::unordered_map<CallId, base::http::Responder> calls;
  CallId next_call = 1;

  // Last, so that they go first: their callbacks use what is above.
  std::unique_ptr<base::ClockWatch> clock;
  base::http::Server server;
  std::unique_ptr<client::Scheduler> scheduler;
};

Shell::Shell(base::Loop& loop, base::Store& store, const Flags& flags)
    : impl_(std::make_unique<Impl>(loop, &store, flags)) {}

Shell::Shell(base::Loop& loop, const Flags& flags) : impl_(std::make_unique<Impl>(loop, nullptr, flags)) {}

Shell::~Shell() = default;

base::Result<uint16_t> Shell::start() { return impl_->start(); }

void Shell::drain(int exit_code) { impl_->drain(exit_code); }

}  // namespace metronome
