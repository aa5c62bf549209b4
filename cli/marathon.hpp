#pragma once

// What Marathon's commands share.

#include <boost/json/fwd.hpp>

#include <string>

#include "cli/client.hpp"
#include "cli/context.hpp"

namespace cli {

/// "web/db" -> "/web/db", as Marathon names apps.
std::string app_id(const std::string& word);

/// "/v2/apps/web/db"; each part of the id encoded.
std::string app_path(const std::string& id);

/// Sends to Marathon; an answer other than 2xx is an error with Marathon's words.
base::Result<boost::json::value> call_marathon(Client& client, const std::string& method,
                                               const std::string& path,
                                               const std::string& body = "");

/// The app as GET /v2/apps/<id> shows it.
base::Result<boost::json::value> get_app(Client& client, const std::string& id);

/// "Created deployment <id>".
void print_deployment(Context& context, const boost::json::value& answer);

/// A JSON value from a file, an http(s) URL, or standard input ("" or "-").
base::Result<boost::json::value> read_definition(Context& context, const std::string& resource);

}  // namespace cli
