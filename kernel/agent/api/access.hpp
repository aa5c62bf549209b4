#pragma once

// Who may ask what of this agent: HTTP Basic by realm, access control lists. Immutable after the start.

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/http/message.hpp"
#include "kernel/agent/flags.hpp"
#include "kernel/agent/state.hpp"
#include "kernel/auth/acls.hpp"
#include "kernel/auth/credentials.hpp"
#include "kernel/auth/executor_token.hpp"

namespace agent {

enum class Realm { Open, ReadOnly, ReadWrite, Executor };

/// Of a path with or without /slave(1) and .json.
Realm realm_of(std::string_view path);

class Access {
 public:
  /// Reads --http_credentials and --acls; errors name the flag.
  static base::Result<Access> from(const Flags& flags);

  /// Fills request.principal; a request of an executor's, with a good token, has none. The answer 401 when the realm asks
  /// for a principal and there is none that is right, 403 when
  /// get_endpoints keeps this one out.
  std::optional<base::http::Response> check(base::http::Request& request) const;

  /// Whose token a request has; absent: none that is good.
  std::optional<auth::ExecutorClaims> executor(const base::http::Request& request) const;

  /// Executors must have one.
  bool needs_executor_tokens() const { return executors_; }

  /// `principal` empty: nobody in particular.
  bool allows(auth::Action action, const std::string& principal, const std::optional<std::string>& object = std::nullopt) const;
  bool allows_all(auth::Action action, const std::string& principal) const;

 private:
  std::shared_ptr<const auth::Credentials> credentials_;
  std::shared_ptr<const auth::Acls> acls_;
  std::string executor_key_;  // empty: executors have no tokens
  bool readonly_ = false, readwrite_ = false, executors_ = false;
};

/// What a principal may see of the state.
class Sight {
 public:
  Sight(const Access& access, std::string principal) : access_(access), principal_(std::move(principal)) {}

  bool shows(const Framework& framework) const;
  bool shows(const Framework& framework, const Executor& executor) const;
  bool shows(const Framework& framework, const Task& task) const;
  bool shows_providers() const { return access_.allows(auth::Action::ViewResourceProviders, principal_); }
  bool shows_flags() const { return access_.allows(auth::Action::ViewFlags, principal_); }

 private:
  const Access& access_;
  std::string principal_;
};

/// The account that an executor's container belongs to, as far as access lists go.
std::string user_of(const Framework& framework, const Executor& executor);

/// That of the outermost container around `container` ("a.b.c") or of itself; absent when this agent has none such.
std::optional<std::string> user_around(const State& state, const std::string& container);

/// Whether `principal` may launch a session inside a container of `around`'s, as `user` (empty: as `around`).
bool may_launch_session(const Access& access, const std::string& principal, const std::string& around, const std::string& user);

}  // namespace agent
