#pragma once

// The tokens by which an agent knows its executors: JSON Web Tokens (HS256) with the claims fid, eid and cid, as the original
// makes them. Pure.

#include <optional>
#include <string>
#include <string_view>

#include "base/http/message.hpp"
#include "base/time.hpp"

namespace auth {

/// Which executor a token is for.
struct ExecutorClaims {
  std::string framework_id, executor_id, container_id;
  bool operator==(const ExecutorClaims&) const = default;
};

/// The same for the same claims and key: an executor's token outlives its agent's restart.
std::string make_executor_token(std::string_view key, const ExecutorClaims& claims);

/// Absent: not made with this key, or not for an executor, or its time (`exp`) is over.
std::optional<ExecutorClaims> read_executor_token(std::string_view key, std::string_view token, base::Time now);

/// The token of an Authorization header of the scheme Bearer; absent: there is none.
std::optional<std::string_view> bearer_token(const base::http::Request& request);

}  // namespace auth
