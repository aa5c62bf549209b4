#pragma once

// What the master's and Marathon's streams say, as events of the core (pure).

#include <string>
#include <string_view>
#include <vector>

#include "admin-router/table.hpp"
#include "base/result.hpp"

namespace admin_router {

struct MasterRecord {
  std::vector<Event> events{};
  double heartbeat_seconds = 0;  // above 0: told by SUBSCRIBED
};

/// One record of the master's operator stream (JSON). Kinds that do not concern routing give no
/// events.
base::Result<MasterRecord> read_master_record(std::string_view text);

/// The answer of GET /v2/apps?embed=apps.tasks. Apps without a route label are left out.
base::Result<AppsSnapshot> read_apps(std::string_view text);

struct MarathonEvents {
  std::vector<Event> events{};
  bool reload = false;  // the event says that definitions changed, and not how
};

/// One event of Marathon's stream.
base::Result<MarathonEvents> read_marathon_event(std::string_view type, std::string_view data);

}  // namespace admin_router
