// Access control lists where they are asked: what schedulers and operators are refused, and what a reader does not see.

#include <gtest/gtest.h>

#include "kernel/master/render.hpp"
#include "kernel/master/testing.hpp"
#include "kernel/master/visibility.hpp"

namespace master {
namespace {

Policy policy(const char* acls) {
  Policy out;
  auto parsed = auth::Acls::parse(acls);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  out.acls = std::make_shared<const auth::Acls>(*parsed);
  return out;
}

/// The effects of these commands, one after the other; only the last one's are returned.
std::string effects(Policy policy, const std::vector<std::string>& commands) {
  testing::Conversation conversation(std::move(policy));
  for (const std::string& command : commands) {
    conversation.take_effects();
    conversation.command(command);
  }
  return conversation.take_effects();
}

TEST(Authorization, refuses_a_role_that_a_principal_may_not_use) {
  const Policy acls = policy(R"({"permissive":false,
    "register_frameworks":[{"principals":{"values":["p"]},"roles":{"values":["web/%"]}}]})");
  const std::string refused = effects(acls, {"recovered", "subscribe C1 role=web principal=p"});
  EXPECT_NE(refused.find("Not authorized to use role 'web' as principal 'p'"), std::string::npos) << refused;
  EXPECT_NE(effects(acls, {"recovered", "subscribe C1 role=web/a principal=p"}).find("SUBSCRIBED"), std::string::npos);
  EXPECT_NE(effects(acls, {"recovered", "subscribe C1 role=web/a"}).find("Not authorized"), std::string::npos);
}

TEST(Authorization, refuses_tasks_of_a_user_and_runs_the_others) {
  const Policy acls = policy(R"({"run_tasks":[{"principals":{"type":"NONE"},"users":{"values":["root"]}}]})");
  const std::string refused = effects(
      acls, {"recovered", "agent L1 register", "subscribe C1 role=web user=root", "C1 accept M-O0 launch t1=cpus:1;mem:32"});
  EXPECT_NE(refused.find("TASK_ERROR"), std::string::npos) << refused;
  EXPECT_NE(refused.find("not authorized to run tasks as user 'root'"), std::string::npos) << refused;
  const std::string run = effects(
      acls, {"recovered", "agent L1 register", "subscribe C1 role=web user=nobody", "C1 accept M-O0 launch t1=cpus:1;mem:32"});
  EXPECT_NE(run.find("run_task t1"), std::string::npos) << run;
}

TEST(Authorization, refuses_operations_and_leaves_the_resources_alone) {
  const Policy acls = policy(R"({"reserve_resources":[{"principals":{"type":"ANY"},"roles":{"type":"NONE"}}]})");
  const std::string refused =
      effects(acls, {"recovered", "agent L1 register", "subscribe C1 role=web", "C1 accept M-O0 reserve cpus:1;mem:100 operation_id=op"});
  EXPECT_NE(refused.find("OPERATION_ERROR"), std::string::npos) << refused;
  EXPECT_EQ(refused.find("apply RESERVE"), std::string::npos) << refused;
  const std::string by_operator = effects(acls, {"recovered", "agent L1 register", "operator reserve M-S0 cpus:1 role=db"});
  EXPECT_NE(by_operator.find("reply 403"), std::string::npos) << by_operator;
}

TEST(Authorization, asks_both_rights_when_a_reservation_becomes_another) {
  const auto change = [](const char* acls) {
    return effects(policy(acls), {"recovered", "agent L1 register", "subscribe C1 role=web principal=p",
                                  "C1 accept M-O0 reserve cpus:1 principal=p refuse=0", "operator reserve M-S0 cpus:1 role=db from=web/p"});
  };
  std::string told = change(R"({"unreserve_resources":[{"principals":{"type":"ANY"},"reserver_principals":{"type":"NONE"}}]})");
  EXPECT_NE(told.find("reply 403 \"A framework without principal is not authorized to unreserve resources of 'p'\""),
            std::string::npos)
      << told;
  told = change(R"({"reserve_resources":[{"principals":{"type":"ANY"},"roles":{"values":["web"]}},
                                         {"principals":{"type":"ANY"},"roles":{"type":"NONE"}}]})");
  EXPECT_NE(told.find("reply 403 \"A framework without principal is not authorized to reserve resources for role 'db'\""),
            std::string::npos)
      << told;
  told = change("{}");
  EXPECT_NE(told.find("reply 202"), std::string::npos) << told;
}

TEST(Authorization, refuses_operators_what_their_list_does_not_grant) {
  const Policy acls = policy(R"({"teardown_frameworks":[{"principals":{"type":"ANY"},"framework_principals":{"values":["p"]}},
                                                        {"principals":{"type":"ANY"},"framework_principals":{"type":"NONE"}}]})");
  EXPECT_NE(effects(acls, {"recovered", "subscribe C1 role=a principal=p", "operator teardown M-0000"}).find("reply 200"),
            std::string::npos);
  EXPECT_NE(effects(acls, {"recovered", "subscribe C1 role=a principal=q", "operator teardown M-0000"}).find("reply 403"),
            std::string::npos);
}

TEST(Authorization, asks_for_the_right_to_give_an_agent_up_also_when_it_is_drained_first) {
  const Policy acls = policy(R"({"mark_agents_gone":[{"principals":{"type":"ANY"},"agents":{"type":"NONE"}}]})");
  EXPECT_NE(effects(acls, {"recovered", "agent L1 register", "operator drain M-S0 mark_gone=true"}).find("reply 403"), std::string::npos);
  EXPECT_NE(effects(acls, {"recovered", "agent L1 register", "operator drain M-S0"}).find("reply 200"), std::string::npos);
}

TEST(Visibility, hides_frameworks_tasks_and_roles_and_keeps_the_rest) {
  testing::Conversation conversation;
  for (const char* command : {"recovered", "agent L1 register", "subscribe C1 role=web user=alice",
                              "C1 accept M-O0 launch t1=cpus:1;mem:32", "subscribe C2 role=db user=bob"}) {
    conversation.command(command);
  }
  const auto snapshot = conversation.core().snapshot(base::Now());
  const auto acls = policy(R"({"permissive":false,
    "view_frameworks":[{"principals":{"values":["p"]},"users":{"values":["alice"]}}],
    "view_tasks":[{"principals":{"values":["p"]},"users":{"values":["bob"]}}],
    "view_roles":[{"principals":{"values":["p"]},"roles":{"values":["web"]}}]})").acls;
  const Visibility visible(acls, "p");
  EXPECT_FALSE(visible.everything());
  const Snapshot seen = visible.filter(*snapshot);
  ASSERT_EQ(seen.frameworks.size(), 1u);
  EXPECT_EQ(seen.frameworks[0].info->user(), "alice");
  EXPECT_TRUE(seen.frameworks[0].tasks.empty());
  EXPECT_EQ(seen.agents.size(), snapshot->agents.size());
  ASSERT_EQ(seen.roles.size(), 1u);
  EXPECT_EQ(seen.roles[0].role, "web");
  EXPECT_FALSE(seen.shows_flags);
  EXPECT_TRUE(Visibility(acls, "nobody").filter(*snapshot).frameworks.empty());
  EXPECT_TRUE(Visibility(nullptr, "p").everything());
}

TEST(Visibility, hides_what_belongs_to_roles_and_frameworks_that_are_hidden) {
  testing::Conversation conversation;
  for (const char* command :
       {"recovered", "agent L1 register host=h1 resources=cpus:8;mem:4096", "subscribe C1 role=web user=alice principal=x",
        "C1 accept M-O0 reserve cpus:1 custom t1=cpus:1;mem:32 role=web principal=x", "operator reserve M-S0 cpus:1 role=db"}) {
    conversation.command(command);
    conversation.take_effects();
  }
  const auto snapshot = conversation.core().snapshot(base::Now());
  ASSERT_EQ(snapshot->agents.at(0).operations.size(), 2u);
  ASSERT_EQ(snapshot->agents[0].executors.size(), 1u);

  const Visibility roles(policy(R"({"view_roles":[{"principals":{"type":"ANY"},"roles":{"values":["db"]}},
                                                  {"principals":{"type":"ANY"},"roles":{"type":"NONE"}}]})").acls, "p");
  const AgentView agent = roles.filter(*snapshot).agents.at(0);
  EXPECT_EQ(agent.total.reservation_roles(), std::vector<std::string>{"db"});
  EXPECT_TRUE(agent.total.scalar("cpus") > resources::Scalar::from_double(6));  // what nobody reserved is there
  for (const auto& [framework, used] : agent.used) EXPECT_TRUE(used.empty()) << used.text();
  EXPECT_TRUE(agent.offered.empty()) << agent.offered.text();
  ASSERT_EQ(agent.operations.size(), 1u);
  EXPECT_EQ(agent.operations[0]->info().type(), mesos::v1::Offer::Operation::RESERVE);
  EXPECT_EQ(agent.executors.size(), 1u);

  // Who may see executors but not the framework sees none of its executors.
  const Visibility frameworks(policy(R"({"view_frameworks":[{"principals":{"type":"ANY"},"users":{"type":"NONE"}}]})").acls, "p");
  EXPECT_TRUE(frameworks.filter(*snapshot).agents.at(0).executors.empty());

  mesos::v1::master::Event event;
  event.set_type(mesos::v1::master::Event::AGENT_ADDED);
  render_agent(snapshot->agents[0], event.mutable_agent_added()->mutable_agent());
  const auto shown = roles.without_hidden(event);
  ASSERT_TRUE(shown);
  EXPECT_EQ(shown->agent_added().agent().allocated_resources_size(), 0);
  for (const auto& resource : shown->agent_added().agent().total_resources()) EXPECT_NE(resource.role(), "web");
  EXPECT_FALSE(frameworks.without_hidden(event));
}

TEST(Visibility, hides_machines_in_maintenance) {
  testing::Conversation conversation;
  for (const char* command : {"recovered", "operator schedule h1:2000000 h2:2000000 h3:2000000", "operator down h3"}) {
    conversation.command(command);
    conversation.take_effects();
  }
  const auto snapshot = conversation.core().snapshot(base::Now());
  ASSERT_EQ(snapshot->schedule.windows_size(), 3);
  const Snapshot schedules =
      Visibility(policy(R"({"get_maintenance_schedules":[{"principals":{"type":"ANY"},"machines":{"values":["h1"]}},
                                                                               {"principals":{"type":"ANY"},"machines":{"type":"NONE"}}]})")
                     .acls,
                 "p")
          .filter(*snapshot);
  ASSERT_EQ(schedules.schedule.windows_size(), 1);
  EXPECT_EQ(schedules.schedule.windows(0).machine_ids(0).hostname(), "h1");
  EXPECT_EQ(schedules.maintenance.draining_machines_size(), 2);
  const Snapshot statuses =
      Visibility(policy(R"({"get_maintenance_statuses":[{"principals":{"type":"ANY"},"machines":{"type":"NONE"}}]})").acls, "p")
          .filter(*snapshot);
  EXPECT_EQ(statuses.schedule.windows_size(), 3);
  EXPECT_EQ(statuses.maintenance.draining_machines_size(), 0);
  EXPECT_EQ(statuses.maintenance.down_machines_size(), 0);
}

TEST(Visibility, shows_only_events_about_what_is_visible) {
  Visibility visible(policy(R"({"view_tasks":[{"principals":{"type":"ANY"},"users":{"values":["alice"]}},
                                              {"principals":{"type":"ANY"},"users":{"type":"NONE"}}]})").acls, "p");
  const auto added = [](const char* id, const char* user) {
    mesos::v1::master::Event event;
    event.set_type(mesos::v1::master::Event::FRAMEWORK_ADDED);
    auto* info = event.mutable_framework_added()->mutable_framework()->mutable_framework_info();
    info->mutable_id()->set_value(id);
    info->set_user(user);
    return event;
  };
  const auto updated = [](const char* framework) {
    mesos::v1::master::Event event;
    event.set_type(mesos::v1::master::Event::TASK_UPDATED);
    event.mutable_task_updated()->mutable_framework_id()->set_value(framework);
    return event;
  };
  visible.learn(added("a", "alice"));
  visible.learn(added("b", "bob"));
  EXPECT_TRUE(visible.shows(updated("a")));
  EXPECT_FALSE(visible.shows(updated("b")));
  EXPECT_FALSE(visible.shows(updated("unknown")));
  // A task may run as somebody else than its framework.
  EXPECT_FALSE(visible.shows(updated("a"), "bob"));
  EXPECT_TRUE(visible.shows(updated("b"), "alice"));
}

}  // namespace
}  // namespace master
