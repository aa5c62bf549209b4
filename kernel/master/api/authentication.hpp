#pragma once

// Who asks: HTTP Basic against the credentials file, by realm. Readers, operators and schedulers are asked for by flags of
// their own.

#include <memory>
#include <optional>
#include <string_view>

#include "base/http/message.hpp"
#include "kernel/auth/credentials.hpp"

namespace master {

enum class Realm { Open, ReadOnly, ReadWrite, Scheduler };

/// The realm of a path of the master, however it is written.
Realm realm_of(std::string_view path, std::string_view method);

class Authentication {
 public:
  Authentication() = default;
  Authentication(std::shared_ptr<const auth::Credentials> credentials, bool readonly, bool readwrite, bool schedulers);

  /// Fills request.principal. The answer 401 when the realm asks for a principal and there is none that is right.
  std::optional<base::http::Response> check(base::http::Request& request) const;

 private:
  bool required(Realm realm) const;

  std::shared_ptr<const auth::Credentials> credentials_;
  bool readonly_ = false, readwrite_ = false, schedulers_ = false;
};

}  // namespace master
