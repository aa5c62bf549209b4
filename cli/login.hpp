#pragma once

// Whether a cluster wants to know who asks, and telling it.

#include <string>

#include "cli/command.hpp"
#include "cli/context.hpp"

namespace cli {

/// True when requests need a token.
base::Result<bool> needs_login(Client& client);

/// Logs in with the options --username, --password and --password-file, or DCOS_USERNAME and
/// DCOS_PASSWORD.
base::Result<std::string> log_in(Context& context, Client& client, const Arguments& arguments);

}  // namespace cli
