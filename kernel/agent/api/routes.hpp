#pragma once

// The agent's HTTP interface as one table.

#include <map>
#include <string>

#include "base/http/router.hpp"
#include "base/log_level.hpp"
#include "base/metrics.hpp"
#include "base/pool.hpp"
#include "kernel/agent/api/access.hpp"
#include "kernel/agent/container_streams.hpp"
#include "kernel/agent/files.hpp"
#include "kernel/agent/shell.hpp"
#include "kernel/auth/firewall.hpp"
#include "kernel/containerizer/explain.hpp"

namespace containerizer::images {
class Images;
}

namespace agent {

class Providers;
class TaskStreams;

/// What the handlers read. Outlives the server.
struct Api {
  base::Loop& loop;
  base::Pool& pool;
  Shell& shell;
  base::Metrics& metrics;
  Files files;
  std::map<std::string, std::string> flags;
  auth::Firewall firewall;
  Access access;
  base::LogLevel& log_level;
  std::function<std::string()> master_hostname;
  ContainerStreams* streams = nullptr;
  containerizer::images::Images* images = nullptr;  // null: containers have none
  Providers* providers = nullptr;
  std::function<void(const std::string& id, std::function<void(base::Result<containerizer::Explanation>)> done)> explain{};

  const State& state() const { return shell.core().state(); }
  const std::string& agent_id() const { return state().info.id().value(); }
  bool recovering() const { return state().phase == Phase::Recovering; }
};

/// Every route under its name, with ".json", and below /slave(1).
void add_routes(base::http::Router& router, Api& api, TaskStreams& streams);

/// The handler with the firewall and the question who asks before it.
base::http::Handler make_handler(const base::http::Router& router, Api& api);

// api/*.cpp
std::string render_state(const Api& api, const Sight& sight);
void handle_executor_api(Api& api, base::http::Request request, const base::http::Responder& responder);
void handle_resource_provider_api(Api& api, base::http::Request request, const base::http::Responder& responder);
void handle_operator_api(Api& api, base::http::Request request, const base::http::Responder& responder);
/// Calls that add, change, remove and forget resource providers. False: this call is not one of them.
bool handle_provider_call(Api& api, const std::string& principal, const mesos::v1::agent::Call& call,
                          const base::http::Responder& responder);
void handle_browse(Api& api, const base::http::Request& request, const base::http::Responder& responder);
void handle_read(Api& api, const base::http::Request& request, const base::http::Responder& responder);
void handle_download(Api& api, const base::http::Request& request, const base::http::Responder& responder);
void handle_files_debug(Api& api, const base::http::Request& request, const base::http::Responder& responder);
void handle_containers(Api& api, const base::http::Request& request, const base::http::Responder& responder);
void handle_pending(Api& api, const base::http::Request& request, const base::http::Responder& responder);
void handle_statistics(Api& api, const base::http::Request& request, const base::http::Responder& responder);

void handle_explain(Api& api, const base::http::Request& request, const base::http::Responder& responder);

/// What a virtual path stands for, by the state of this moment.
Asked asked_of(const Api& api, const std::string& path);

/// Whether the principal may look into the sandbox that a virtual path leads into.
bool may_read(const Api& api, const std::string& principal, const std::string& path);

/// JSON, or a call of the function that `jsonp` names.
void reply_json(const base::http::Request& request, const base::http::Responder& responder, std::string json);

}  // namespace agent
