#include "l4lb/crdt.hpp"

#include <gtest/gtest.h>

#include "base/random.hpp"
#include "l4lb/health.hpp"
#include "l4lb/names.hpp"
#include "l4lb/service_table.hpp"

namespace l4lb {
namespace {

Backend backend(uint32_t ip, uint16_t port, uint8_t weight = 1) {
  return {{Address::from_v4(ip), port}, Address::from_v4(ip), weight};
}

Entry entry(const std::string& host, std::vector<Backend> backends, uint32_t slot = 0) {
  return {{host, Protocol::Tcp, 80}, slot, std::move(backends), 0};
}

bool same(const Replica& a, const Replica& b) {
  if (a.digest() != b.digest() || a.vips().size() != b.vips().size()) return false;
  for (auto x = a.vips().begin(), y = b.vips().begin(); x != a.vips().end(); ++x, ++y) {
    if (x->first != y->first || x->second.size() != y->second.size()) return false;
    for (auto m = x->second.begin(), n = y->second.begin(); m != x->second.end(); ++m, ++n)
      if (m->first != n->first || !(*m->second == *n->second)) return false;
  }
  return true;
}

TEST(Replica, chunks_in_any_order_and_number_give_the_same_table) {
  for (uint64_t seed = 1; seed <= 200; ++seed) {
    base::Random random(seed);
    Replica owner, reader;
    std::vector<Chunk> chunks;
    for (int i = 0; i < 30; ++i) {
      std::vector<Backend> backends;
      for (uint64_t k = random.below(3); k > 0; --k) backends.push_back(backend(1, static_cast<uint16_t>(k)));
      chunks.push_back(owner.write(7, entry("s" + std::to_string(random.below(6)), backends)));
    }
    std::vector<Chunk> sent;
    for (const Chunk& chunk : chunks)
      for (uint64_t copies = random.below(3); copies > 0; --copies) sent.push_back(chunk);
    random.shuffle(sent);
    for (const Chunk& chunk : sent) reader.apply(chunk);
    // What was lost is pulled.
    for (int pulls = 0; auto missing = owner.since(7, reader.complete(7), reader.cleared(7), 100); ++pulls) {
      ASSERT_LT(pulls, 100);
      reader.apply(*missing);
    }
    EXPECT_TRUE(same(owner, reader)) << seed;
  }
}

TEST(Replica, a_reader_behind_forgotten_removals_begins_anew) {
  for (uint64_t seed = 1; seed <= 100; ++seed) {
    base::Random random(seed);
    Replica owner, reader;
    const int behind = static_cast<int>(random.below(40));
    for (int i = 0; i < 40; ++i) {
      const Chunk chunk =
          owner.write(7, entry("s" + std::to_string(random.below(20)),
                               random.chance(0.4) ? std::vector<Backend>() : std::vector{backend(1, 1)}));
      if (i < behind) reader.apply(chunk);
    }
    owner.raise_floor(7, 35);
    for (int pulls = 0; auto missing = owner.since(7, reader.complete(7), reader.cleared(7), 60); ++pulls) {
      ASSERT_LT(pulls, 200) << seed;
      if (!random.chance(0.3)) reader.apply(*missing);  // some are lost
    }
    EXPECT_TRUE(same(owner, reader)) << seed;
  }
}

TEST(Replica, says_when_something_is_missing) {
  Replica owner, reader;
  const Chunk first = owner.write(7, entry("a", {backend(1, 1)}));
  const Chunk second = owner.write(7, entry("b", {backend(1, 2)}));
  EXPECT_TRUE(reader.apply(second).gap);
  EXPECT_EQ(reader.complete(7), 0U);
  EXPECT_EQ(reader.vips().size(), 1U);  // used at once all the same
  EXPECT_FALSE(reader.apply(first).gap);
  EXPECT_EQ(reader.complete(7), 2U);
  EXPECT_FALSE(reader.apply(first).news);
}

TEST(Replica, forgets_a_machine_with_all_it_said) {
  Replica table;
  table.write(7, entry("a", {backend(1, 1)}));
  table.write(8, entry("a", {backend(2, 1)}));
  table.forget(7);
  EXPECT_EQ(table.vips().begin()->second.size(), 1U);
  Replica other;
  other.write(8, entry("a", {backend(2, 1)}));
  EXPECT_EQ(table.digest(), other.digest());
}

TEST(Names, an_address_stays_while_the_name_exists) {
  Names names({.first = 11U << 24, .last = (11U << 24) + 9});
  Replica table;
  const auto serve = [&](NodeId owner, const std::string& host, bool on) {
    const uint32_t slot = names.propose(host);
    Entry e = entry(host, on ? std::vector{backend(1, 1)} : std::vector<Backend>(), on ? slot : 0);
    table.write(owner, e);
    for (const VipId& vip : table.take_touched()) {
      const auto it = table.vips().find(vip);
      names.update(vip, it == table.vips().end() ? nullptr : &it->second);
    }
    return names.slot(host);
  };
  const uint32_t slot = serve(5, "web.marathon", true);
  EXPECT_NE(slot, 0U);
  EXPECT_EQ(serve(3, "web.marathon", true), slot);
  // Others come until the range is nearly full: all different.
  std::set<uint32_t> used{slot};
  for (int i = 0; i < 7; ++i) EXPECT_TRUE(used.insert(serve(4, "other" + std::to_string(i) + ".m", true)).second);
  EXPECT_EQ(serve(5, "web.marathon", false), slot);  // the first owner goes, the name is still there
  EXPECT_EQ(serve(3, "web.marathon", false), 0U);
}

TEST(Names, everybody_settles_a_clash_alike) {
  Names names({.first = 11U << 24, .last = (11U << 24) + 99});
  Replica table;
  table.write(1, entry("b.m", {backend(1, 1)}, 5));
  table.write(2, entry("a.m", {backend(1, 1)}, 5));
  table.write(3, entry("c.m", {backend(1, 1)}, 7));
  table.write(4, entry("c.m", {backend(1, 1)}, 9));
  for (const VipId& vip : table.take_touched()) names.update(vip, &table.vips().at(vip));
  EXPECT_EQ(names.slot("a.m"), 5U);  // the earlier spelling
  EXPECT_EQ(names.slot("b.m"), 0U);
  EXPECT_NE(names.propose("b.m"), 5U);
  EXPECT_EQ(names.slot("c.m"), 7U);  // the lesser owner
  EXPECT_EQ(names.propose("c.m"), 7U);
}

Candidate candidate(bool reachable, int weight, bool failed) {
  Candidate c;
  c.backend.weight = static_cast<uint8_t>(weight);
  c.reachable = reachable;
  c.failed = failed;
  return c;
}

TEST(Choice, fails_open_in_both_respects) {
  const struct {
    std::vector<Candidate> in;
    std::vector<bool> used;
  } kCases[] = {
      {{candidate(true, 1, false), candidate(true, 1, false)}, {true, true}},
      {{candidate(true, 1, false), candidate(false, 1, false)}, {true, false}},
      {{candidate(false, 1, false), candidate(false, 1, false)}, {true, true}},
      {{candidate(true, 0, false), candidate(false, 1, false)}, {false, false}},
      {{candidate(true, 1, true), candidate(true, 1, false)}, {false, true}},
      {{candidate(true, 1, true), candidate(true, 1, true)}, {true, true}},
      {{candidate(true, 1, true), candidate(true, 0, false)}, {true, false}},
      {{candidate(true, 1, true), candidate(false, 1, false)}, {true, false}},
  };
  int number = 0;
  for (const auto& c : kCases) {
    auto list = c.in;
    choose_backends(list);
    for (size_t i = 0; i < list.size(); ++i) EXPECT_EQ(list[i].used, c.used[i]) << number << "/" << i;
    ++number;
  }
}

TEST(FailureMarks, last_longer_each_time_and_are_forgotten) {
  FailureMarks marks;
  const Endpoint e{Address::from_v4(1), 1};
  base::Instant now{base::seconds(100)};
  EXPECT_TRUE(marks.fail(e, now));
  EXPECT_FALSE(marks.fail(e, now));
  EXPECT_TRUE(marks.marked(e, now + base::seconds(4)));
  EXPECT_EQ(marks.expire(now + base::seconds(5)).size(), 1U);
  now = now + base::seconds(6);
  EXPECT_FALSE(marks.marked(e, now));
  EXPECT_TRUE(marks.fail(e, now));
  EXPECT_TRUE(marks.marked(e, now + base::seconds(9)));
  now = now + base::seconds(500);
  marks.expire(now);
  EXPECT_TRUE(marks.fail(e, now));
  EXPECT_FALSE(marks.marked(e, now + base::seconds(6)));
}

}  // namespace
}  // namespace l4lb
