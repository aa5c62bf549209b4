#pragma once

// The route table as data (pure). The longest prefix wins; an exact row beats a prefix of the same
// text.

#include <cstdint>
#include <span>
#include <string_view>

namespace admin_router {

enum class Target : uint8_t {
  Static,            // a file of the dashboard
  Master,            // the leading Mesos master
  MasterUncut,       // the same, with a part of the prefix kept
  Service,           // by name, see Table::find_service
  MarathonAlias,     // /marathon/x is /service/marathon/x
  Agent,             // by id
  AgentSystem,       // /system/v1/agent/<id>/...
  Backend,           // a daemon whose address is a flag: Route::backend
  Redirect,          // to the same path with a slash
  MarathonRedirect,  // 307 to /marathon/
  Metadata,
  Version,
  UiConfig,
  BuildInfo,
  Login,
  AuthProviders,
  Auth,
  Health,
  Metrics,
  Absent,  // belongs to a part that is not installed: a clear 404 instead of the dashboard's page
};

enum class Access : uint8_t { Open, Token };

/// Daemons beside the gateway. None of them is there unless its flag is given.
enum class Backend : uint8_t { None, Package, MesosDns, Net };

struct Route {
  std::string_view path;
  bool exact = false;
  Target target = Target::Static;
  Access access = Access::Token;
  std::string_view sentence{};
  Backend backend = Backend::None;
  std::string_view cut{};  // what the backend does not see of the path
};

std::span<const Route> routes();

/// `path` is normalised and starts with '/'. Always finds one: "/" is the last resort.
const Route& find_route(std::string_view path);

}  // namespace admin_router
