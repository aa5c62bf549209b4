#pragma once

// HTTP Basic for the endpoints of a realm. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "base/http/message.hpp"
#include "kernel/auth/acls.hpp"
#include "kernel/auth/credentials.hpp"

namespace auth {

/// Fills request.principal from the Authorization header when it is right; else gives the answer 401, which asks for
/// credentials of `realm`.
std::optional<base::http::Response> check_basic(const Credentials& credentials, std::string_view realm, base::http::Request& request);

/// The endpoint that a path names, however it is written: "/master//%73tate.json/" is "/state". Whatever decides by the path
/// decides by this: the router takes all of these for the same.
std::string endpoint_name(std::string_view path);

/// Whether get_endpoints lets the principal (empty: nobody in particular) GET a path that it can be about, with or without
/// ".json"; true for all other paths. `acls` null: everybody may.
bool may_get(const Acls* acls, const std::string& principal, std::string_view path);

}  // namespace auth
