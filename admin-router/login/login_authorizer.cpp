#include "admin-router/login/login_authorizer.hpp"

#include "admin-router/login/credentials.hpp"

namespace admin_router {
namespace {

std::string as_header(std::string_view token) {
  std::string out;
  out.reserve(6 + token.size());
  return out.append("token=").append(token);
}

}  // namespace

Verdict LoginAuthorizer::decide(const RequestHead& head, const Route& route, base::Now now) {
  Verdict verdict;
  if (route.access == Access::Open && route.target != Target::Auth) return verdict;
  Credential credential = find_credential(head);
  if (route.access == Access::Open) {
    // Logging out is for everybody, and says whose session ends: the cookie does not travel.
    if (credential.from == Credential::From::Cookie && !credential.token.empty())
      verdict.authorization = as_header(credential.token);
    return verdict;
  }
  if (credential.token.empty()) {
    verdict.kind = Verdict::Kind::Unauthenticated;
    return verdict;
  }
  verdict.session = tokens_.check(credential.token, now.time);
  if (!verdict.session) {
    verdict.kind = Verdict::Kind::Unauthenticated;
    return verdict;
  }
  if (credential.from == Credential::From::Cookie) {
    if (from_a_foreign_page(head)) {
      verdict.kind = Verdict::Kind::Forbidden;
      return verdict;
    }
    verdict.authorization = as_header(credential.token);
  }
  return verdict;
}

bool LoginAuthorizer::goes_on(const Claims& session, base::Now now) const {
  return tokens_.identity().worth(session, now.time);
}

}  // namespace admin_router
