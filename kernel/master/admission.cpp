// Which agents come in: who they are, what the access lists say, where they are.

#include <fmt/core.h>

#include "base/crypto.hpp"
#include "kernel/auth/challenge.hpp"
#include "kernel/master/core.hpp"
#include "kernel/resources/proto.hpp"

namespace master {

using auth::Action;

namespace {

constexpr size_t kMostPrincipalBytes = 1024;

std::string named(const std::string& principal) {
  return principal.empty() ? "an agent without principal" : "principal '" + principal + "'";
}

}  // namespace

void Core::authenticate(LinkId link, const std::string& ip, const std::string& master_nonce, const link::Authenticate& message) {
  count(Metric::MessagesAuthenticate);
  if (!policy_.credentials) {
    link::MasterMessage answer;
    answer.mutable_authenticated();
    out_->send(link, std::move(answer));
    return;
  }
  if (message.principal().empty() || message.principal().size() > kMostPrincipalBytes || message.nonce().size() != auth::kNonceBytes ||
      master_nonce.size() != auth::kNonceBytes) {
    return refuse_authentication(link, ip, "the message names no principal, or its nonce has another size");
  }
  identities_[link] = Identity{message.principal(), message.nonce(), master_nonce, false};
  link::MasterMessage challenge;
  challenge.mutable_authentication_challenge()->set_nonce(master_nonce);
  out_->send(link, std::move(challenge));
}

void Core::check_proof(LinkId link, const std::string& ip, const link::AuthenticationProof& message) {
  const auto found = identities_.find(link);
  if (found == identities_.end() || found->second.proven || !policy_.credentials) return;
  Identity& identity = found->second;
  const auto text = [&](auth::Side side) {
    return auth::challenge_text(side, identity.principal, identity.agent_nonce, identity.master_nonce);
  };
  const std::string expected = policy_.credentials->sign(identity.principal, text(auth::Side::Agent));
  if (!base::equal_in_constant_time(expected, message.proof()) || expected.empty()) {
    // The agent is told no more than that: not whether the principal exists.
    const bool known = policy_.credentials->knows(identity.principal);
    const std::string why = known ? "its secret is another than ours" : "the principal is not known";
    warning(fmt::format("the agent at {} says it is {}: {}", ip, named(identity.principal), why));
    const std::string principal = identity.principal;
    identities_.erase(found);
    return refuse_authentication(link, ip, fmt::format("{} or its secret is wrong", named(principal)));
  }
  identity.proven = true;
  link::MasterMessage answer;
  answer.mutable_authenticated()->set_proof(policy_.credentials->sign(identity.principal, text(auth::Side::Master)));
  out_->send(link, std::move(answer));
  info(fmt::format("the agent at {} is {}", ip, named(identity.principal)));
}

void Core::refuse_authentication(LinkId link, const std::string& ip, const std::string& why) {
  link::MasterMessage answer;
  answer.mutable_authenticated()->set_refusal(why);
  out_->send(link, std::move(answer));
  warning(fmt::format("refused to authenticate the agent at {}: {}", ip, why));
}

std::optional<std::string> Core::forbid_agent(LinkId link, const AgentInfo& info) const {
  const auto found = identities_.find(link);
  const bool proven = found != identities_.end() && found->second.proven;
  if (policy_.authenticate_agents && !proven) {
    return "Agent is not authenticated: this master has --authenticate_agents, give the agent --credential=FILE";
  }
  const std::string principal = proven ? found->second.principal : std::string();
  if (!allowed(Action::RegisterAgents, principal, std::nullopt)) {
    return fmt::format("Not authorized to register agents as {}", named(principal));
  }
  for (const auto& proto : info.resources()) {
    const auto resource = resources::from_proto(proto);
    if (!resource || resource->kind.data().reservations.empty()) continue;
    const std::string role = resource->kind.reservation_role();
    if (!allowed(Action::ReserveResources, principal, role)) {
      return fmt::format("Not authorized to register agents with resources reserved for role '{}' as {}", role, named(principal));
    }
  }
  const bool placed = info.has_domain() && info.domain().has_fault_domain();
  if (placed && !policy_.domain) {
    return "Agent has a fault domain (--domain) and this master has none: give the masters --domain first";
  }
  if (!placed && policy_.require_agent_domain) {
    return "Agent has no fault domain and this master has --require_agent_domain: give the agent --domain";
  }
  return std::nullopt;
}

}  // namespace master
