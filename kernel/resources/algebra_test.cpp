#include <gtest/gtest.h>

#include <thread>

#include "base/random.hpp"
#include "kernel/resources/parse.hpp"
#include "kernel/resources/quantities.hpp"
#include "kernel/resources/roles.hpp"
#include "kernel/resources/summary.hpp"

namespace resources {
namespace {

Kind reserved_kind(const std::string& name, const std::string& role, bool dynamic) {
  KindData data;
  data.name = name;
  Reservation reservation;
  reservation.dynamic = dynamic;
  reservation.role = role;
  data.reservations.push_back(reservation);
  return Kind(std::move(data));
}

Resource volume(const std::string& id, double size, bool shared = false, const std::string& usage = "") {
  KindData data = reserved_kind("disk", "web", true).data();
  data.disk.emplace();
  data.disk->persistence_id = id;
  if (!usage.empty()) data.disk->volume = usage;
  data.shared = shared;
  Resource out;
  out.kind = Kind(std::move(data));
  out.scalar = Scalar::from_double(size);
  return out;
}

Resource random_resource(base::Random& random) {
  static const std::vector<std::string> kNames = {"cpus", "mem", "disk", "bandwidth"};
  static const std::vector<std::string> kRoles = {"web", "web/prod", "db"};
  Resource out;
  switch (random.below(5)) {
    case 0: {
      std::vector<Range> ranges;
      for (uint64_t i = random.below(4) + 1; i > 0; --i) {
        const uint64_t begin = random.below(60);
        ranges.push_back({begin, begin + random.below(12)});
      }
      return make_ranges("ports", ranges);
    }
    case 1: {
      std::vector<std::string> items;
      for (uint64_t i = random.below(4) + 1; i > 0; --i) items.push_back(std::string(1, char('a' + random.below(8))));
      return make_set("cards", items);
    }
    case 2: return volume("v" + std::to_string(random.below(3)), 64, random.chance(0.5));
    case 3: out.kind = reserved_kind(random.choose(kNames), random.choose(kRoles), random.chance(0.5)); break;
    default: out.kind = Kind::plain(random.choose(kNames), Type::Scalar); break;
  }
  out.scalar = Scalar::from_thousandths(static_cast<int64_t>(random.below(5000) + 1));
  if (random.chance(0.3)) out.allocation = Name(random.choose(kRoles));
  return out;
}

std::vector<Resource> random_list(base::Random& random) {
  std::vector<Resource> out;
  for (uint64_t i = random.below(7); i > 0; --i) out.push_back(random_resource(random));
  return out;
}

Resources bag(const std::vector<Resource>& list) {
  Resources out;
  for (const Resource& resource : list) out.add(resource);
  return out;
}

/// No name of ranges or sets occurs in both: adding those merges overlaps, so that subtracting takes more back.
bool amounts_are_disjoint(const Resources& a, const Resources& b) {
  for (const Resource& x : a) {
    for (const Resource& y : b) {
      if (x.ranges.intersects(y.ranges) || x.set.intersects(y.set)) return false;
    }
  }
  return true;
}

TEST(Scalars, are_exact_to_three_decimals) {
  EXPECT_EQ(Scalar::from_double(0.1) + Scalar::from_double(0.2), Scalar::from_double(0.3));
  EXPECT_EQ(Scalar::from_double(1.0001), Scalar::from_double(1.0));
  EXPECT_EQ(Scalar::from_double(1.0005).thousandths(), 1001);
  Scalar sum;
  for (int i = 0; i < 1'000'000; ++i) sum += Scalar::from_double(0.001);
  EXPECT_EQ(sum, Scalar::from_int(1000));
  for (int i = 0; i < 1'000'000; ++i) sum -= Scalar::from_double(0.001);
  EXPECT_TRUE(sum.zero());
}

TEST(Scalars, saturate_instead_of_overflowing) {
  Scalar big = Scalar::from_double(1e15);
  for (int i = 0; i < 20; ++i) big += Scalar::from_double(1e15);
  EXPECT_GT(big, Scalar::from_double(9e15));
  EXPECT_FALSE(Scalar::representable(1e16));
  EXPECT_FALSE(Scalar::representable(NAN));
}

TEST(RangeSets, join_split_and_count) {
  Ranges r({{5, 9}, {1, 2}, {3, 4}, {20, 30}});
  EXPECT_EQ(r.text(), "[1-9, 20-30]");
  EXPECT_EQ(r.count(), 20u);
  r -= Ranges({{4, 21}});
  EXPECT_EQ(r.text(), "[1-3, 22-30]");
  r -= Ranges({{25, 25}});
  EXPECT_EQ(r.text(), "[1-3, 22-24, 26-30]");
  EXPECT_TRUE(r.contains(Ranges({{22, 23}, {30, 30}})));
  EXPECT_FALSE(r.contains(Ranges({{24, 25}})));
  EXPECT_EQ(Ranges({{0, UINT64_MAX}}).count(), UINT64_MAX);
  Ranges whole({{0, UINT64_MAX}});
  whole -= Ranges({{0, 0}, {UINT64_MAX, UINT64_MAX}});
  EXPECT_EQ(whole.list().size(), 1u);
  whole += Ranges({{0, 0}, {UINT64_MAX, UINT64_MAX}});
  EXPECT_EQ(whole, Ranges({{0, UINT64_MAX}}));
}

TEST(RangeSets, agree_with_plain_sets_of_numbers) {
  base::Random random(7);
  const auto members = [](const Ranges& r) {
    std::vector<bool> out(80);
    for (const Range& range : r.list()) {
      for (uint64_t i = range.begin; i <= range.end; ++i) out[i] = true;
    }
    return out;
  };
  const auto draw = [&] {
    std::vector<Range> ranges;
    for (uint64_t i = random.below(6); i > 0; --i) {
      const uint64_t begin = random.below(64);
      ranges.push_back({begin, begin + random.below(16)});
    }
    return Ranges(ranges);
  };
  for (int round = 0; round < 3000; ++round) {
    const Ranges a = draw(), b = draw();
    const auto x = members(a), y = members(b), sum = members(a + b), rest = members(a - b);
    bool contains = true, meets = false;
    for (size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(sum[i], x[i] || y[i]);
      ASSERT_EQ(rest[i], x[i] && !y[i]);
      contains &= !y[i] || x[i];
      meets |= x[i] && y[i];
    }
    ASSERT_EQ(a.contains(b), contains);
    ASSERT_EQ(a.intersects(b), meets);
  }
}

TEST(Algebra, subtracting_what_was_added_gives_the_same_bag) {
  base::Random random(1);
  for (int round = 0; round < 5000; ++round) {
    const Resources a = bag(random_list(random)), b = bag(random_list(random));
    const Resources sum = a + b;
    if (!amounts_are_disjoint(a, b)) continue;
    ASSERT_TRUE(sum.contains(a)) << a.text() << " | " << b.text();
    ASSERT_TRUE(sum.contains(b)) << a.text() << " | " << b.text();
    ASSERT_EQ(sum - b, a) << a.text() << " | " << b.text();
    ASSERT_EQ(sum - a, b);
    ASSERT_EQ(sum, b + a);
  }
}

TEST(Algebra, does_not_depend_on_the_order_of_adding) {
  base::Random random(2);
  for (int round = 0; round < 2000; ++round) {
    std::vector<Resource> list = random_list(random);
    const Resources first = bag(list);
    random.shuffle(list);
    ASSERT_EQ(bag(list), first) << first.text();
    ASSERT_EQ(bag(list).text(), first.text());
  }
}

TEST(Algebra, never_goes_below_nothing) {
  base::Random random(3);
  for (int round = 0; round < 2000; ++round) {
    const Resources a = bag(random_list(random)), b = bag(random_list(random));
    const Resources rest = a - b;
    ASSERT_TRUE(a.contains(rest));
    for (const Resource& resource : rest) ASSERT_FALSE(resource.empty());
    ASSERT_TRUE((a - a).empty());
  }
}

TEST(Algebra, filters_split_a_bag_without_loss) {
  base::Random random(4);
  for (int round = 0; round < 1000; ++round) {
    const Resources a = bag(random_list(random));
    ASSERT_EQ(a.reserved() + a.unreserved(), a);
    ASSERT_EQ(a.shared() + a.non_shared(), a);
    Resources by_role = a.unreserved();
    for (const auto& [role, resources] : reservations_by_role(a)) by_role += resources;
    ASSERT_EQ(by_role, a);
  }
}

TEST(Resources, of_different_identity_do_not_mix) {
  Resources a = must_parse("cpus:2;cpus(web):1");
  EXPECT_EQ(a.size(), 2u);
  EXPECT_FALSE(a.contains(must_parse("cpus:3")));
  EXPECT_TRUE(a.contains(must_parse("cpus(web):1")));
  EXPECT_FALSE(a.contains(must_parse("cpus(db):0.1")));
  EXPECT_EQ(a.scalar("cpus"), Scalar::from_int(3));
  EXPECT_EQ(a.flattened(), must_parse("cpus:3"));
}

TEST(Resources, reserved_to_a_role_are_allocatable_to_it_and_below) {
  const Resources a = must_parse("cpus:1;mem(eng):64;disk(eng/web):10;gpus(ops):1");
  EXPECT_EQ(a.allocatable_to("eng/web").names(), (std::vector<std::string>{"cpus", "disk", "mem"}));
  EXPECT_EQ(a.allocatable_to("eng").names(), (std::vector<std::string>{"cpus", "mem"}));
  EXPECT_EQ(a.allocatable_to("engine").names(), (std::vector<std::string>{"cpus"}));
}

TEST(Resources, merge_when_their_allocation_is_forgotten) {
  Resources a = must_parse("cpus:1"), b = must_parse("cpus:2");
  a.allocate(Name("x"));
  b.allocate(Name("y"));
  Resources both = a + b;
  EXPECT_EQ(both.size(), 2u);
  EXPECT_EQ(both.allocated_to("x"), a);
  EXPECT_TRUE(must_parse("cpus:3").contains_ignoring_allocation(both));
  both.unallocate();
  EXPECT_EQ(both, must_parse("cpus:3"));
}

TEST(Volumes, shared_ones_count_copies) {
  const Resource shared = volume("v", 64, true);
  Resources a;
  a.add(shared);
  a.add(shared);
  EXPECT_EQ(a.size(), 1u);
  EXPECT_EQ(a.begin()->copies, 2u);
  Resources two = a;
  a.subtract(shared);
  EXPECT_TRUE(a.contains(shared));
  EXPECT_FALSE(a.contains(two));
  a.subtract(shared);
  EXPECT_TRUE(a.empty());
  EXPECT_EQ(ResourceQuantities::of_scalars(two).get("disk"), Scalar::from_int(64));
}

TEST(Volumes, exclusive_ones_are_taken_whole) {
  const Resource v = volume("v", 64);
  Resource part = v;
  part.scalar = Scalar::from_int(10);
  Resources a(v);
  EXPECT_FALSE(a.contains(part));
  a.subtract(part);
  EXPECT_TRUE(a.contains(v));
  Resources twice = a + Resources(v);
  EXPECT_EQ(twice.size(), 2u);
  EXPECT_FALSE(a.contains(twice));
}

TEST(Volumes, are_the_same_however_a_task_mounts_them) {
  const Resource plain = volume("v", 64), mounted = volume("v", 64, false, "mounted at data");
  EXPECT_FALSE(plain.kind.identical(mounted.kind));
  EXPECT_EQ(plain, mounted);
  Resources a(plain);
  EXPECT_TRUE(a.contains(mounted));
  a.subtract(mounted);
  EXPECT_TRUE(a.empty());
}

TEST(Kinds, are_interned_from_any_thread) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      base::Random random(static_cast<uint64_t>(t));
      for (int i = 0; i < 3000; ++i) {
        const Resources a = bag(random_list(random));
        const Resources b = a;
        ASSERT_EQ(a, b);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_TRUE(reserved_kind("cpus", "r", false).identical(reserved_kind("cpus", "r", false)));
  EXPECT_FALSE(reserved_kind("cpus", "r", false).same(reserved_kind("cpus", "r", true)));
}

TEST(Quantities, add_up_all_kinds_of_a_name) {
  const Resources r = must_parse("cpus:2;cpus(web):1.5;mem:100;ports:[1-10,20-29];cards:{a,b}");
  EXPECT_EQ(ResourceQuantities::of(r).text(), "cards:2.0; cpus:3.5; mem:100.0; ports:20.0");
  EXPECT_EQ(ResourceQuantities::of_scalars(r).text(), "cpus:3.5; mem:100.0");
  EXPECT_TRUE(reaches(r, *ResourceQuantities::parse("cpus:3.5;ports:20")));
  EXPECT_FALSE(reaches(r, *ResourceQuantities::parse("cpus:3.501")));
  ResourceQuantities q = *ResourceQuantities::parse("cpus:1;mem:5");
  q -= *ResourceQuantities::parse("cpus:3;mem:1");
  EXPECT_EQ(q.text(), "mem:4.0");
}

TEST(Quantities, come_in_alternatives) {
  EXPECT_EQ(parse_alternatives("cpus:0.01|mem:32")->size(), 2u);
  EXPECT_TRUE(parse_alternatives("")->empty());
  EXPECT_FALSE(parse_alternatives("cpus|mem:32"));
  EXPECT_FALSE(parse_alternatives("cpus:-1"));
  EXPECT_FALSE(parse_alternatives("cpus:nan"));
}

TEST(Limits, bound_only_the_names_they_have) {
  ResourceLimits limits;
  limits.set("cpus", Scalar::from_int(2));
  EXPECT_TRUE(limits.allow(*ResourceQuantities::parse("cpus:2;mem:1000000")));
  EXPECT_FALSE(limits.allow(*ResourceQuantities::parse("cpus:2.001")));
}

TEST(Roles, follow_the_naming_rules) {
  for (const char* good : {"*", "web", "eng/web", "a.b", "a-b", "...", "é"}) EXPECT_TRUE(validate_role(good)) << good;
  for (const char* bad : {"", "/a", "a/", "a//b", ".", "..", "a/..", "a/*", "-a", "a/-b", "a b", "a\tb", "a\x7f"}) {
    EXPECT_FALSE(validate_role(bad)) << bad;
  }
  EXPECT_EQ(ancestors("a/b/c"), (std::vector<std::string_view>{"a/b", "a"}));
  EXPECT_TRUE(is_strict_subrole("a/b", "a"));
  EXPECT_FALSE(is_strict_subrole("a", "a"));
  EXPECT_FALSE(is_strict_subrole("ab", "a"));
}

}  // namespace
}  // namespace resources
