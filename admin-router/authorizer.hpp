#pragma once

// Who may use a route (pure). The gateway asks before it looks anything up, so that a refused
// caller does not learn which services and agents exist.

#include <memory>
#include <string>

#include "admin-router/http_head.hpp"
#include "admin-router/routes.hpp"
#include "base/time.hpp"

namespace auth {
struct Claims;
}

namespace admin_router {

using Claims = auth::Claims;

struct Verdict {
  enum class Kind : uint8_t { Allow, Unauthenticated, Forbidden };
  Kind kind = Kind::Allow;
  std::string authorization{};  // set: replaces the Authorization header on its way to the upstream
  std::shared_ptr<const Claims> session{};  // what an exchange that goes on is asked about later
};

class Authorizer {
 public:
  virtual ~Authorizer() = default;
  virtual Verdict decide(const RequestHead& head, const Route& route, base::Now now) = 0;

  /// Whether an exchange that was allowed may go on: streams and tunnels outlive requests.
  virtual bool goes_on(const Claims&, base::Now) const { return true; }
};

/// Everybody may do everything: a cluster without login, which is why the gateway then listens on
/// loopback only.
class OpenAuthorizer : public Authorizer {
 public:
  Verdict decide(const RequestHead&, const Route&, base::Now) override { return {}; }
};

}  // namespace admin_router
