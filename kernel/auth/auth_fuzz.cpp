// Fuzz entry point: any bytes as an ACL file, a credentials file and an Authorization header.

#include <cstdint>
#include <string_view>

#include "base/check.hpp"
#include "kernel/auth/acls.hpp"
#include "kernel/auth/credentials.hpp"
#include "kernel/auth/token_keys.hpp"

int fuzz_auth(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto acls = auth::Acls::parse(text)) {
    for (size_t i = 0; i < static_cast<size_t>(auth::Action::Count); ++i) {
      const auto action = static_cast<auth::Action>(i);
      // What is never refused is not refused for a certain object either.
      if (acls->allows_all(action, "p")) CHECK(acls->allows(action, "p", "a/b"));
    }
  }
  if (const auto credentials = auth::Credentials::parse(text)) CHECK(!credentials->accept("\x01nobody", "x"));
  (void)auth::parse_basic(text);
  (void)auth::TokenKeys::public_keys(text);
  return 0;
}
