#pragma once

// GET /tasks/stream: what runs on this agent, for the daemons beside it (load balancer): a snapshot, then each change as
// it happens, with no master in between.

#include <memory>

#include "kernel/agent/api/routes.hpp"

namespace agent {

/// Made once, before the server; asks the shell to be told after each turn. Everything on the loop.
class TaskStreams {
 public:
  explicit TaskStreams(Api& api);
  ~TaskStreams();
  TaskStreams(const TaskStreams&) = delete;
  TaskStreams& operator=(const TaskStreams&) = delete;

  /// Answers with an event stream: `snapshot`, then `task` and `removed`. A reader that does not keep up is cut and
  /// starts over with a new snapshot.
  void handle(const base::http::Request& request, const base::http::Responder& responder);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace agent
