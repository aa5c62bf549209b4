#include "marathon/app.hpp"

#include <tuple>

namespace marathon {

size_t port_count(const App& app) {
  if (uses_host_network(app)) return app.port_definitions.size();
  return app.container ? app.container->port_mappings.size() : 0;
}

bool needs_restart(const App& from, const App& to) {
  const auto config = [](const App& a) {
    return std::tie(a.cmd, a.args, a.user, a.env, a.cpus, a.mem, a.disk, a.gpus, a.executor,
                    a.constraints, a.fetch, a.port_definitions, a.require_ports, a.networks,
                    a.container, a.health_checks, a.readiness_checks, a.dependencies,
                    a.upgrade_strategy, a.labels, a.accepted_resource_roles, a.role,
                    a.backoff_seconds, a.backoff_factor, a.max_launch_delay_seconds,
                    a.task_kill_grace_period_seconds, a.kill_selection, a.unreachable_strategy,
                    a.tty, a.resource_limits);
  };
  return config(from) != config(to) || from.last_config_change_at != to.last_config_change_at;
}

}  // namespace marathon
