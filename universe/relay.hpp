#pragma once

#include <string>

#include "base/http/client.hpp"
#include "base/http/server.hpp"

namespace universe {

/// Answers with what `url` holds, as it arrives: nothing is kept, a slow reader stops the source.
void relay_resource(base::http::Client& client, const std::string& url, const base::http::Responder& responder);

}  // namespace universe
