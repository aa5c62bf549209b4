// Which agents come in, and how fast schedulers may call: the core on its own.

#include <gtest/gtest.h>

#include "base/crypto.hpp"
#include "kernel/auth/challenge.hpp"
#include "kernel/master/leadership.hpp"
#include "kernel/master/testing.hpp"
#include "kernel/resources/parse.hpp"

namespace master {
namespace {

using mesos::v1::scheduler::Call;

/// A core without an environment but a store that never fails.
class World {
 public:
  explicit World(Policy policy) : policy_(std::move(policy)) {
    allocator::Options options;
    if (policy_.domain) options.region = policy_.domain->fault_domain().region().name();
    core_ = std::make_unique<Core>(testing::master_info(), policy_, std::make_unique<allocator::Allocator>(options, base::Random(1)),
                                   base::Random(2));
    tell(Recovered{});
  }

  /// The effects of the event and of all that follows from it without time going by.
  std::vector<Effect> tell(Event event) {
    std::vector<Effect> all;
    std::vector<Event> next;
    next.push_back(std::move(event));
    while (!next.empty()) {
      Effects out;
      Event current = std::move(next.front());
      next.erase(next.begin());
      core_->on(std::move(current), now_, out);
      for (Effect& effect : out.list()) {
        if (const auto* persist = std::get_if<Persist>(&effect)) next.push_back(Persisted{persist->ticket, {}});
        if (std::holds_alternative<WantTurnEnd>(effect)) next.push_back(TurnEnded{});
        if (const auto* timer = std::get_if<SetTimer>(&effect)) timers_[timer->timer] = timer->at;
        if (const auto* timer = std::get_if<CancelTimer>(&effect)) timers_.erase(timer->timer);
        all.push_back(std::move(effect));
      }
    }
    return all;
  }

  std::vector<Effect> advance(base::Duration by) {
    std::vector<Effect> all;
    const base::Instant end = now_.instant + by;
    for (;;) {
      auto due = timers_.end();
      for (auto it = timers_.begin(); it != timers_.end(); ++it) {
        if (it->second <= end && (due == timers_.end() || it->second < due->second)) due = it;
      }
      if (due == timers_.end()) break;
      now_.instant = std::max(now_.instant, due->second);
      const TimerId timer = due->first;
      timers_.erase(due);
      for (Effect& effect : tell(TimerFired{timer})) all.push_back(std::move(effect));
    }
    now_.instant = end;
    return all;
  }

  std::vector<Effect> register_agent(LinkId link, AgentInfo info = testing::agent_info("h", 5051, "cpus:4;mem:1024")) {
    link::AgentMessage message;
    *message.mutable_register_agent()->mutable_agent_info() = std::move(info);
    message.mutable_register_agent()->set_version("1.12.0");
    testing::add_all_capabilities(message.mutable_register_agent()->mutable_capabilities());
    return tell(AgentMessageReceived{link, "10.0.0.9", std::move(message)});
  }

  /// The whole exchange, by an agent that knows `secret`.
  std::vector<Effect> authenticate(LinkId link, const std::string& principal, const std::string& secret) {
    const std::string agent_nonce(auth::kNonceBytes, 'a'), master_nonce(auth::kNonceBytes, 'm');
    link::AgentMessage hello;
    hello.mutable_authenticate()->set_principal(principal);
    hello.mutable_authenticate()->set_nonce(agent_nonce);
    auto effects = tell(AgentMessageReceived{link, "10.0.0.9", std::move(hello), master_nonce});
    const link::MasterMessage* challenge = sent(effects);
    if (challenge == nullptr || !challenge->has_authentication_challenge()) return effects;
    EXPECT_EQ(challenge->authentication_challenge().nonce(), master_nonce);
    link::AgentMessage proof;
    proof.mutable_authentication_proof()->set_proof(
        base::hmac_sha256(secret, auth::challenge_text(auth::Side::Agent, principal, agent_nonce, master_nonce)));
    return tell(AgentMessageReceived{link, "10.0.0.9", std::move(proof)});
  }

  /// The last message to an agent.
  static const link::MasterMessage* sent(const std::vector<Effect>& effects) {
    const link::MasterMessage* found = nullptr;
    for (const Effect& effect : effects) {
      if (const auto* send = std::get_if<SendToAgent>(&effect)) found = &send->message;
    }
    return found;
  }

  static std::vector<Reply> replies(const std::vector<Effect>& effects) {
    std::vector<Reply> out;
    for (const Effect& effect : effects) {
      if (const auto* reply = std::get_if<Reply>(&effect)) out.push_back(*reply);
    }
    return out;
  }

  static size_t offers(const std::vector<Effect>& effects) {
    size_t count = 0;
    for (const Effect& effect : effects) {
      const auto* send = std::get_if<SendToScheduler>(&effect);
      if (send != nullptr && send->event.has_offers()) count += static_cast<size_t>(send->event.offers().offers_size());
    }
    return count;
  }

  std::vector<Effect> subscribe(ConnectionId connection, const std::string& principal, bool region_aware = false) {
    SchedulerSubscribed event;
    event.connection = connection;
    event.stream_id = "s" + std::to_string(connection);
    auto& info = *event.subscribe.mutable_framework_info();
    info.set_user("u");
    info.set_name("f");
    if (!principal.empty()) info.set_principal(principal);
    info.add_roles("web");
    info.add_capabilities()->set_type(FrameworkInfo::Capability::MULTI_ROLE);
    if (region_aware) info.add_capabilities()->set_type(FrameworkInfo::Capability::REGION_AWARE);
    return tell(std::move(event));
  }

  /// A REVIVE of the framework with that number, which subscribed by the connection.
  std::vector<Effect> revive(CallId id, int framework, ConnectionId connection) {
    SchedulerCallReceived event;
    event.call_id = id;
    event.stream_id = "s" + std::to_string(connection);
    event.call.set_type(Call::REVIVE);
    event.call.mutable_framework_id()->set_value("M-000" + std::to_string(framework));
    return tell(std::move(event));
  }

  const Core& core() const { return *core_; }

 private:
  Policy policy_;
  std::unique_ptr<Core> core_;
  base::Now now_{base::Instant{base::seconds(1000)}, base::Time{base::seconds(1'000'000)}};
  std::map<TimerId, base::Instant> timers_;
};

Policy asking() {
  Policy policy;
  policy.authenticate_agents = true;
  policy.credentials = std::make_shared<const auth::Credentials>(
      auth::Credentials::parse(R"({"credentials":[{"principal":"agents","secret":"s"},{"principal":"guests","secret":"g"}]})").value());
  return policy;
}

std::string refusal(const std::vector<Effect>& effects) {
  const auto* message = World::sent(effects);
  if (message == nullptr || !message->has_refused()) return "not refused";
  EXPECT_FALSE(message->refused().shutdown());
  return message->refused().message();
}

TEST(Admission, takes_agents_that_know_a_secret_and_proves_that_it_knows_it_too) {
  World world(asking());
  EXPECT_NE(refusal(world.register_agent(1)).find("not authenticated"), std::string::npos);
  const auto effects = world.authenticate(1, "agents", "s");
  const auto* answer = World::sent(effects);
  ASSERT_TRUE(answer != nullptr && answer->has_authenticated());
  EXPECT_EQ(answer->authenticated().proof(),
            base::hmac_sha256("s", auth::challenge_text(auth::Side::Master, "agents", std::string(auth::kNonceBytes, 'a'),
                                                        std::string(auth::kNonceBytes, 'm'))));
  EXPECT_TRUE(World::sent(world.register_agent(1))->has_registered());
  // Another connection is another stranger.
  EXPECT_NE(refusal(world.register_agent(2)).find("not authenticated"), std::string::npos);
}

TEST(Admission, refuses_wrong_secrets_and_unknown_principals_in_the_same_words) {
  World world(asking());
  for (const auto& [principal, secret] : {std::pair("agents", "wrong"), std::pair("nobody", ""), std::pair("agents", "")}) {
    const auto effects = world.authenticate(1, principal, secret);
    const auto* answer = World::sent(effects);
    ASSERT_TRUE(answer != nullptr && answer->has_authenticated()) << principal;
    EXPECT_EQ(answer->authenticated().refusal(), "principal '" + std::string(principal) + "' or its secret is wrong");
    EXPECT_FALSE(answer->authenticated().has_proof());
    EXPECT_NE(refusal(world.register_agent(1)).find("not authenticated"), std::string::npos);
  }
  // A proof without a challenge is nothing.
  link::AgentMessage proof;
  proof.mutable_authentication_proof()->set_proof("x");
  EXPECT_EQ(World::sent(world.tell(AgentMessageReceived{3, "10.0.0.9", std::move(proof)})), nullptr);
}

TEST(Admission, of_a_master_without_credentials_asks_nobody) {
  World world(Policy{});
  const auto effects = world.authenticate(1, "agents", "s");
  ASSERT_TRUE(World::sent(effects)->has_authenticated());
  EXPECT_FALSE(World::sent(effects)->authenticated().has_proof());
  EXPECT_FALSE(World::sent(effects)->authenticated().has_refusal());
  EXPECT_TRUE(World::sent(world.register_agent(1))->has_registered());
}

TEST(Admission, follows_the_access_lists) {
  Policy policy = asking();
  policy.acls = std::make_shared<const auth::Acls>(auth::Acls::parse(R"({
    "register_agents":[{"principals":{"values":["agents"]},"agents":{"type":"ANY"}},
                       {"principals":{"type":"ANY"},"agents":{"type":"NONE"}}],
    "reserve_resources":[{"principals":{"values":["agents"]},"roles":{"values":["db"]}},
                         {"principals":{"type":"ANY"},"roles":{"type":"NONE"}}]})").value());
  World world(policy);
  world.authenticate(1, "guests", "g");
  EXPECT_EQ(refusal(world.register_agent(1)), "Not authorized to register agents as principal 'guests'");
  world.authenticate(2, "agents", "s");
  EXPECT_NE(refusal(world.register_agent(2, testing::agent_info("h", 5052, "cpus(web):4;mem:1024"))).find("reserved for role 'web'"),
            std::string::npos);
  EXPECT_TRUE(World::sent(world.register_agent(2, testing::agent_info("h", 5053, "cpus(db):4;mem:1024")))->has_registered());
}

mesos::v1::DomainInfo domain(const std::string& region) {
  mesos::v1::DomainInfo out;
  out.mutable_fault_domain()->mutable_region()->set_name(region);
  out.mutable_fault_domain()->mutable_zone()->set_name("z");
  return out;
}

AgentInfo placed(const std::string& region, int port) {
  AgentInfo info = testing::agent_info("h", port, "cpus:4;mem:1024");
  *info.mutable_domain() = domain(region);
  return info;
}

TEST(Domains, of_agents_need_one_of_the_master) {
  World nowhere(Policy{});
  EXPECT_NE(refusal(nowhere.register_agent(1, placed("eu", 5051))).find("this master has none"), std::string::npos);
  EXPECT_TRUE(World::sent(nowhere.register_agent(2))->has_registered());
  Policy policy;
  policy.domain = domain("eu");
  policy.require_agent_domain = true;
  World strict(policy);
  EXPECT_NE(refusal(strict.register_agent(1)).find("--require_agent_domain"), std::string::npos);
  EXPECT_TRUE(World::sent(strict.register_agent(1, placed("eu", 5051)))->has_registered());
}

TEST(Domains, of_another_region_are_offered_to_region_aware_frameworks_only) {
  Policy policy;
  policy.domain = domain("eu");
  for (const bool aware : {false, true}) {
    World world(policy);
    world.register_agent(1, placed("eu", 5051));
    world.register_agent(2, placed("us", 5052));
    world.register_agent(3, testing::agent_info("h", 5053, "cpus:4;mem:1024"));
    EXPECT_EQ(World::offers(world.subscribe(1, "", aware)), aware ? 3u : 2u);
  }
}

TEST(Domains, of_masters_are_of_one_region) {
  mesos::v1::MasterInfo self = testing::master_info("A"), leader = testing::master_info("B");
  EXPECT_FALSE(region_conflict(self, leader));
  *self.mutable_domain() = domain("eu");
  EXPECT_FALSE(region_conflict(self, leader));
  *leader.mutable_domain() = domain("eu");
  EXPECT_FALSE(region_conflict(self, leader));
  *leader.mutable_domain() = domain("us");
  const auto why = region_conflict(self, leader);
  ASSERT_TRUE(why);
  EXPECT_NE(why->find("'eu'"), std::string::npos) << *why;
}

TEST(Removal, tells_who_looks_why_and_refuses_in_the_words_that_schedulers_know) {
  World world(Policy{});
  world.subscribe(1, "a");
  mesos::v1::master::Call teardown;
  teardown.set_type(mesos::v1::master::Call::TEARDOWN);
  teardown.mutable_teardown()->mutable_framework_id()->set_value("M-0000");
  world.tell(OperatorCallReceived{1, teardown, ""});
  const auto replies = World::replies(world.revive(2, 0, 1));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_NE(replies[0].body.find("an operator tore it down"), std::string::npos) << replies[0].body;
  const auto snapshot = world.core().snapshot(base::Now());
  ASSERT_EQ(snapshot->completed_frameworks.size(), 1u);
  EXPECT_EQ(snapshot->completed_frameworks[0].why, "an operator tore it down");

  SchedulerSubscribed again;
  again.connection = 2;
  again.stream_id = "s2";
  auto& info = *again.subscribe.mutable_framework_info();
  info.set_user("u");
  info.set_name("f");
  info.set_principal("a");
  info.mutable_id()->set_value("M-0000");
  bool told = false, logged = false;
  for (const Effect& effect : world.tell(std::move(again))) {
    if (const auto* send = std::get_if<SendToScheduler>(&effect)) told = send->event.error().message() == "Framework has been removed";
    const auto* trace = std::get_if<Trace>(&effect);
    if (trace != nullptr) logged = logged || trace->text.find("it may subscribe without an id") != std::string::npos;
  }
  EXPECT_TRUE(told);
  EXPECT_TRUE(logged);
}

TEST(RateLimits, are_read_from_a_flag) {
  const auto limits = RateLimits::parse(R"({"limits":[{"principal":"a","qps":2.5,"capacity":3},{"principal":"free"}],
                                            "aggregate_default_qps":10,"aggregate_default_capacity":0})");
  ASSERT_TRUE(limits) << limits.error().message;
  EXPECT_EQ(limits->find("a")->qps, 2.5);
  EXPECT_EQ(limits->find("a")->capacity, 3u);
  EXPECT_EQ(limits->find("free"), nullptr);
  EXPECT_EQ(limits->find("other")->qps, 10.0);
  EXPECT_EQ(limits->find("")->capacity, 0u);
  EXPECT_EQ(RateLimits::parse("{}")->find("a"), nullptr);
}

TEST(RateLimits, that_are_wrong_are_named) {
  const std::pair<const char*, const char*> cases[] = {
      {"[]", "must be a JSON object"},
      {R"({"limit":[]})", "/limit is not known"},
      {R"({"limits":{}})", "/limits must be an array"},
      {R"({"limits":[1]})", "/limits/0 must be an object"},
      {R"({"limits":[{"qps":1}]})", "/limits/0/principal is missing"},
      {R"({"limits":[{"principal":""}]})", "/limits/0/principal must be"},
      {R"({"limits":[{"principal":"a","qps":0}]})", "/limits/0/qps must be"},
      {R"({"limits":[{"principal":"a","qps":"1"}]})", "/limits/0/qps must be"},
      {R"({"limits":[{"principal":"a","qps":1,"capacity":-1}]})", "/limits/0/capacity must be"},
      {R"({"limits":[{"principal":"a","qps":1,"burst":1}]})", "/limits/0/burst is not known"},
      {R"({"limits":[{"principal":"a"},{"principal":"a"}]})", "appears twice"},
      {R"({"aggregate_default_qps":-1})", "/aggregate_default_qps must be"},
      {R"({"aggregate_default_capacity":1})", "/aggregate_default_capacity needs"},
  };
  for (const auto& [text, words] : cases) {
    const auto limits = RateLimits::parse(text);
    ASSERT_FALSE(limits) << text;
    EXPECT_NE(limits.error().message.find(words), std::string::npos) << limits.error().message;
  }
}

TEST(RateLimits, let_calls_wait_for_their_turn_and_drop_what_exceeds_the_capacity) {
  Policy policy;
  policy.rate_limits = RateLimits::parse(R"({"limits":[{"principal":"a","qps":2,"capacity":2},{"principal":"free"}],
                                             "aggregate_default_qps":1,"aggregate_default_capacity":1})").value();
  World world(policy);
  world.subscribe(1, "a");
  world.subscribe(2, "free");
  world.subscribe(3, "b");
  world.subscribe(4, "");
  const auto status = [&](CallId id, int framework, ConnectionId connection) {
    const auto replies = World::replies(world.revive(id, framework, connection));
    return replies.empty() ? 0 : replies[0].status;
  };
  EXPECT_EQ(status(1, 0, 1), 202);  // at once
  EXPECT_EQ(status(2, 0, 1), 0);    // waits
  EXPECT_EQ(status(3, 0, 1), 0);
  const auto dropped = World::replies(world.revive(4, 0, 1));
  ASSERT_EQ(dropped.size(), 1u);
  EXPECT_EQ(dropped[0].status, 429);
  EXPECT_EQ(dropped[0].body, "Message REVIVE dropped: capacity(2) exceeded");
  for (CallId id = 10; id < 20; ++id) EXPECT_EQ(status(id, 1, 2), 202);  // its limit has no qps
  EXPECT_EQ(status(20, 2, 3), 202);  // all others share one rate
  EXPECT_EQ(status(21, 3, 4), 0);
  EXPECT_EQ(status(22, 2, 3), 429);

  const auto in_order = [&](base::Duration by) {
    std::string ids;
    for (const Reply& reply : World::replies(world.advance(by))) {
      ids += std::to_string(reply.call) + ":" + std::to_string(reply.status) + " ";
    }
    return ids;
  };
  EXPECT_EQ(in_order(base::milliseconds(499)), "");
  EXPECT_EQ(in_order(base::milliseconds(1)), "2:202 ");
  EXPECT_EQ(in_order(base::milliseconds(500)), "21:202 3:202 ");
  EXPECT_EQ(in_order(base::seconds(10)), "");
  EXPECT_EQ(status(30, 0, 1), 202);
  EXPECT_EQ(world.core().state().messages.at("a").received, 5u);
  EXPECT_EQ(world.core().state().messages.at("a").processed, 4u);
}

TEST(RateLimits, of_a_framework_that_goes_meanwhile_are_answered_so) {
  Policy policy;
  policy.rate_limits = RateLimits::parse(R"({"limits":[{"principal":"a","qps":1}]})").value();
  World world(policy);
  world.subscribe(1, "a");
  world.revive(1, 0, 1);
  EXPECT_TRUE(World::replies(world.revive(2, 0, 1)).empty());
  world.tell(SchedulerConnectionClosed{1});
  const auto replies = World::replies(world.advance(base::seconds(2)));
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_NE(replies[0].status, 202);
  EXPECT_TRUE(world.core().state().messages.empty());
}

}  // namespace
}  // namespace master
