// The agent proves its secret to the master, and asks for the master's proof.

#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "kernel/agent/testing/core_world.hpp"
#include "kernel/auth/challenge.hpp"

namespace agent {
namespace {

Policy policy_with_credential() {
  Policy policy = World::make_policy();
  policy.credential = auth::BasicCredential{"agents", "s"};
  return policy;
}

/// What was sent to the master last.
const dcos::internal::v1::AgentMessage& last_sent(const World& world) { return world.find<SendToMaster>()->message; }

MasterMessage challenge(const std::string& nonce) {
  MasterMessage message;
  message.mutable_authentication_challenge()->set_nonce(nonce);
  return message;
}

const std::string kOurs(auth::kNonceBytes, 'a'), kTheirs(auth::kNonceBytes, 'm');

TEST(Authentication, comes_before_the_registration) {
  World world(policy_with_credential());
  world.tell(LinkConnected{kOurs});
  EXPECT_EQ(last_sent(world).authenticate().principal(), "agents");
  EXPECT_EQ(last_sent(world).authenticate().nonce(), kOurs);
  world.tell(MasterSaid{challenge(kTheirs)});
  EXPECT_EQ(last_sent(world).authentication_proof().proof(),
            base::hmac_sha256("s", auth::challenge_text(auth::Side::Agent, "agents", kOurs, kTheirs)));
  MasterMessage answer;
  answer.mutable_authenticated()->set_proof(
      base::hmac_sha256("s", auth::challenge_text(auth::Side::Master, "agents", kOurs, kTheirs)));
  world.tell(MasterSaid{answer});
  EXPECT_TRUE(last_sent(world).has_register_agent());
}

TEST(Authentication, of_a_master_that_does_not_know_the_secret_fails) {
  World world(policy_with_credential());
  world.tell(LinkConnected{kOurs});
  MasterMessage answer;
  answer.mutable_authenticated()->set_proof("x");
  world.tell(MasterSaid{answer});  // without a challenge
  EXPECT_TRUE(last_sent(world).has_authenticate());
  world.tell(MasterSaid{challenge(kTheirs)});
  world.tell(MasterSaid{answer});
  EXPECT_TRUE(last_sent(world).has_authentication_proof());
  // Later it is tried again.
  world.tell(TimerFired{"register"});
  EXPECT_TRUE(last_sent(world).has_authenticate());
}

TEST(Authentication, that_is_refused_is_tried_again) {
  World world(policy_with_credential());
  world.tell(LinkConnected{kOurs});
  world.tell(MasterSaid{challenge(kTheirs)});
  MasterMessage answer;
  answer.mutable_authenticated()->set_refusal("principal 'agents' or its secret is wrong");
  world.tell(MasterSaid{answer});
  EXPECT_TRUE(last_sent(world).has_authentication_proof());
  world.tell(TimerFired{"register"});
  EXPECT_TRUE(last_sent(world).has_authenticate());
}

TEST(Authentication, is_left_out_where_nobody_is_asked) {
  World asked(policy_with_credential());
  asked.tell(LinkConnected{kOurs});
  MasterMessage answer;
  answer.mutable_authenticated();
  asked.tell(MasterSaid{answer});
  EXPECT_TRUE(last_sent(asked).has_register_agent());
  World nobody;
  nobody.tell(LinkConnected{kOurs});
  EXPECT_TRUE(last_sent(nobody).has_register_agent());
}

}  // namespace
}  // namespace agent
