#include "kernel/auth/challenge.hpp"

namespace auth {

std::string challenge_text(Side side, std::string_view principal, std::string_view agent_nonce, std::string_view master_nonce) {
  std::string text = side == Side::Agent ? "dcos agent link 1 agent" : "dcos agent link 1 master";
  for (const std::string_view part : {principal, agent_nonce, master_nonce}) {
    text += "\n" + std::to_string(part.size()) + ":";
    text += part;
  }
  return text;
}

}  // namespace auth
