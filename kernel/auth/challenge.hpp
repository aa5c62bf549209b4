#pragma once

// How agent and master prove to each other that they know a principal's secret, without saying it: each chooses a nonce, and
// shows HMAC-SHA256 by the secret of its side, the principal and both nonces. Pure.

#include <string>
#include <string_view>

namespace auth {

constexpr size_t kNonceBytes = 32;

enum class Side { Agent, Master };

/// What that side signs. No two different answers give the same text.
std::string challenge_text(Side side, std::string_view principal, std::string_view agent_nonce, std::string_view master_nonce);

}  // namespace auth
