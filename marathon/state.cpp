#include "marathon/state.hpp"

namespace marathon {
namespace {

constexpr base::Duration kLazyDelay = base::milliseconds(50);

}  // namespace

const App* definition_of(const AppRun& run, const Instance& instance) {
  const auto it = run.versions.find(instance.version);
  return it != run.versions.end() ? it->second.get() : run.target.get();
}

AppRun* find_run(State& state, const PathId& id) {
  const auto it = state.apps.find(id);
  return it == state.apps.end() ? nullptr : &it->second;
}

const AppRun* find_app(const State& state, const PathId& id) {
  const auto it = state.apps.find(id);
  return it == state.apps.end() || !it->second.target ? nullptr : &it->second;
}

Instance* find_instance(State& state, const PathId& app, const InstanceId& id) {
  AppRun* run = find_run(state, app);
  if (!run) return nullptr;
  const auto it = run->instances.find(id);
  return it == run->instances.end() ? nullptr : &it->second;
}

Instance* find_task(State& state, const TaskId& task) {
  const auto it = state.tasks.find(task);
  return it == state.tasks.end() ? nullptr : find_instance(state, it->second.first, it->second.second);
}

void each_app(const State& state, const PathId& group,
              const std::function<void(const AppRun&)>& visit) {
  // Members of "/a" sort after "/a/"; "/a-b" lies before and "/a0" behind them.
  const std::string prefix = group == "/" ? "/" : group + "/";
  for (auto it = state.apps.lower_bound(prefix);
       it != state.apps.end() && it->first.starts_with(prefix); ++it) {
    if (it->second.target) visit(it->second);
  }
}

bool group_exists(const State& state, const PathId& id) {
  if (id == "/" || state.groups.contains(id)) return true;
  const std::string prefix = id + "/";
  const auto group = state.groups.lower_bound(prefix);
  return group != state.groups.end() && group->first.starts_with(prefix);
}

void touch(Turn& turn, const PathId& app) { turn.state.dirty.insert(app); }

void commit(Turn& turn, std::vector<Write> writes, State::Continuation done) {
  for (Write& write : writes) turn.writes.push_back(std::move(write));
  if (done) turn.continuations.push_back(std::move(done));
}

void commit_later(Turn& turn, std::vector<Write> writes) {
  auto& lazy = turn.state.lazy_writes;
  if (lazy.empty()) turn.out.set_timer("flush", turn.now.instant + kLazyDelay);
  lazy.insert(lazy.end(), writes.begin(), writes.end());
}

void flush_lazy_writes(Turn& turn) {
  // flush_commit takes them along when there is anything to do.
  if (!turn.state.lazy_writes.empty()) commit(turn, {}, [](Turn&, const base::Status&) {});
}

void flush_commit(Turn& turn) {
  if (turn.writes.empty() && turn.continuations.empty()) return;
  std::vector<Write> lazy = std::move(turn.state.lazy_writes);
  turn.state.lazy_writes.clear();
  if (!lazy.empty()) {
    // In front: what this turn writes may replace it.
    turn.writes.insert(turn.writes.begin(), lazy.begin(), lazy.end());
    turn.continuations.push_back([lazy](Turn& later, const base::Status& status) {
      if (!status) commit_later(later, lazy);
    });
  }
  const Ticket ticket = turn.state.next_ticket++;
  if (!turn.continuations.empty()) {
    turn.state.pending.emplace(ticket, std::move(turn.continuations));
  }
  turn.out.persist(ticket, std::move(turn.writes));
  turn.writes.clear();
  turn.continuations.clear();
}

}  // namespace marathon
