#pragma once

// Who may use a route of a cluster with login.

#include "admin-router/authorizer.hpp"
#include "admin-router/login/tokens.hpp"

namespace admin_router {

/// Open routes are for everybody, the others for whoever shows a token that is worth something.
class LoginAuthorizer : public Authorizer {
 public:
  explicit LoginAuthorizer(Tokens& tokens) : tokens_(tokens) {}
  Verdict decide(const RequestHead& head, const Route& route, base::Now now) override;
  bool goes_on(const Claims& session, base::Now now) const override;

 private:
  Tokens& tokens_;
};

}  // namespace admin_router
