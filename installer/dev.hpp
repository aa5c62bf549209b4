#pragma once

// The commands of `installer/dev`, each returning the process's exit code.

#include <string>

#include "installer/cluster.hpp"

namespace installer {

/// Starts the cluster if it does not run, waits until every daemon answers its probe and the first
/// app runs.
int dev_up(const ClusterPlan& plan);

/// Ends it, tasks included, and checks that nothing is left on the machine.
int dev_down(const ClusterPlan& plan);

int dev_status(const ClusterPlan& plan);

/// `name`: a daemon of the plan or "supervisor".
int dev_logs(const ClusterPlan& plan, const std::string& name, bool follow);

/// Gives the first user a new password and prints it.
int dev_password(const ClusterPlan& plan);

/// down, then removes the root directory.
int dev_reset(const ClusterPlan& plan);

/// The supervisor itself, in the foreground.
int dev_supervise(const ClusterPlan& plan);

}  // namespace installer
