#include "marathon/core.hpp"

#include "base/json/writer.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "base/testing/planted.hpp"
#include "marathon/deployments.hpp"
#include "marathon/dry_run.hpp"
#include "marathon/events_out.hpp"
#include "marathon/health.hpp"
#include "marathon/instances.hpp"
#include "marathon/launching.hpp"
#include "marathon/progress.hpp"
#include "marathon/roles.hpp"
#include "marathon/rollout.hpp"

namespace marathon {
namespace {

/// The pieces of "<kind>/<app>|<instance>|<index>".
struct TimerParts {
  std::string kind;
  PathId app;
  InstanceId instance;
  size_t index = 0;
};

TimerParts parse_timer(const TimerName& name) {
  TimerParts parts;
  const size_t slash = name.find('/');
  parts.kind = name.substr(0, slash);
  if (slash == std::string::npos) return parts;
  const auto pieces = base::split(std::string_view(name).substr(slash + 1), '|');
  parts.app = PathId(pieces[0]);
  if (pieces.size() > 1) parts.instance = InstanceId(pieces[1]);
  if (pieces.size() > 2) parts.index = base::parse_uint(pieces[2]).value_or(0);
  return parts;
}

/// Every app is brought to its count by events; this is the net below them.
void check_all_counts(Turn& turn) {
  for (const auto& [id, run] : turn.state.apps) touch(turn, id);
  drop_unused_roles(turn);
  turn.out.set_timer("scale-apps", turn.now.instant + turn.policy.scale_apps_interval);
}

void on_timer(Turn& turn, const TimerName& name) {
  const TimerParts timer = parse_timer(name);
  if (timer.kind == "health" || timer.kind == "ready") {
    on_check_timer(turn, timer.app, timer.instance, timer.index, timer.kind == "ready");
  } else if (timer.kind == "backoff") {
    if (AppRun* run = find_run(turn.state, timer.app)) want_offers(turn, *run);
  } else if (timer.kind == "inactive" || timer.kind == "expunge") {
    on_unreachable_timer(turn, timer.app, timer.instance, timer.kind == "expunge");
  } else if (timer.kind == "kills") {
    pump_kills(turn, true);
  } else if (timer.kind == "overdue") {
    check_overdue(turn);
  } else if (timer.kind == "reconcile") {
    reconcile(turn, false);
  } else if (timer.kind == "flush") {
    flush_lazy_writes(turn);
  } else if (timer.kind == "suppress") {
    suppress_when_idle(turn);
  } else if (timer.kind == "deadline") {
    on_deadline(turn, timer.app);
  } else if (timer.kind == "settle") {
    touch(turn, timer.app);
  } else if (timer.kind == "stalled") {
    tell_stalled(turn);
  } else if (timer.kind == "dry-run") {
    on_dry_run_timer(turn);
  } else if (timer.kind == "scale-apps") {
    check_all_counts(turn);
  }
}

void on_persisted(Turn& turn, const Persisted& event) {
  if (!event.status) {
    turn.out.trace(TraceLevel::Error, "the store refused a commit: " + event.status.error().message);
    turn.count("persistence.failures");
  }
  const auto it = turn.state.pending.find(event.ticket);
  if (it == turn.state.pending.end()) return;
  const auto continuations = std::move(it->second);
  turn.state.pending.erase(it);
  const base::Status done = base::planted("marathon/takes-refusals-for-writes") ? base::Status() : event.status;
  for (const auto& continuation : continuations) continuation(turn, done);
}

void on_answered(Turn& turn, const Answered& answer) {
  turn.count("http.requests.size.counter.bytes", answer.received);
  turn.count("http.responses.size.counter.bytes", answer.sent);
  if (answer.status >= 100 && answer.status < 600) {
    turn.state.answers[static_cast<size_t>(answer.status / 100 - 1)].mark(turn.now.instant);
  }
  turn.state.requests[""].record(turn.now.instant, answer.took);
  for (const char* method : {"get", "post", "put", "delete"}) {
    if (base::to_lower(answer.method) == method) turn.state.requests[method].record(turn.now.instant, answer.took);
  }
}

void publish_stream(Turn& turn, const char* type, const std::string& remote) {
  publish(turn, type, [&](base::json::Writer& w) { w.field("remoteAddress", remote); });
}

template <class... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

}  // namespace

Core::Core(Policy policy, Identity identity, base::Random random)
    : policy_(std::move(policy)),
      identity_(std::move(identity)),
      random_(random),
      state_(policy_) {
  state_.groups["/"] = Group{"/", {}, {}};
}

void Core::on(const Event& event, base::Now now, Effects& out) {
  Turn turn{state_, policy_, random_, now, out};
  std::visit(
      Overloaded{
          [&](const Recovered& e) {
            recover(turn, e);
            check_all_counts(turn);
            tell_stalled(turn);
          },
          [&](const HttpRequested& e) {
            ++state_.open_requests;
            on_request(turn, identity_, e);
          },
          [&](const Answered& e) { on_answered(turn, e); },
          [&](const MasterEvent& e) { on_master_event(turn, *e.event); },
          [&](const MasterLost&) {
            if (state_.subscribed) publish(turn, "scheduler_disconnected_event");
            state_.subscribed = false;
          },
          [&](const Persisted& e) { on_persisted(turn, e); },
          [&](const TimerFired& e) { on_timer(turn, e.timer); },
          [&](const Probed& e) { on_probed(turn, e); },
          [&](const StreamOpened& e) {
            ++state_.streams;
            state_.any_stream = true;
            publish_stream(turn, "event_stream_attached", e.remote_address);
          },
          [&](const StreamClosed& e) {
            --state_.streams;
            publish_stream(turn, "event_stream_detached", e.remote_address);
          },
      },
      event);
  settle(turn);
  ask_for_offers(turn);
  flush_commit(turn);
  for (const Effect& effect : out.list) state_.open_requests -= std::holds_alternative<Reply>(effect) ? 1 : 0;
}

}  // namespace marathon
