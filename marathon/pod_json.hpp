#pragma once

// Pods on the wire and in the store.

#include <boost/json/fwd.hpp>

#include <optional>
#include <string>
#include <string_view>

#include "marathon/app_json.hpp"
#include "marathon/errors.hpp"
#include "marathon/pod.hpp"

namespace marathon {

/// A request's body as a definition; not validated. An error means that it does not decode, or asks for what there is
/// not (secrets).
std::optional<ApiError> read_pod(const boost::json::object& body, const AppDefaults& defaults, App& out);

/// As the API shows it.
std::string render_pod(const App& app);

/// With what only we need; the counterpart of parse_stored_pod.
std::string render_stored_pod(const App& app);

/// True for what render_stored_pod wrote, false for an app.
bool is_stored_pod(const boost::json::object& body);
base::Result<App> parse_stored_pod(const boost::json::object& body);

/// A number of seconds, which may have a fraction.
base::Duration seconds_of(double seconds);

}  // namespace marathon
