#include "universe/core.hpp"

#include "universe/api/api.hpp"
#include "universe/sources.hpp"

namespace universe {
namespace {

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

/// Calls what waits for `ticket`, once.
template <class Waiting, class Outcome>
void resume(Turn& turn, Waiting& waiting, Ticket ticket, const Outcome& outcome) {
  const auto it = waiting.find(ticket);
  if (it == waiting.end()) return;
  const auto continuation = std::move(it->second);
  waiting.erase(it);
  continuation(turn, outcome);
}

}  // namespace

Core::Core(Policy policy, base::Random random) : policy_(std::move(policy)), random_(random) {}

void Core::on(const Event& event, base::Now now, Effects& out) {
  Turn turn{state_, policy_, random_, now, out};
  std::visit(Overloaded{
                 [&](const Recovered& e) { recover_sources(turn, e); },
                 [&](const HttpRequested& e) { on_request(turn, e); },
                 [&](const Persisted& e) {
                   if (!e.status) {
                     turn.count("store_failures");
                     out.trace(TraceLevel::Error, "the store refused a commit: " + e.status.error().message);
                   }
                   resume(turn, state_.commits, e.ticket, e.status);
                 },
                 [&](const TimerFired& e) { on_source_timer(turn, e.timer); },
                 [&](const Fetched& e) { resume(turn, state_.fetches, e.ticket, e.outcome); },
                 [&](const Answered& e) { resume(turn, state_.asks, e.ticket, e.response); },
             },
             event);
}

}  // namespace universe
