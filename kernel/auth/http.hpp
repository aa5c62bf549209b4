#pragma once

// HTTP Basic for the endpoints of a realm. Pure.

#include <optional>
#include <string_view>

#include "base/http/message.hpp"
#include "kernel/auth/acls.hpp"
#include "kernel/auth/credentials.hpp"

namespace auth {

/// Fills request.principal from the Authorization header when it is right; else gives the answer 401, which asks for
/// credentials of `realm`.
std::optional<base::http::Response> check_basic(const Credentials& credentials, std::string_view realm, base::http::Request& request);

/// Whether get_endpoints lets the principal (empty: nobody in particular) GET a path that it can be about, with or without
/// ".json"; true for all other paths. `acls` null: everybody may. The path is without a prefix such as /master.
bool may_get(const Acls* acls, const std::string& principal, std::string_view path);

}  // namespace auth
