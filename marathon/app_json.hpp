#pragma once

// App definitions on the wire: reading (every historical form, partial updates) and writing (the canonical form only).

#include <boost/json/fwd.hpp>

#include <optional>
#include <string>
#include <string_view>

#include "marathon/app.hpp"
#include "marathon/errors.hpp"

namespace base::json {
class Writer;
}

namespace marathon {

/// What the deployment of this scheduler adds to a definition that leaves it open.
struct AppDefaults {
  std::string role = "*";
  std::string network_name;                 // for container networks without one
  std::string bridge_name = "mesos-bridge";
};

/// Rewrites deprecated fields of a create or update body (uris, ports, ipAddress, container.docker.network, ...) into
/// canonical ones. Adds no defaults, so the result can be laid over an existing definition.
void normalize_app_update(boost::json::object& body, const AppDefaults& defaults, Violations& types,
                          Violations& rules);

/// Fills what depends on several fields: networks, ports, the port of health checks.
void normalize_app_defaults(boost::json::object& body, const AppDefaults& defaults,
                            Violations& rules);

/// Reads a canonical object. Wrong types go to `types`, things we refuse to `rules`.
App decode_app(const boost::json::object& body, const AppDefaults& defaults, Violations& types,
               Violations& rules);

/// The whole way from a request body to an app: normalise, lay over `current` (null: a new app), decode. `group` is what
/// a relative id starts from. The result is not validated. An error means the body does not decode.
std::optional<ApiError> read_app(const boost::json::object& body, const App* current,
                                 std::string_view group, const AppDefaults& defaults, App& out);

/// The object's members up to and without the closing brace, so that members can be appended: `{"id":"/a",...`.
std::string render_app_open(const App& app);

/// The whole object.
std::string render_app(const App& app);

/// An app as render_app wrote it, for recovery.
base::Result<App> parse_stored_app(std::string_view text);

/// Integral numbers without fraction, as the API prints cpus, mem and the like.
void write_number(base::json::Writer& w, double number);

void write_health_check(base::json::Writer& w, const HealthCheck& check);

std::string_view protocol_name(HealthProtocol protocol);
std::string_view operator_name(ConstraintOperator op);
std::optional<ConstraintOperator> parse_operator(std::string_view name);

}  // namespace marathon
