// Fuzz entry points of what reads a stranger's text before anybody is known.

#include <cstdint>

#include "admin-router/login/api.hpp"
#include "admin-router/login/credentials.hpp"
#include "base/check.hpp"
#include "base/crypto.hpp"
#include "kernel/auth/jwt.hpp"

using namespace admin_router;
using namespace auth;

// A token that is read is read the same after it has been written again.
int fuzz_jwt(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto jwt = parse_jwt(text);
  if (!jwt) return 0;
  CHECK(text.size() <= kMaxTokenBytes && text.starts_with(jwt->signed_part));
  std::string again =
      render_unsigned(jwt->kid, jwt->claims) + "." + base::base64url_encode(jwt->signature);
  auto twice = parse_jwt(again);
  if (again.size() > kMaxTokenBytes) return 0;
  CHECK_MSG(twice && twice->claims.uid == jwt->claims.uid && twice->claims.exp == jwt->claims.exp &&
                twice->claims.jti == jwt->claims.jti && twice->signature == jwt->signature,
            again);
  return 0;
}

// Whatever is found is a piece of the input and cannot end a header.
int fuzz_credentials(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  for (std::string_view token :
       {token_in_header(text), cookie_value(text, "dcos-acs-auth-cookie")}) {
    if (token.empty()) continue;
    CHECK(token.data() >= text.data() && token.data() + token.size() <= text.data() + text.size());
  }
  RequestHead head;
  size_t end = find_head_end(text, 0);
  if (end == std::string_view::npos || parse_request(text.substr(0, end), head)) return 0;
  Credential found = find_credential(head);
  if (found.from == Credential::From::Nowhere) CHECK(found.token.empty());
  CHECK(found.token.find_first_of("\r\n") == std::string_view::npos);
  from_a_foreign_page(head);
  return 0;
}

int fuzz_login_records(const uint8_t* data, size_t size) {
  std::string text(reinterpret_cast<const char*>(data), size);
  auto user = decode_user(text);
  if (user) CHECK(decode_user(encode_user(*user)).value() == *user);
  (void)base::PublicKey::parse(text).has_value();
  std::string bytes;
  if (base::base64url_decode(text, bytes)) CHECK(base::base64url_encode(bytes) == text);
  return 0;
}
