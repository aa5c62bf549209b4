#pragma once

// The steps of setting a container up, in the order in which main.cpp takes them. Each returns what failed.

#include "kernel/containerizer/launch/order.hpp"

namespace containerizer::launch {

struct Failure {
  const char* step = nullptr;  // null: no failure
  const char* detail = "";
  int error = 0;
};

/// "step 'detail': reason" into `text`; returns its length.
size_t describe_failure(char* text, size_t capacity, const char* step, const char* detail, int error);

/// Standard input from /dev/null, output and error to the sandbox's files.
Failure open_output(const Order& order);

/// The helper must outlive a task that runs out of memory, to tell how it ended. Without the privilege it stays as it is.
void protect_from_oom_killer(bool protect);

Failure write_pid_file(const Order& order);
Failure enter_cgroups(const Order& order);
Failure join_namespaces(const Order& order);

/// Opened before mounts change: the status file is written relative to it.
Failure open_status_directory(const Order& order, int* fd);

Failure set_up_mounts(const Order& order);
Failure set_limits(const Order& order);
Failure switch_user(const Order& order);

/// Returns only on failure.
Failure execute(const Order& order);

/// Atomic and durable; there is nobody to tell when it fails.
void write_status(const Order& order, int directory, int status);

}  // namespace containerizer::launch
