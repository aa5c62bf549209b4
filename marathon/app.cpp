#include "marathon/app.hpp"

#include <algorithm>
#include <tuple>

#include "marathon/pod.hpp"

namespace marathon {

std::vector<PersistentVolume> persistent_volumes(const App& app) {
  std::vector<PersistentVolume> list;
  if (app.pod) {
    for (const PodVolume& volume : app.pod->volumes) {
      if (volume.persistent) list.push_back({volume.name, *volume.persistent});
    }
  } else if (app.container) {
    for (const Volume& volume : app.container->volumes) {
      if (volume.persistent) list.push_back({volume.container_path, *volume.persistent});
    }
  }
  return list;
}

bool is_resident(const App& app) {
  const auto any = [](const auto& volumes) {
    return std::any_of(volumes.begin(), volumes.end(), [](const auto& v) { return v.persistent.has_value(); });
  };
  if (app.pod) return any(app.pod->volumes);
  return app.container && any(app.container->volumes);
}

bool has_health_checks(const App& app) {
  if (!app.pod) return !app.health_checks.empty();
  return std::any_of(app.pod->containers.begin(), app.pod->containers.end(),
                     [](const PodContainer& c) { return c.health_check.has_value(); });
}

size_t port_count(const App& app) {
  if (app.pod) return endpoints_of(*app.pod).size();
  if (uses_host_network(app)) return app.port_definitions.size();
  return app.container ? app.container->port_mappings.size() : 0;
}

bool needs_restart(const App& from, const App& to, bool in_place) {
  const auto seen = [](const App& a) {
    return std::tie(a.cmd, a.args, a.user, a.env, a.env_secrets, a.secrets, a.cpus, a.mem, a.disk, a.gpus, a.executor,
                    a.executor_resources, a.check, a.fetch,
                    a.port_definitions, a.require_ports, a.networks, a.container, a.health_checks,
                    a.readiness_checks, a.role, a.task_kill_grace_period_seconds, a.unreachable_strategy,
                    a.tty, a.resource_limits);
  };
  const auto unseen = [](const App& a) {
    return std::tie(a.constraints, a.dependencies, a.upgrade_strategy, a.labels, a.accepted_resource_roles,
                    a.backoff_seconds, a.backoff_factor, a.max_launch_delay_seconds, a.kill_selection);
  };
  const bool same_pod = from.pod && to.pod ? *from.pod == *to.pod : from.pod == to.pod;
  if (!same_pod || seen(from) != seen(to) || from.last_config_change_at != to.last_config_change_at) return true;
  return !in_place && unseen(from) != unseen(to);
}

}  // namespace marathon
