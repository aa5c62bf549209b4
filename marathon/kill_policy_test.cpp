// Who goes when there are too many.

#include "marathon/kill_policy.hpp"

#include <gtest/gtest.h>

#include <list>

namespace marathon {
namespace {

/// Instances with a condition, health, a place and an age; victims as a line of their names.
class Crowd {
 public:
  App app;

  Instance& add(const std::string& id, Condition condition, int64_t started = 0, const std::string& host = "",
                std::optional<bool> healthy = std::nullopt) {
    Instance instance;
    instance.id = id;
    instance.condition = condition;
    instance.hostname = host;
    instance.healthy = healthy;
    instance.since = at(started);
    if (condition != Condition::Scheduled) instance.staged_at = at(started);
    if (condition >= Condition::Running) instance.started_at = at(started);
    return instances_.emplace_back(std::move(instance));
  }

  std::string victims(size_t count) const {
    std::vector<const Instance*> all;
    for (const Instance& instance : instances_) all.push_back(&instance);
    std::string text;
    for (const InstanceId& id : select_victims(app, all, count)) text += (text.empty() ? "" : " ") + id;
    return text;
  }

  static base::Time at(int64_t seconds) { return base::Time{base::seconds(1'000'000 + seconds)}; }

 private:
  std::list<Instance> instances_;
};

TEST(KillSelection, takes_what_is_of_least_use_first) {
  Crowd crowd;
  crowd.add("running", Condition::Running, 9);
  crowd.add("healthy", Condition::Running, 8, "", true);
  crowd.add("sick", Condition::Running, 1, "", false);
  crowd.add("starting", Condition::Starting, 7);
  crowd.add("staging", Condition::Staging, 6);
  crowd.add("unreachable", Condition::Unreachable, 5);
  crowd.add("waiting", Condition::Scheduled, 4);
  crowd.add("killing", Condition::Killing, 3);
  crowd.add("inactive", Condition::UnreachableInactive, 2);
  crowd.add("ended", Condition::Failed, 2);
  EXPECT_EQ(crowd.victims(9), "waiting unreachable sick staging starting running healthy killing");
}

TEST(KillSelection, takes_the_youngest_or_the_oldest_of_a_kind) {
  Crowd crowd;
  crowd.add("b", Condition::Running, 2);
  crowd.add("a", Condition::Running, 1);
  crowd.add("c", Condition::Running, 3);
  crowd.add("y", Condition::Staging, 5);
  crowd.add("x", Condition::Staging, 4);
  EXPECT_EQ(crowd.victims(5), "y x c b a");
  crowd.app.kill_selection = KillSelection::OldestFirst;
  EXPECT_EQ(crowd.victims(5), "x y a b c");
}

TEST(KillSelection, evens_out_groups_before_anything_else) {
  Crowd crowd;
  crowd.app.constraints = {{"hostname", ConstraintOperator::GroupBy, std::nullopt}};
  crowd.add("a1", Condition::Running, 1, "a");
  crowd.add("a2", Condition::Running, 2, "a");
  crowd.add("a3", Condition::Running, 3, "a");
  crowd.add("b1", Condition::Unreachable, 4, "b");
  crowd.add("c1", Condition::Running, 5, "c");
  EXPECT_EQ(crowd.victims(2), "a3 a2") << "the unreachable one is the only one on its host";
  EXPECT_EQ(crowd.victims(3), "a3 a2 b1");
}

TEST(KillSelection, looks_at_every_group_constraint) {
  Crowd crowd;
  crowd.app.constraints = {{"hostname", ConstraintOperator::GroupBy, std::nullopt},
                           {"rack", ConstraintOperator::GroupBy, std::nullopt}};
  const auto add = [&](const std::string& id, const std::string& host, const std::string& rack) {
    crowd.add(id, Condition::Running, 1, host).attributes = {{"rack", rack}};
  };
  add("1", "a", "r");
  add("2", "a", "s");
  add("3", "b", "r");
  add("4", "b", "r");
  add("5", "c", "r");
  add("6", "c", "r");
  // Hosts are even, racks are not: the one instance on rack s stays.
  EXPECT_EQ(crowd.victims(3), "1 3 5");
}

}  // namespace
}  // namespace marathon
