#pragma once

// Heads as they leave the gateway (pure): copied field by field with the few edits a relay owes
// both sides.

#include <string>

#include "admin-router/gateway.hpp"
#include "admin-router/http_head.hpp"

namespace admin_router {

/// Whether the request may ask the upstream to speak another protocol on the connection: websockets
/// and the like, never HTTP/2 without TLS, behind which a second, unseen conversation could hide.
bool may_upgrade(const RequestHead& head);

/// Appends the request's head for the upstream to `out`.
void write_upstream_head(const RequestHead& head, const Forward& forward, const Peer& peer,
                         std::string& out);

/// How the client gets the body.
struct ClientFraming {
  bool chunked = false;  // we frame it, or pass its frames on
  bool keep_alive = true;
  int minor = 1;  // of the client
};

/// Appends the answer's head for the client to `out`.
void write_client_head(const ResponseHead& head, const Forward& forward,
                       std::string_view public_host, const ClientFraming& framing,
                       std::string& out);

/// A redirect of the upstream in terms of the public address; unchanged when it leads elsewhere.
std::string public_location(std::string_view location, const Forward& forward,
                            std::string_view public_host);

/// Appends an answer made here.
void write_local(const LocalAnswer& answer, bool to_head, int minor, bool keep_alive,
                 std::string& out);

/// A Cookie value without the cluster's own two cookies.
std::string foreign_cookies(std::string_view cookies);

}  // namespace admin_router
