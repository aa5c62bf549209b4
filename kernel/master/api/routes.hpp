#pragma once

#include "base/http/router.hpp"
#include "base/http/server.hpp"

namespace master {

class Shell;
struct RenderedBody;

/// Everything that the HTTP port answers.
base::http::Handler make_handler(Shell& shell);

// What routes.cpp puts into its table ----------------------------------------------------------------------------

/// POST /api/v1/scheduler
void handle_scheduler_call(Shell& shell, base::http::Request request, base::http::Responder responder);

/// POST /api/v1
void handle_operator_call(Shell& shell, base::http::Request request, base::http::Responder responder);

/// /files/*: `what` is "browse", "read", "download" or "debug".
base::http::Response answer_files(Shell& shell, const std::string& what, const base::http::Request& request);

/// Form posts of the v0 API as calls of the v1 API: /teardown, /reserve, ..., /weights, /quota.
void handle_form(Shell& shell, const std::string& what, base::http::Request request, base::http::Responder responder);

/// A JSON answer, wrapped when the request asks for jsonp.
base::http::Response json_answer(const base::http::Request& request, std::string json);

/// Whether the client takes compressed answers.
bool takes_gzip(const base::http::Request& request);

/// 200 with the body as it is, without a copy; `head`: further headers. 503 when there is none.
void reply_shared(const base::http::Responder& responder, base::http::Response head, const RenderedBody& rendered);

/// When another master leads: 307 to it; when none is known, and before recovery: 503. True: answered.
bool refuse_before_recovery(const Shell& shell, const base::http::Request& request, const base::http::Responder& responder);

/// Wrong method: 405 with Allow. True: answered.
bool refuse_method(const base::http::Request& request, const base::http::Responder& responder, const std::string& allowed);

}  // namespace master
