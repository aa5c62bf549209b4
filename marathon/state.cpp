#include "marathon/state.hpp"

#include "marathon/records.hpp"

namespace marathon {
namespace {

constexpr base::Duration kLazyDelay = base::milliseconds(50);
constexpr base::Duration kRetryDelay = base::seconds(5);

/// What the store should hold for an instance, as it is now.
Write instance_write(State& state, const std::string& key) {
  const auto name = parse_task_id(key.substr(kInstancePrefix.size()));
  const Instance* instance = name ? find_instance(state, name->app, name->instance) : nullptr;
  if (!instance || instance->incarnation == 0) return {key, std::nullopt};
  return {key, encode_instance(*instance)};
}

/// A commit failed. Changes of the tree are taken back by whoever asked for them; what instances went through cannot
/// be, so it is stored later.
void store_again(Turn& turn, const std::vector<std::string>& instances, const std::vector<Write>& lazy) {
  auto& waiting = turn.state.lazy_writes;
  waiting.insert(waiting.begin(), lazy.begin(), lazy.end());
  for (const std::string& key : instances) waiting.push_back(instance_write(turn.state, key));
  if (!waiting.empty()) turn.out.set_timer("flush", turn.now.instant + kRetryDelay);
}

}  // namespace

const App* definition_of(const AppRun& run, const Instance& instance) {
  const auto it = run.versions.find(instance.version);
  return it != run.versions.end() ? it->second.get() : run.target.get();
}

AppRun* find_run(State& state, const PathId& id) {
  const auto it = state.apps.find(id);
  return it == state.apps.end() ? nullptr : &it->second;
}

const AppRun* find_spec(const State& state, const PathId& id) {
  const auto it = state.apps.find(id);
  return it == state.apps.end() || !it->second.target ? nullptr : &it->second;
}

const AppRun* find_app(const State& state, const PathId& id) {
  const AppRun* run = find_spec(state, id);
  return run && !run->target->pod ? run : nullptr;
}

const AppRun* find_pod(const State& state, const PathId& id) {
  const AppRun* run = find_spec(state, id);
  return run && run->target->pod ? run : nullptr;
}

Instance* find_instance(State& state, const PathId& app, const InstanceId& id) {
  AppRun* run = find_run(state, app);
  if (!run) return nullptr;
  const auto it = run->instances.find(id);
  return it == run->instances.end() ? nullptr : &it->second;
}

MatchPolicy match_policy(const State& state, const Policy& policy) {
  MatchPolicy match = policy.match;
  match.local_region = state.region;
  return match;
}

Instance* find_task(State& state, const TaskId& task) {
  const auto it = state.tasks.find(task);
  return it == state.tasks.end() ? nullptr : find_instance(state, it->second.first, it->second.second);
}

void each_app(const State& state, const PathId& group, const std::function<void(const AppRun&)>& visit) {
  each_spec(state, group, [&](const AppRun& run) {
    if (!run.target->pod) visit(run);
  });
}

void each_spec(const State& state, const PathId& group, const std::function<void(const AppRun&)>& visit) {
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

void link_tasks(State& state, const Instance& instance) {
  if (!instance.task_id.empty()) state.tasks[instance.task_id] = {instance.app, instance.id};
  for (const ContainerTask& task : instance.containers) state.tasks[task.task_id] = {instance.app, instance.id};
}

void unlink_tasks(State& state, const Instance& instance) {
  state.tasks.erase(instance.task_id);
  for (const ContainerTask& task : instance.containers) state.tasks.erase(task.task_id);
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

void store_framework_id(Turn& turn) {
  const std::string id = turn.state.framework_id;
  turn.state.framework_id_stored = false;
  commit(turn, {{kFrameworkIdKey, id}}, [id](Turn& later, const base::Status& status) {
    if (status && later.state.framework_id == id) later.state.framework_id_stored = true;
  });
}

void flush_commit(Turn& turn) {
  if (turn.writes.empty() && turn.continuations.empty()) return;
  std::vector<Write> lazy = std::move(turn.state.lazy_writes);
  turn.state.lazy_writes.clear();
  std::vector<std::string> instances;
  for (const Write& write : turn.writes) {
    if (write.key.starts_with(kInstancePrefix)) instances.push_back(write.key);
  }
  // In front: what this turn writes may replace it.
  turn.writes.insert(turn.writes.begin(), lazy.begin(), lazy.end());
  if (!lazy.empty() || !instances.empty()) {
    // After the others: they bring the state to what it shall be.
    turn.continuations.push_back([lazy = std::move(lazy), instances](Turn& later, const base::Status& status) {
      if (!status) store_again(later, instances, lazy);
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
