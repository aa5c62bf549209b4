#pragma once

// Who asks, and whether they may: user names with passwords and tokens, before a request reaches the core. Pure; files are
// read by the flags' owner.

#include <memory>
#include <optional>
#include <string>

#include "base/http/message.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "kernel/auth/token_keys.hpp"
#include "marathon/authorization.hpp"

namespace marathon {

struct Flags;

class Access {
 public:
  /// From the flags and the files that they name.
  static base::Result<Access> from(const Flags& flags);

  struct Answer {
    int status = 0;  // of the refusal, 401 or 403; 0: allowed
    std::shared_ptr<const Viewer> viewer{};  // null: sees everything
  };

  /// Whoever has --http_credentials may do everything; with --http_authorization the others what its rules grant, without it
  /// whoever shows a good token everything.
  Answer decide(const base::http::Request& request, base::Time now) const;

  /// The challenges of a 401.
  void ask(base::http::Headers& headers) const;

 private:
  std::optional<std::string> user_of(const base::http::Request& request, base::Time now) const;

  std::string realm_;
  std::optional<std::string> credentials_;  // user:password
  std::optional<Authorization> table_;
  std::optional<auth::TokenKeys> keys_, secret_;
};

}  // namespace marathon
