#include "jobs/offer.hpp"

#include <gtest/gtest.h>

namespace jobs {
namespace {

TEST(Offers, amounts_are_exact) {
  const Demand demand = demand_of(0.1, 10, 0);
  Offer offer;
  offer.cpus = {{false, 300, 0}};
  offer.mem = {{true, 10'000, 1}, {false, 20'000, 2}};
  Placement placement;
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(take(offer, demand, placement)) << i;
  EXPECT_FALSE(take(offer, demand, placement));
  EXPECT_EQ(offer.cpus[0].left, 0);
}

TEST(Offers, a_reserved_piece_is_used_whole_or_not_at_all) {
  const Demand demand = demand_of(2, 1, 0);
  Offer offer;
  offer.cpus = {{true, 1000, 0}, {false, 1500, 1}, {false, 600, 2}};
  offer.mem = {{false, 5000, 3}};
  Placement placement;
  ASSERT_TRUE(take(offer, demand, placement));
  EXPECT_EQ(placement, (Placement{{1, 1500}, {2, 500}, {3, 1000}}));
  EXPECT_FALSE(take(offer, demand, placement));
  EXPECT_EQ(offer.mem[0].left, 4000) << "a refusal takes nothing";
}

TEST(Offers, attributes_decide) {
  Offer offer;
  offer.hostname = "host1";
  offer.attributes = {{"rack", "r1"}, {"disks", "2"}, {"zone", "a"}, {"zone", "b"}};
  const auto fits = [&](const char* attribute, ConstraintOperator op, const char* value) {
    return satisfies(offer, {{attribute, op, value}});
  };
  EXPECT_TRUE(fits("hostname", ConstraintOperator::Equals, "host1"));
  EXPECT_FALSE(fits("hostname", ConstraintOperator::Equals, "host"));
  EXPECT_TRUE(fits("disks", ConstraintOperator::Equals, "2.0"));
  EXPECT_TRUE(fits("zone", ConstraintOperator::Like, "[bc]"));
  EXPECT_FALSE(fits("zone", ConstraintOperator::Unlike, "[bc]"));
  EXPECT_TRUE(fits("none", ConstraintOperator::Unlike, ".*"));
  EXPECT_FALSE(fits("rack", ConstraintOperator::Like, "(")) << "no pattern matches nothing";
  EXPECT_TRUE(satisfies(offer, {}));
}

TEST(Offers, gpus_are_counted) {
  Offer offer;
  offer.cpus = {{false, 1000, 0}};
  offer.mem = {{false, 1000, 1}};
  offer.gpus = {{false, 1000, 2}};
  Placement placement;
  EXPECT_FALSE(take(offer, demand_of(0.1, 0.1, 0, 2), placement));
  EXPECT_TRUE(take(offer, demand_of(0.1, 0.1, 0, 1), placement));
  EXPECT_FALSE(take(offer, demand_of(0.1, 0.1, 0, 1), placement));
}

}  // namespace
}  // namespace jobs
