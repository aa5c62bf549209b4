#pragma once

// Keeps the daemons of one development cluster running: starts them, restarts one that dies within
// a second, keeps their logs bounded, answers on a unix socket: GET /status, POST /stop. One loop.
// When the supervisor itself is killed the daemons end with it (parent-death signal), tasks go on,
// and the next `dev up` takes them back.

#include <sys/types.h>

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/http/server.hpp"
#include "base/loop.hpp"
#include "installer/cluster.hpp"

namespace installer {

class Supervisor {
 public:
  Supervisor(base::Loop& loop, ClusterPlan plan);
  ~Supervisor();

  /// Opens the socket, then starts every daemon. An error means nothing was started.
  base::Status start();

  /// Ends the daemons in stop order, then the loop. A daemon that does not end within 20 s is
  /// killed.
  void stop();

 private:
  struct Child {
    const Daemon* daemon = nullptr;
    pid_t pid = 0;  // 0: not running
    base::Instant started{};
    unsigned restarts = 0;
    unsigned quick_deaths = 0;  // in a row
    int last_wait_status = 0;
    base::Loop::TimerId kill_timer = 0;
  };

  void launch(Child& child);
  void on_exit(Child& child, int wait_status);
  void stop_next();
  void trim_logs();
  std::string status_json() const;

  base::Loop& loop_;
  const ClusterPlan plan_;
  std::map<std::string, Child> children_;
  std::unique_ptr<base::http::Server> server_;
  bool stopping_ = false;
};

}  // namespace installer
