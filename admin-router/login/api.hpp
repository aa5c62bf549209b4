#pragma once

// The user service's API: requests to events of the core, reads to answers. Pure translation.

#include <string>
#include <variant>

#include "admin-router/login/identity.hpp"
#include "base/http/message.hpp"

namespace admin_router {

/// What the API tells beside users.
struct ApiFacts {
  std::string cluster_id{};
  std::string ui_config{};  // JSON text of uiConfiguration
};

/// An answer at once, or an event whose answer comes as an effect with that call.
using ApiOutcome = std::variant<base::http::Response, IdentityEvent>;

/// `caller` is who asks, "" for nobody; `token` what was presented.
struct ApiRequest {
  const base::http::Request& http;
  uint64_t call = 0;
  std::string_view caller{};
  std::string_view token{};
};

ApiOutcome answer_api(const ApiRequest& request, const Identity& identity, const ApiFacts& facts);

/// A compact JSON text as the API sends it: indented, not to be stored anywhere.
base::http::Response api_response(int status, const std::string& compact);

/// The answer to a good login: the token, and two cookies for browsers.
base::http::Response login_response(const GrantEffect& grant, const std::string& token,
                                    base::Duration life, bool over_tls);

/// Takes the cookies back.
void end_session(base::http::Response& response);

}  // namespace admin_router
