#pragma once

// The page about a route table: /help for all routes, /help/<path> for those at and below a path.

#include "base/http/router.hpp"

namespace base::http {

/// Plain text, or HTML when the request prefers it; 404 when no route has that path. `title` heads the page.
Response help_page(const Router& router, const Request& request, std::string_view title);

}  // namespace base::http
