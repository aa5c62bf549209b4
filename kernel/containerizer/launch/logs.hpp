#pragma once

// Output files with a limit: the helper itself stands between the task and the files, so that they are turned over
// whether or not an agent runs, and needs no further process for it. stdout becomes stdout.1, that stdout.2, and so on.

#include <signal.h>
#include <stddef.h>
#include <sys/types.h>

#include "kernel/containerizer/launch/order.hpp"
#include "kernel/containerizer/launch/steps.hpp"

namespace containerizer::launch {

/// One of the two outputs. Without a limit `reader` is -1 and the task has the file itself.
struct LogStream {
  int target = -1;               // STDOUT_FILENO or STDERR_FILENO
  int reader = -1, writer = -1;  // of the pipe; the task gets the writer
  int file = -1;
  int directory = -1;            // of the file, opened before mounts change
  char name[64] = {};
  unsigned long long size = 0, limit = 0;
  long keep = 0;                 // how many old files stay
};

struct Logs {
  LogStream streams[2];
  int signals = -1;  // signalfd
  uid_t uid = 0;
  gid_t gid = 0;
  bool give = false;  // new files go to that user
};

/// After open_output(). Nothing happens to outputs without a limit.
Failure begin_logs(const Order& order, Logs& logs);

/// Once the user is known: programs may open /dev/stdout again.
void own_logs(const Order& order, Logs& logs);

/// In the task's process, before its privileges are dropped.
Failure enter_logs(const Logs& logs);

/// In the helper, after the fork.
void leave_writers(Logs& logs);

/// Waits for one of `set`, as sigwaitinfo(), and moves output meanwhile.
int wait_for_signal(Logs& logs, const sigset_t& set);

/// Moves what is left in the pipes, after the task's end.
void drain_logs(Logs& logs);

}  // namespace containerizer::launch
