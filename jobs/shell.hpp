#pragma once

// What the shells of both job schedulers do alike: feed one event after the other to the core, perform its effects, act for
// as long as the leadership lasts. One loop, one thread.
//
// `Self` derives from this and says what is its own:
//   void perform(Own&)                             an effect that this scheduler alone has
//   void handle(Request, Responder)                answers, or serve()s, a request
//   base::ha::Member::Options contest() const      of one of several: session and headers; the rest is filled in
//   static Response refuse(int, const string&)     an answer without the core
//   static void dress(Response&)                   headers of every answer of the core

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/clock_watch.hpp"
#include "base/crypto.hpp"
#include "base/ha/acting.hpp"
#include "base/http/server.hpp"
#include "base/log.hpp"
#include "base/strings.hpp"
#include "base/system_zones.hpp"
#include "jobs/effects.hpp"
#include "jobs/events.hpp"
#include "kernel/client/scheduler.hpp"

namespace jobs {

inline base::log::Level log_level(TraceLevel level) {
  switch (level) {
    case TraceLevel::Debug: return base::log::Level::Debug;
    case TraceLevel::Info: return base::log::Level::Info;
    case TraceLevel::Warning: return base::log::Level::Warning;
    case TraceLevel::Error: return base::log::Level::Error;
  }
  return base::log::Level::Info;
}

template <class Self, class Core, class Effects, class Flags>
class CommonShell {
 public:
  /// `more`: what the core is made of beside policy, address and time zones.
  template <class... More>
  CommonShell(base::Loop& loop, base::Store* store, const Flags& flags, More&&... more)
      : loop_(loop),
        flags_(flags),
        acting_(loop, store, [this] { scheduler_.reset(); }),
        zones_(base::system_time_zones()),
        core_(flags.policy(), flags.hostname, *zones_, std::forward<More>(more)...),
        server_(loop, {}, [this](base::http::Request request, base::http::Responder responder) {
          self().handle(std::move(request), std::move(responder));
        }) {}

  ~CommonShell() {
    for (const auto& [name, timer] : timers_) loop_.cancel(timer);
    busy_ = true;  // what the members' ends report is not for the core any more
    acting_.resign();
  }
  CommonShell(const CommonShell&) = delete;
  CommonShell& operator=(const CommonShell&) = delete;

  /// Opens the port; subscribes, or contends for the leadership. The port it listens on.
  base::Result<uint16_t> start() {
    ASSIGN_OR_RETURN(port_, server_.listen(flags_.http_address, flags_.http_port));
    core_.set_address(flags_.hostname + ":" + std::to_string(port_));
    if (flags_.zk) {
      contend();
    } else {
      RETURN_IF_ERROR(begin());
    }
    return port_;
  }

  /// Stops accepting, lets running requests end, then stops the loop.
  void drain(int exit_code) {
    if (draining_) return;
    draining_ = true;
    scheduler_.reset();
    server_.drain(base::seconds(5), [this, weak = std::weak_ptr(alive_), exit_code] {
      if (weak.expired()) return;
      if (acting_.member()) acting_.resign();
      loop_.stop(exit_code);
    });
  }

 protected:
  base::ha::Acting& acting() { return acting_; }
  const Flags& flags() const { return flags_; }
  base::Loop& loop() { return loop_; }

  bool authorized(const base::http::Request& request) const {
    if (!flags_.http_credentials) return true;
    return base::equal_in_constant_time(request.headers.get_or("Authorization", ""),
                                        "Basic " + base::base64_encode(*flags_.http_credentials));
  }

  /// The core answers.
  void serve(base::http::Request request, base::http::Responder responder) {
    const CallId call = next_call_++;
    calls_.emplace(call, responder);
    responder.on_disconnect([this, call] { calls_.erase(call); });
    dispatch(HttpRequested{call, std::move(request)});
  }

 private:
  Self& self() { return static_cast<Self&>(*this); }

  /// Feeds one event to the core and performs its effects. Effects may cause events at once: these wait their turn.
  void dispatch(Event event) {
    if (!acting_.begun()) return;
    events_.push_back(std::move(event));
    if (busy_) return;
    busy_ = true;
    while (!events_.empty()) {
      if (!acting_.may_act()) {
        acting_.stop("ZooKeeper has not confirmed the session in time");
        break;
      }
      const Event next = std::move(events_.front());
      events_.pop_front();
      Effects out;
      core_.on(next, loop_.now(), out);
      for (auto& effect : out.list) std::visit([this](auto& each) { perform(each); }, effect);
    }
    busy_ = false;
  }

  template <class Own>
  void perform(Own& e) {
    self().perform(e);
  }

  void perform(Reply& e) {
    const auto it = calls_.find(e.call);
    if (it == calls_.end()) return;
    Self::dress(e.response);
    it->second.reply(std::move(e.response));
    calls_.erase(it);
  }

  void perform(Persist& e) {
    base::StoreBatch batch;
    for (Write& write : e.writes) batch.writes.push_back({std::move(write.key), std::move(write.value)});
    // The store may outlive this shell with commits under way.
    acting_.store()->commit(std::move(batch), [this, weak = std::weak_ptr(alive_), ticket = e.ticket](base::Status status) {
      if (!weak.expired()) dispatch(Persisted{ticket, std::move(status)});
    });
  }

  void perform(SendCall& e) {
    if (scheduler_) scheduler_->send(*e.call);
  }

  void perform(SetTimer& e) {
    cancel_timer(e.timer);
    timers_[e.timer] = loop_.at(e.at, [this, name = e.timer] {
      timers_.erase(name);
      dispatch(TimerFired{name});
    });
  }

  void perform(CancelTimer& e) { cancel_timer(e.timer); }

  void perform(Exit& e) {
    LOG_ERROR("leaving: {}", e.reason);
    drain(e.code);
  }

  void perform(Trace& e) { base::log::line(log_level(e.level), DC_COMPONENT, "{}", e.text); }

  void cancel_timer(const TimerName& name) {
    const auto it = timers_.find(name);
    if (it == timers_.end()) return;
    loop_.cancel(it->second);
    timers_.erase(it);
  }

  /// From here on this process acts.
  base::Status begin() {
    auto records = acting_.store()->scan("");
    if (!records) return records.error().with_context("reading the store");
    Recovered recovered;
    for (base::StoreEntry& entry : *records) recovered.records.emplace_back(std::move(entry.key), std::move(entry.value));
    ASSIGN_OR_RETURN(client::ProtocolOptions protocol, flags_.protocol());
    acting_.begin();
    dispatch(std::move(recovered));
    clock_ = std::make_unique<base::ClockWatch>(loop_, [this] { dispatch(ClockJumped{}); });
    client::Scheduler::Callbacks callbacks;
    callbacks.on_event = [this](std::shared_ptr<const mesos::v1::scheduler::Event> event) {
      dispatch(MasterEvent{std::move(event)});
    };
    callbacks.on_disconnected = [this](const std::string&, bool) { dispatch(MasterLost{}); };
    callbacks.may_act = [this] { return acting_.may_act(); };
    scheduler_ = std::make_unique<client::Scheduler>(
        loop_, std::move(protocol), flags_.framework(core_.state().framework_id, port_), std::move(callbacks));
    scheduler_->start();
    return {};
  }

  void contend() {
    base::ha::Member::Options options = self().contest();
    options.url = *flags_.zk;
    options.self = flags_.hostname + ":" + std::to_string(port_);
    acting_.contend({.options = std::move(options),
                     .on_leading =
                         [this] {
                           if (const auto begun = begin(); !begun) return acting_.stop(begun.error().message);
                           acting_.serving();
                         },
                     .serve = [this](base::http::Request request, base::http::Responder responder) {
                       serve(std::move(request), std::move(responder));
                     },
                     .refuse = [](int status, const std::string& message) { return Self::refuse(status, message); }});
  }

  base::Loop& loop_;
  const Flags& flags_;
  base::ha::Acting acting_;
  std::unique_ptr<base::TimeZones> zones_;
  Core core_;
  std::deque<Event> events_;
  bool busy_ = false;
  bool draining_ = false;
  uint16_t port_ = 0;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  std::unordered_map<TimerName, base::Loop::TimerId> timers_;
  std::unordered_map<CallId, base::http::Responder> calls_;
  CallId next_call_ = 1;

  // Last, so that they go first: their callbacks use what is above.
  std::unique_ptr<base::ClockWatch> clock_;
  base::http::Server server_;
  std::unique_ptr<client::Scheduler> scheduler_;
};

}  // namespace jobs
