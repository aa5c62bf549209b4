#pragma once

// Health and readiness: which probes to send, and what their results mean for the instance.

#include <optional>

#include "marathon/events.hpp"
#include "marathon/state.hpp"

namespace marathon {

/// The task runs (again): `healthy` is what its executor's check said with the update, if it has one.
void on_running(Turn& turn, AppRun& run, Instance& instance, std::optional<bool> healthy);

/// Timers "health/<app>|<instance>|<index>" and "ready/...": time for the next probe.
void on_check_timer(Turn& turn, const PathId& app, const InstanceId& id, size_t index, bool readiness);

void on_probed(Turn& turn, const Probed& result);

/// Stops probing; what was learnt is kept.
void stop_checks(Turn& turn, AppRun& run, Instance& instance);

/// Runs, and nothing speaks against it: what a rolling replacement may not take too many of.
bool is_considered_healthy(const Instance& instance);

/// Runs, every health check has passed and every readiness check too.
bool is_ready(const AppRun& run, const Instance& instance);

}  // namespace marathon
