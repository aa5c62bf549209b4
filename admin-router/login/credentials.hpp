#pragma once

// Where a request carries its token, and whether it may use it (pure). What is found is any text:
// only a whole token is ever known or verified.

#include <string_view>

#include "admin-router/http_head.hpp"

namespace admin_router {

struct Credential {
  enum class From : uint8_t { Nowhere, Header, Cookie };
  From from = From::Nowhere;
  std::string_view token{};  // "" with Header: the header is there and holds none
};

/// The Authorization header decides alone when it is there: "token=<jwt>" or "Bearer <jwt>". A bad
/// one is not rescued by a good cookie. Several of them count as one without a token.
Credential find_credential(const RequestHead& head);

/// The value of one cookie in a Cookie header, or "". Of several of that name the first counts.
std::string_view cookie_value(std::string_view cookies, std::string_view name);

/// A browser sends cookies also for a page of somebody else. Requests that change something, and
/// those that open a channel, must come from a page of this address.
bool from_a_foreign_page(const RequestHead& head);

}  // namespace admin_router
