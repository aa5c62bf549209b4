#pragma once

// A scheduler's real core and the real protocol of its client on the simulated network: what the shells of marathon and of the
// job scheduler do with sockets, stores and timers, done here with virtual ones. `Parts` names the core's types.

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <variant>

#include "base/http/message.hpp"
#include "tests/sim/sim_client.hpp"

namespace sim {

/// What a scheduler says of itself when it subscribes. `id`: empty the first time.
mesos::v1::FrameworkInfo scheduler_info(const std::string& name, const std::string& id, const std::string& role);

template <class Parts>
class SimDaemon : public Process {
 public:
  using Core = typename Parts::Core;
  using Event = typename Parts::Event;
  using Effect = typename Parts::Effect;
  using Answered = std::function<void(const base::http::Response&)>;

  bool up() const { return core_ != nullptr && !dead_; }
  const Core& core() const { return *core_; }

  /// Answers requests: it is up, and of several the one that leads.
  virtual bool serves() const { return up(); }

  /// What a process that starts now would read.
  virtual std::map<std::string, std::string> stored() const { return disk_.durable(); }

  /// One request; `answered` runs at most once, and never when the process dies before.
  void request(base::http::Request request, Answered answered) {
    if (!serves()) return;
    const auto call = next_++;
    calls_[call] = std::move(answered);
    dispatch(typename Parts::HttpRequested{call, std::move(request)});
  }

  /// Reads at once; only for requests that change nothing.
  base::http::Response get(const std::string& target) {
    base::http::Request http;
    http.method = "GET";
    http.target = http.path = target;
    base::http::Response response;
    response.status = 0;
    request(std::move(http), [&response](const base::http::Response& r) { response = r; });
    return response;
  }

  /// The clocks that this process sees.
  virtual base::Now clock() const { return context_.world.now(); }

  /// Called when the stored records have been read.
  std::function<void()> after_boot;

  /// Around each event, for checkers.
  std::function<void()> before_event;
  std::function<void(const Event& event)> after_event;

 protected:
  SimDaemon(Context& context, std::string process_name, SimMaster& master)
      : Process(context, std::move(process_name)),
        client_(context, *this, master,
                {[this] { return dead_; }, [this] { return may_act(); },
                 [this](const client::DeliverEvent& event) { dispatch(typename Parts::MasterEvent{event.event}); },
                 [this] { dispatch(typename Parts::MasterLost{}); },
                 [this](const mesos::v1::TaskStatus& status) { heard(status); }}) {}

  void on_crash() override {
    core_.reset();
    client_.stop();
    events_.clear();
    busy_ = false;
    timers_.clear();
    calls_.clear();
  }

  /// A core that knows nothing yet.
  void boot_core(std::unique_ptr<Core> core) {
    dead_ = ended_ = false;
    core_ = std::move(core);
  }

  /// Tells the core what is stored. False: that was the process's end.
  bool recover() {
    typename Parts::Recovered recovered;
    for (const auto& [key, value] : stored()) recovered.records.emplace_back(key, value);
    dispatch(std::move(recovered));
    if (dead_) return false;
    if (after_boot) after_boot();
    return true;
  }

  void subscribe(const mesos::v1::FrameworkInfo& info) { client_.start(info, base::Random(context_.world.random().next())); }

  void dispatch(Event event) {
    events_.push_back(std::move(event));
    if (busy_ || dead_ || !core_) return;
    busy_ = true;
    while (!events_.empty() && !dead_) {
      if (!may_act()) {
        end("the lease has ended");
        break;
      }
      if (before_event) before_event();
      const Event next = std::move(events_.front());
      events_.pop_front();
      typename Parts::Effects out;
      core_->on(next, clock(), out);
      if (after_event) after_event(next);
      for (Effect& effect : out.list) {
        if (dead_) break;
        if (crash_point()) {
          dead_ = true;
          break;
        }
        perform(effect);
      }
    }
    busy_ = false;
  }

  /// Asked before each event and before anything is sent to the master.
  virtual bool may_act() const { return true; }

  /// A status of the master, before the core is told.
  virtual void heard(const mesos::v1::TaskStatus&) {}

  virtual void persist(typename Parts::Persist& effect) {
    Disk::Writes writes;
    for (auto& write : effect.writes) writes.emplace_back(std::move(write.key), std::move(write.value));
    disk_.commit(std::move(writes), [this, ticket = effect.ticket](base::Status status) {
      dispatch(typename Parts::Persisted{ticket, std::move(status)});
    });
  }

  /// What only this daemon asks for.
  virtual void perform_own(Effect& effect) = 0;

  /// Nothing more is done; the process ends when the call stack has left it, and its supervisor boots it again.
  void end(const std::string& why) {
    if (dead_) return;
    context_.world.note(name, "ends: " + why);
    dead_ = ended_ = true;
    context_.world.after(base::Duration::zero(), [this, now_epoch = epoch] {
      if (epoch == now_epoch) crash();
    });
  }

  bool dead_ = false;
  bool ended_ = false;  // of its own accord: it says goodbye

 private:
  void perform(Effect& effect) {
    World& world = context_.world;
    if (auto* reply = std::get_if<typename Parts::Reply>(&effect)) {
      const auto found = calls_.find(reply->call);
      if (found == calls_.end()) return;
      const auto answered = std::move(found->second);
      calls_.erase(found);
      answered(reply->response);
    } else if (auto* write = std::get_if<typename Parts::Persist>(&effect)) {
      persist(*write);
    } else if (auto* send = std::get_if<typename Parts::SendCall>(&effect)) {
      client_.send(*send->call);
    } else if (auto* timer = std::get_if<typename Parts::SetTimer>(&effect)) {
      set_timer(timer->timer, timer->at);
    } else if (auto* cancel = std::get_if<typename Parts::CancelTimer>(&effect)) {
      timers_.erase(cancel->timer);
    } else if (auto* exit = std::get_if<typename Parts::Exit>(&effect)) {
      world.trace(name, "exits: " + exit->reason);
      // Nothing in these runs justifies an end for one of the other reasons.
      if (exit->code != 106 && exit->code != 103) world.fail(name + " gives up: " + exit->reason);
      end(exit->reason);
    } else if (auto* trace = std::get_if<typename Parts::Trace>(&effect)) {
      world.trace(name, trace->text);
    } else {
      perform_own(effect);
    }
  }

  void set_timer(const std::string& key, base::Instant at) {
    World& world = context_.world;
    const uint64_t generation = next_++;
    timers_[key] = generation;
    const base::Duration delay = std::max(at - world.now().instant, base::Duration::zero());
    world.after(*this, delay, [this, key, generation] {
      const auto found = timers_.find(key);
      if (found == timers_.end() || found->second != generation) return;
      timers_.erase(found);
      dispatch(typename Parts::TimerFired{key});
    });
  }

  std::unique_ptr<Core> core_;
  SimClient client_;
  std::deque<Event> events_;
  bool busy_ = false;
  std::map<std::string, uint64_t> timers_;  // to the generation that is valid
  std::map<uint64_t, Answered> calls_;
  uint64_t next_ = 1;
};

}  // namespace sim
