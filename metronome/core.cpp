#include "metronome/core.hpp"

#include "metronome/api/api.hpp"
#include "metronome/due.hpp"
#include "metronome/launching.hpp"
#include "metronome/records.hpp"
#include "metronome/runs.hpp"

namespace metronome {
namespace {

void on_timer(Turn& turn, const TimerName& name) {
  if (name == "due") return on_due(turn);
  if (name == "confirm") return confirm_launches(turn);
  if (name == "reconcile") return reconcile(turn, false);
  if (name == "kills") return repeat_kills(turn);
  if (name == "suppress") return suppress_when_idle(turn);
  // What the store refused goes with any commit.
  if (name == "flush" && !turn.state.unsaved.empty()) when_durable(turn, [](Turn&, const base::Status&) {});
}

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace

Core::Core(Policy policy, std::string address, const base::TimeZones& zones, base::Random random)
    : policy_(std::move(policy)), address_(std::move(address)), zones_(zones), random_(std::move(random)) {}

void Core::on(const Event& event, base::Now now, Effects& out) {
  Turn turn{state_, policy_, zones_, random_, now, out};
  std::visit(Overloaded{
                 [&](const Recovered& e) { recover(turn, e.records); },
                 [&](const HttpRequested& e) { api::on_request(turn, address_, e); },
                 [&](const MasterEvent& e) { on_master_event(turn, *e.event); },
                 [&](const MasterLost&) { state_.subscribed = false; },
                 [&](const Persisted& e) { on_persisted(turn, e.ticket, e.status); },
                 [&](const TimerFired& e) { on_timer(turn, e.timer); },
                 [&](const ClockJumped&) {
                   turn.info("the wall clock was set");
                   on_due(turn);
                 },
             },
             event);
  settle(turn);
  ask_for_offers(turn);
  flush_commit(turn);
}

}  // namespace metronome
