#pragma once

// The life of instances: scheduled, launched, updated by task states, relaunched or forgotten.

#include <string>
#include <vector>

#include "marathon/state.hpp"

namespace mesos::v1 {
class TaskStatus;
}

namespace marathon {

/// Adds `count` new instances that wait for offers.
void schedule_instances(Turn& turn, AppRun& run, int64_t count);

/// Marks the app as wanting offers; wakes the master unless the app is backing off.
void want_offers(Turn& turn, AppRun& run);

/// Gives the instance up: killed, and forgotten when it has ended.
void decommission(Turn& turn, AppRun& run, InstanceId id);

/// Ends the instance's task for now: what is reserved for it is kept until it is wanted again. For resident apps.
void stop_instance(Turn& turn, AppRun& run, Instance& instance);

/// Lets stopped instances go on, at most `count`; returns how many.
int64_t resume_instances(Turn& turn, AppRun& run, int64_t count);

/// Kills the task; the instance is launched anew.
void kill_task(Turn& turn, Instance& instance);

/// Removes every trace. Takes the id by value: the caller's may be the instance's own.
void forget(Turn& turn, AppRun& run, InstanceId id);

/// Stores the instance as it is.
void save(Turn& turn, const Instance& instance, State::Continuation done = {});

/// Changes the condition and tells subscribers.
void set_condition(Turn& turn, AppRun& run, Instance& instance, Condition condition);

/// A task update of the master.
void on_task_status(Turn& turn, const mesos::v1::TaskStatus& status);

/// Asks the master for the state of every task we believe in. `all`: also those launched a moment ago.
void reconcile(Turn& turn, bool all);

/// Timers of this file: "inactive/<app>|<instance>", "expunge/<app>|<instance>", "overdue".
void on_unreachable_timer(Turn& turn, PathId app, InstanceId id, bool expunge);
void check_overdue(Turn& turn);

/// Sets the timers that the instance's condition asks for, after a restart.
void resume_timers(Turn& turn, AppRun& run, Instance& instance);

/// Sends waiting kills, at most a chunk at a time; `again`: also those under way.
void pump_kills(Turn& turn, bool again);

/// Forgets the app's delay, so that the next launch happens at once.
void reset_backoff(Turn& turn, AppRun& run);

}  // namespace marathon
