// From stored records back to state. A record that does not decode is reported and left alone in the store.

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/strings.hpp"
#include "marathon/app_json.hpp"
#include "marathon/core.hpp"
#include "marathon/deployments.hpp"
#include "marathon/health.hpp"
#include "marathon/instances.hpp"
#include "marathon/records.hpp"
#include "marathon/roles.hpp"

namespace marathon {
namespace {

using Records = std::vector<std::pair<std::string, std::string>>;

void bad_record(Turn& turn, const std::string& key, const std::string& why) {
  turn.out.trace(TraceLevel::Error, fmt::format("the stored record '{}' is left aside: {}", key, why));
  turn.count("persistence.bad-records");
  turn.state.records_missing = true;
}

template <class Handle>
void each_record(const Records& records, std::string_view prefix, const Handle& handle) {
  for (const auto& [key, value] : records) {
    if (key.starts_with(prefix)) handle(key, key.substr(prefix.size()), value);
  }
}

void recover_apps(Turn& turn, const Records& records) {
  State& state = turn.state;
  each_record(records, "app:", [&](const std::string& key, const std::string&, const std::string& text) {
    auto app = parse_stored_app(text);
    if (!app) return bad_record(turn, key, app.error().message);
    state.last_version = std::max(state.last_version, app->version);
    auto definition = std::make_shared<const App>(std::move(*app));
    state.apps[definition->id].versions[definition->version] = definition;
  });
  each_record(records, "current:", [&](const std::string& key, const PathId& id, const std::string& text) {
    const auto version = base::parse_iso8601(text);
    const auto run = state.apps.find(id);
    if (!version || run == state.apps.end() || !run->second.versions.contains(*version)) {
      return bad_record(turn, key, "its definition is missing");
    }
    run->second.target = run->second.versions[*version];
    state.service_ports.take(*run->second.target);
  });
}

void recover_instances(Turn& turn, const Records& records) {
  State& state = turn.state;
  each_record(records, "instance:", [&](const std::string& key, const std::string&, const std::string& text) {
    auto decoded = decode_instance(text);
    if (!decoded) return bad_record(turn, key, decoded.error().message);
    Instance& instance = *decoded;
    AppRun& run = state.apps[instance.app];
    link_tasks(state, instance);
    if (instance.condition == Condition::Scheduled) ++run.scheduled;
    const InstanceId id = instance.id;
    run.instances.emplace(id, std::move(instance));
  });
}

void recover_deployments(Turn& turn, const Records& records) {
  State& state = turn.state;
  std::vector<StoredDeployment> found;
  each_record(records, "deployment:", [&](const std::string& key, const std::string&, const std::string& text) {
    auto stored = decode_deployment(text);
    if (!stored) return bad_record(turn, key, stored.error().message);
    state.last_version = std::max(state.last_version, stored->deployment.version);
    found.push_back(std::move(*stored));
  });
  // Apps are locked by one deployment at a time: of two that share one, the older had ended, and only its record's
  // removal was still to come. Taken up beside the newer one, nothing would ever bring it to its end.
  std::sort(found.begin(), found.end(), [](const StoredDeployment& a, const StoredDeployment& b) {
    return a.deployment.version > b.deployment.version;
  });
  std::set<PathId> locked;
  std::erase_if(found, [&](const StoredDeployment& stored) {
    const bool ended = std::any_of(stored.changes.begin(), stored.changes.end(),
                                   [&](const StoredChange& change) { return locked.contains(change.id); });
    if (ended) commit_later(turn, {{deployment_key(stored.deployment.id), std::nullopt}});
    for (const StoredChange& change : stored.changes) locked.insert(change.id);
    return ended;
  });
  std::reverse(found.begin(), found.end());
  for (StoredDeployment& stored : found) {
    Deployment deployment = std::move(stored.deployment);
    for (StoredChange& change : stored.changes) {
      AppRun& run = state.apps[change.id];
      const auto version = [&](Version v) {
        const auto it = run.versions.find(v);
        return it == run.versions.end() ? nullptr : it->second;
      };
      deployment.changes.push_back(
          {change.id, version(change.from), version(change.to), std::move(change.kill_list)});
    }
    resume(turn, std::move(deployment));
  }
}

}  // namespace

void recover(Turn& turn, const Recovered& stored) {
  State& state = turn.state;
  state.started = turn.now.time;
  const Records& records = stored.records;
  bool has_schema = false;
  for (const auto& [key, value] : records) {
    if (key == kFrameworkIdKey) {
      state.framework_id = value;
      state.framework_id_stored = true;
    }
    if (key == kSchemaKey) {
      has_schema = true;
      if (value != kSchemaVersion) {
        return turn.out.exit(1, fmt::format("the store has layout {}, this program knows layout {}: "
                                            "start the release that wrote it",
                                            base::valid_utf8(value), kSchemaVersion));
      }
    }
  }
  if (!has_schema) commit(turn, {{kSchemaKey, std::string(kSchemaVersion)}});
  each_record(records, "group:", [&](const std::string& key, const std::string&, const std::string& text) {
    auto group = decode_group(text);
    if (!group) return bad_record(turn, key, group.error().message);
    state.last_version = std::max(state.last_version, group->version);
    const PathId id = group->id;
    state.groups[id] = std::move(*group);
  });
  each_record(records, "tree:", [&](const std::string& key, const std::string& at, const std::string& text) {
    auto change = decode_past_change(text);
    const auto version = base::parse_iso8601(at);
    if (!change || !version) return bad_record(turn, key, change ? "no version" : change.error().message);
    state.last_version = std::max(state.last_version, *version);
    state.history[*version] = std::move(*change);
  });
  recover_apps(turn, records);
  recover_instances(turn, records);
  recover_deployments(turn, records);
  each_record(records, kReleasePrefix, [&](const std::string&, const std::string& id, const std::string& since) {
    state.releases[id] = base::parse_iso8601(since).value_or(turn.now.time);
  });
  each_record(records, "failure:", [&](const std::string& key, const PathId& app, const std::string& text) {
    auto failure = decode_failure(text);
    if (!failure) return bad_record(turn, key, failure.error().message);
    if (AppRun* run = find_run(state, app)) run->last_failure = std::move(*failure);
  });
  if (state.framework_id.empty() && !state.tasks.empty()) {
    return turn.out.exit(108, "the store has instances but no framework id: with a new one they would be "
                              "lost; restore the store, or empty it");
  }
  recover_roles(state);
  for (auto& [id, run] : state.apps) {
    want_offers(turn, run);
    // Changed below: forgetting an instance removes it from the map.
    std::vector<InstanceId> ids;
    for (const auto& [key, instance] : run.instances) ids.push_back(key);
    for (const InstanceId& key : ids) {
      Instance& instance = run.instances.at(key);
      if (instance.goal == Goal::Decommissioned) {
        decommission(turn, run, key);
      } else if (instance.goal == Goal::Stopped) {
        if (!instance.task_id.empty()) kill_task(turn, instance);
      } else if (instance.condition == Condition::Running) {
        on_running(turn, run, instance, std::nullopt);
      } else {
        resume_timers(turn, run, instance);
      }
    }
  }
}

}  // namespace marathon
