#pragma once

// A package and options become an app (pure).

#include <boost/json/fwd.hpp>

#include <optional>
#include <string>

#include "universe/errors.hpp"
#include "universe/package.hpp"

namespace universe {

/// "redis" -> "/redis".
std::string absolute_app_id(const std::string& id);

/// The package's defaults with the user's options over them, checked against its schema.
Tried<boost::json::object> resolve_options(const Package& package, const boost::json::object& options);

/// The app that Marathon is given: the template with the options, labels that say what it is made of, and `app_id` in
/// place of the template's. `uri` is the package's repository.
Tried<boost::json::object> render_app(const Package& package, const std::string& uri,
                                      const boost::json::object& options, const std::optional<std::string>& app_id);

// What the labels of an app tell. Absent: no such label; Corrupt: it does not decode.
constexpr const char* kNameLabel = "DCOS_PACKAGE_NAME";
constexpr const char* kVersionLabel = "DCOS_PACKAGE_VERSION";
constexpr const char* kSourceLabel = "DCOS_PACKAGE_SOURCE";
constexpr const char* kOptionsLabel = "DCOS_PACKAGE_OPTIONS";
constexpr const char* kDefinitionLabel = "DCOS_PACKAGE_DEFINITION";
constexpr const char* kFrameworkLabel = "DCOS_PACKAGE_FRAMEWORK_NAME";
constexpr const char* kUninstallLabel = "DCOS_COMMONS_UNINSTALL";

/// The text of a label of an app, or "".
std::string label_of(const boost::json::value& app, const char* label);

base::Result<boost::json::value> decode_definition(const std::string& label);
base::Result<boost::json::object> decode_options(const std::string& label);

}  // namespace universe
