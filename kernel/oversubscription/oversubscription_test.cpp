#include <gtest/gtest.h>

#include "kernel/oversubscription/estimator.hpp"
#include "kernel/oversubscription/qos.hpp"
#include "kernel/resources/parse.hpp"

namespace oversubscription {
namespace {

using resources::Resources;

Resources cpus(double value, bool revocable = false) {
  resources::Resource resource = resources::make_scalar("cpus", value);
  if (revocable) {
    resources::KindData data = resource.kind.data();
    data.revocable = true;
    resource.kind = resources::Kind(std::move(data));
  }
  return resource;
}

Sample at(int64_t seconds, std::vector<Executor> executors) {
  Sample sample;
  sample.at = base::Instant{base::seconds(seconds)};
  sample.executors = std::move(executors);
  return sample;
}

TEST(FixedEstimator, has_what_its_parameter_says_whatever_runs) {
  const auto made = make_estimator(kFixedEstimator, {{"resources", "cpus:2;mem:512"}});
  ASSERT_TRUE(made) << made.error().message;
  const Resources total = (*made)->total(at(1, {{"f", "e", "c", cpus(1, true), 5}}));
  EXPECT_EQ(total.revocable().cpus(), 2);
  EXPECT_EQ(total.revocable().mem_mb(), 512);
  EXPECT_TRUE(total.non_revocable().empty());
}

TEST(UsageEstimator, lends_what_was_not_used_for_a_whole_window) {
  const auto made = make_estimator(kUsageEstimator, {{"window", "60secs"}, {"headroom", "0.25"}});
  ASSERT_TRUE(made) << made.error().message;
  Estimator& usage = **made;
  EXPECT_TRUE(usage.total(at(0, {{"f", "e", "c", cpus(4), 0}})).empty());
  EXPECT_TRUE(usage.total(at(30, {{"f", "e", "c", cpus(4), 30}})).empty());  // not watched for long enough
  EXPECT_EQ(usage.total(at(60, {{"f", "e", "c", cpus(4), 45}})).cpus(), 2);  // 4 - 1 headroom - 1 used
  // A busy moment counts for a window.
  EXPECT_EQ(usage.total(at(90, {{"f", "e", "c", cpus(4), 135}})).cpus().value_or(0), 0);
  EXPECT_EQ(usage.total(at(120, {{"f", "e", "c", cpus(4), 135}})).cpus().value_or(0), 0);
  EXPECT_EQ(usage.total(at(151, {{"f", "e", "c", cpus(4), 135}})).cpus(), 3);
}

TEST(UsageEstimator, keeps_what_is_lent_and_forgets_what_ended) {
  const auto made = make_estimator(kUsageEstimator, {{"window", "60secs"}});
  ASSERT_TRUE(made);
  const Executor lent{"f", "r", "d", cpus(1.5, true), 0};
  (*made)->total(at(0, {{"f", "e", "c", cpus(2), 0}, lent}));
  EXPECT_EQ((*made)->total(at(60, {{"f", "e", "c", cpus(2), 60}, lent})).cpus(), 1.5);  // 0.6 idle, more is in use
  EXPECT_TRUE((*made)->total(at(90, {})).empty());
  EXPECT_TRUE((*made)->total(at(120, {{"f", "e", "c", cpus(2), 60}})).empty());  // a stranger again
}

TEST(LoadController, sends_executors_on_revocable_resources_away_and_says_why) {
  const auto made = make_controller(kLoadController, {{"load_threshold_5min", "4"}});
  ASSERT_TRUE(made) << made.error().message;
  const std::vector<Executor> running{{"f", "own", "c1", cpus(2), 0}, {"f", "lent", "c2", cpus(1, true), 0}};
  EXPECT_TRUE((*made)->corrections(running, {4, 99}).empty());
  const auto corrections = (*made)->corrections(running, {4.5, 0});
  ASSERT_EQ(corrections.size(), 1u);
  EXPECT_EQ(corrections[0].executor, "lent");
  EXPECT_NE(corrections[0].why.find("load of 5 minutes is 4.50, above the threshold of 4"), std::string::npos) << corrections[0].why;
}

TEST(Modules, that_are_unknown_or_have_wrong_parameters_are_refused) {
  const auto refused = [](const auto& made, const char* why) {
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().message.find(why), std::string::npos) << made.error().message;
  };
  refused(make_estimator("x", {}), "--resource_estimator=x is not supported by this build; it has org_apache");
  refused(make_estimator(kFixedEstimator, {}), "needs the parameter resources");
  refused(make_estimator(kFixedEstimator, {{"resources", "cpus(role):1"}}), "cannot be revocable");
  refused(make_estimator(kFixedEstimator, {{"cpus", "1"}}), "has no parameter 'cpus'");
  refused(make_estimator(kUsageEstimator, {{"headroom", "2"}}), "from 0 to 1");
  refused(make_estimator(kUsageEstimator, {{"window", "soon"}}), "parameter window");
  refused(make_controller("x", {}), "--qos_controller=x is not supported");
  refused(make_controller(kLoadController, {}), "needs the parameter load_threshold_5min");
  refused(make_controller(kLoadController, {{"load_threshold_5min", "-1"}}), "not negative");
  EXPECT_EQ(*make_estimator("", {}), nullptr);
  EXPECT_EQ(*make_controller("", {}), nullptr);
}

}  // namespace
}  // namespace oversubscription
