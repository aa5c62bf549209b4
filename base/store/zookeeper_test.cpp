// The store on ZooKeeper: the contract in the fake and on a real server, and what is its own: fencing, lost answers.

#include "base/store/zookeeper.hpp"

#include <fmt/core.h>
#include <gtest/gtest.h>

#include "base/random.hpp"
#include "base/store/store_contract.hpp"
#include "base/zk/fake.hpp"
#include "base/zk/real.hpp"
#include "base/zk/testing.hpp"

namespace base {
namespace {

using zk::testing::FakeTime;
using zk::testing::TestServer;

zk::FakeZooKeeper::Place place_of(Loop& loop) {
  return {[&loop] { return loop.now().instant; },
          [&loop](Duration delay, std::function<void()> call) { return loop.after(delay, std::move(call)); },
          [&loop](uint64_t timer) { loop.cancel(timer); }};
}

std::unique_ptr<Store> open_on(Loop& loop, const zk::Host& host, const std::string& path) {
  ZooKeeperStore::Options options;
  options.path = path + "/registry";
  options.writer = Random::from_os().uuid();
  options.session_timeout = seconds(2);
  auto store = std::make_unique<ZooKeeperStore>(host, options, ZooKeeperStore::Callbacks{});
  Status opened = unavailable("never told");
  store->open([&](Status status) {
    opened = std::move(status);
    loop.stop();
  });
  const auto guard = loop.after(seconds(60), [&] { loop.stop(); });
  loop.run();
  loop.cancel(guard);
  EXPECT_TRUE(opened) << opened.error().message;
  return opened ? std::move(store) : nullptr;
}

// Each test has a directory of its own; its name is the root of what the test stores.

BackEnd fake_back_end() {
  BackEnd out;
  out.name = "fake";
  out.open = [](Loop& loop, const testing::TemporaryDirectory& directory) {
    static std::string used_by;
    static std::unique_ptr<zk::FakeZooKeeper> server;  // runs on the loop of the test
    if (used_by != directory.path()) {
      used_by = directory.path();
      server = std::make_unique<zk::FakeZooKeeper>(place_of(loop), [] { return microseconds(50); });
    }
    return open_on(loop, server->host("store", place_of(loop)), directory.path());
  };
  return out;
}

BackEnd real_back_end() {
  BackEnd out;
  out.name = "zookeeper";
  out.open = [](Loop& loop, const testing::TemporaryDirectory& directory) -> std::unique_ptr<Store> {
    static std::shared_ptr<TestServer> server = TestServer::start().value();
    const auto url = zk::parse_url("zk://" + server->address() + directory.path()).value();
    return open_on(loop, zk::real_host(loop, url), url.path);
  };
  return out;
}

std::vector<BackEnd> back_ends() {
  std::vector<BackEnd> out{fake_back_end()};
  if (TestServer::available()) out.push_back(real_back_end());
  return out;
}

INSTANTIATE_TEST_SUITE_P(ZooKeeper, StoreContract, ::testing::ValuesIn(back_ends()),
                         [](const auto& back_end) { return back_end.param.name; });

TEST(ZooKeeperStore, names_nodes_by_any_key) {
  Random random(3);
  std::vector<std::string> keys = {"", ".", "..", "%", "a/b", "a+0", "agents/ab-S1", std::string("\0\xff", 2), "..."};
  for (int i = 0; i < 5000; ++i) {
    std::string key;
    for (uint64_t n = random.below(12); n > 0; --n) key.push_back(static_cast<char>(random.below(256)));
    keys.push_back(key);
  }
  for (const std::string& key : keys) {
    const std::string name = node_name(key);
    EXPECT_EQ(key_of_node(name), key);
    EXPECT_NE(name, ".");
    EXPECT_NE(name, "..");
    EXPECT_FALSE(name.empty());
    for (const char c : name) EXPECT_TRUE(c > 0x20 && c < 0x7f && c != '/' && c != '+') << name;
  }
}

/// Writers on one fake, in virtual time.
class Writers {
 public:
  explicit Writers(uint64_t seed) : random(seed), zookeeper(time.place(), [this] { return random.jitter(milliseconds(3)); }) {}
  ~Writers() {
    for (auto& [name, writer] : writers) {
      zookeeper.crash(name);
      *writer.alive = false;
    }
  }

  struct Writer {
    std::shared_ptr<bool> alive;
    std::unique_ptr<ZooKeeperStore> store;
    std::optional<Status> opened;
    bool fenced = false;
  };

  Writer& start(const std::string& name, size_t max_change = 1'000'000, size_t max_value = 900 << 10,
                bool follows = false) {
    Writer& writer = writers[name];
    if (writer.alive) crash(name);
    writer = Writer();
    writer.alive = std::make_shared<bool>(true);
    zk::FakeZooKeeper::Place place = time.place();
    place.after = [this, alive = writer.alive](Duration delay, std::function<void()> call) {
      return time.after(delay, [alive, call] {
        if (*alive) call();
      });
    };
    ZooKeeperStore::Options options;
    options.path = "/m/registry";
    options.writer = name + "-" + random.uuid();
    options.max_change_bytes = max_change;
    options.max_value_bytes = max_value;
    ZooKeeperStore::Callbacks callbacks;
    callbacks.on_fenced = [&writer](const std::string&) { writer.fenced = true; };
    writer.store = std::make_unique<ZooKeeperStore>(zookeeper.host(name, place), options, callbacks);
    if (!follows) open(writer);
    return writer;
  }

  Writer& follow(const std::string& name, size_t max_change = 1'000'000, size_t max_value = 900 << 10) {
    Writer& writer = start(name, max_change, max_value, true);
    writer.store->follow();
    return writer;
  }

  static void open(Writer& writer) {
    writer.store->open([&writer](Status status) { writer.opened = std::move(status); });
  }

  void crash(const std::string& name) {
    zookeeper.crash(name);
    *writers[name].alive = false;
    writers[name].store.reset();
  }

  void run_until(const std::function<bool()>& condition) {
    for (int i = 0; i < 200'000 && !condition(); ++i) {
      if (!time.step()) break;
    }
    ASSERT_TRUE(condition());
  }

  Status commit(Writer& writer, StoreBatch batch) {
    std::optional<Status> outcome;
    writer.store->commit(std::move(batch), [&](Status status) { outcome = std::move(status); });
    run_until([&] { return outcome.has_value(); });
    return outcome.value_or(unavailable("never told"));
  }

  FakeTime time;
  Random random;
  zk::FakeZooKeeper zookeeper;
  std::map<std::string, Writer> writers;
};

TEST(ZooKeeperStore, refuses_the_late_write_of_a_deposed_writer_as_a_whole) {
  Writers world(1);
  auto& first = world.start("first");
  world.run_until([&] { return first.opened.has_value(); });
  ASSERT_TRUE(world.commit(first, put("key", "1")));
  auto& second = world.start("second");
  world.run_until([&] { return second.opened.has_value(); });
  EXPECT_EQ(second.store->get("key").value(), "1");
  EXPECT_FALSE(first.fenced) << "it is not told, it finds out";
  StoreBatch late = put("key", "late");
  late.put("other", "late");
  const Status refused = world.commit(first, late);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::Conflict);
  EXPECT_TRUE(first.fenced);
  EXPECT_FALSE(world.commit(first, put("again", "x")));
  ASSERT_TRUE(world.commit(second, put("key", "2")));
  auto& third = world.start("third");
  world.run_until([&] { return third.opened.has_value(); });
  EXPECT_EQ(third.store->scan("").value(), (std::vector<StoreEntry>{{"key", "2"}}));
}

TEST(ZooKeeperStore, performs_each_commit_once_whatever_the_connection_does) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Writers world(seed);
    auto* writer = &world.start("w", 1200, 400);
    world.run_until([&] { return writer->opened.has_value(); });
    std::map<std::string, std::string> model;
    int told = 0;
    for (int i = 0; i < 60; ++i) {
      StoreBatch batch;
      for (uint64_t n = 1 + world.random.below(5); n > 0; --n) {
        const std::string key = "k" + std::to_string(world.random.below(12));
        if (world.random.chance(0.3)) {
          batch.erase(key);
          model.erase(key);
        } else {
          model[key] = std::string(world.random.below(1500), static_cast<char>('a' + i % 26));
          batch.put(key, model[key]);
        }
      }
      writer->store->commit(std::move(batch), [&told, seed](const Status& status) {
        EXPECT_TRUE(status.has_value()) << seed << ": " << status.error().message;
        ++told;
      });
      switch (world.random.below(6)) {
        case 0: world.zookeeper.drop("w"); break;
        case 1: world.zookeeper.cut("w"); break;
        case 2: world.zookeeper.mend("w"); break;
        case 3: world.zookeeper.expire("w"); break;
        default: break;
      }
      world.time.run_for(world.random.jitter(milliseconds(30)));
    }
    world.zookeeper.mend("w");
    world.run_until([&] { return told == 60; });
    EXPECT_FALSE(writer->fenced) << seed;
    const auto same = [&](Store& store) {
      const auto all = store.scan("").value();
      ASSERT_EQ(all.size(), model.size()) << seed;
      for (const auto& entry : all) EXPECT_EQ(entry.value, model[entry.key]) << seed << " " << entry.key;
    };
    same(*writer->store);
    auto& next = world.start("next");
    world.run_until([&] { return next.opened.has_value(); });
    ASSERT_TRUE(*next.opened);
    same(*next.store);
  }
}

TEST(ZooKeeperStore, keeps_every_acknowledged_commit_over_a_crash_at_any_moment_and_batches_whole) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    Writers world(seed);
    int acknowledged = -1;
    int begun = -1;
    for (int life = 0; life < 4; ++life) {
      const std::string name = "w" + std::to_string(life);
      auto& writer = world.start(name, 1500, 500);
      if (world.random.chance(0.3)) {  // dies while it opens
        world.time.run_for(world.random.jitter(milliseconds(600)));
        if (!writer.opened) {
          world.crash(name);
          continue;
        }
      }
      world.run_until([&] { return writer.opened.has_value(); });
      ASSERT_TRUE(*writer.opened) << seed << ": " << writer.opened->error().message;
      // All keys are of one batch, and of none older than what was acknowledged.
      const auto found = writer.store->scan("k").value();
      if (acknowledged >= 0) {
        ASSERT_FALSE(found.empty()) << seed;
      }
      for (const auto& entry : found) {
        EXPECT_EQ(entry.value.substr(0, 8), found.front().value.substr(0, 8)) << seed << ": half a batch";
        EXPECT_GE(std::stoi(entry.value.substr(0, 8)), acknowledged) << seed;
        EXPECT_LE(std::stoi(entry.value.substr(0, 8)), begun) << seed;
      }
      const int steps = static_cast<int>(world.random.below(12));
      for (int i = 0; i < steps; ++i) {
        StoreBatch batch;
        const int number = ++begun;
        for (int key = 0; key < 6; ++key) {
          batch.put("k" + std::to_string(key),
                    fmt::format("{:08}", number) + std::string(world.random.below(1200), 'x'));
        }
        writer.store->commit(std::move(batch), [&acknowledged, number](const Status& status) {
          if (status) acknowledged = std::max(acknowledged, number);
        });
        world.time.run_for(world.random.jitter(milliseconds(120)));
      }
      world.crash(name);
    }
  }
}

TEST(ZooKeeperStore, has_read_before_it_opens_when_it_follows) {
  Writers world(4);
  auto& first = world.start("first");
  world.run_until([&] { return first.opened.has_value(); });
  StoreBatch many;
  for (int i = 0; i < 500; ++i) many.put("k" + std::to_string(i), "1");
  ASSERT_TRUE(world.commit(first, many));
  auto& second = world.follow("second");
  world.time.run_for(seconds(5));
  ASSERT_TRUE(world.commit(first, put("k7", "2")));
  ASSERT_TRUE(world.commit(first, put("new", "3")));
  StoreBatch gone;
  gone.erase("k8");
  ASSERT_TRUE(world.commit(first, gone));
  EXPECT_FALSE(first.fenced);
  world.crash("first");
  const uint64_t before = world.zookeeper.reads();
  Writers::open(second);
  world.run_until([&] { return second.opened.has_value(); });
  ASSERT_TRUE(*second.opened);
  EXPECT_LT(world.zookeeper.reads() - before, 20U) << "two nodes and two buckets have changed";
  EXPECT_EQ(second.store->scan("").value().size(), 500U);
  EXPECT_EQ(second.store->get("k7").value(), "2");
  EXPECT_EQ(second.store->get("new").value(), "3");
  EXPECT_EQ(second.store->get("k8").value(), std::nullopt);
  EXPECT_TRUE(world.commit(second, put("k9", "4")));
}

TEST(ZooKeeperStore, follows_another_on_a_real_server) {
  if (!TestServer::available()) GTEST_SKIP() << "the package zookeeper is not installed";
  const auto server = TestServer::start().value();
  const auto url = zk::parse_url("zk://" + server->address() + "/follow").value();
  Loop loop;
  const auto run_for = [&](Duration duration) {
    loop.after(duration, [&] { loop.stop(); });
    loop.run();
  };
  const auto commit = [&](Store& store, StoreBatch batch) {
    store.commit(std::move(batch), [&](const Status& status) {
      EXPECT_TRUE(status.has_value());
      loop.stop();
    });
    loop.run();
  };
  for (int life = 0; life < 3; ++life) {
    auto first = open_on(loop, zk::real_host(loop, url), url.path);
    ZooKeeperStore::Options options;
    options.path = url.path + "/registry";
    options.writer = Random::from_os().uuid();
    options.session_timeout = seconds(2);
    ZooKeeperStore second(zk::real_host(loop, url), options, {});
    StoreBatch many;
    for (int i = 0; i < 300; ++i) many.put("k" + std::to_string(i), std::string(static_cast<size_t>(i), 'x'));
    commit(*first, many);
    second.follow();
    run_for(milliseconds(300));
    if (life == 2) {  // it begins anew
      server->kill();
      ASSERT_TRUE(server->restart());
    }
    commit(*first, put("k7", "changed"));
    StoreBatch gone;
    gone.erase("k8");
    commit(*first, gone);
    run_for(milliseconds(life == 0 ? 1 : 900));
    commit(*first, put("k8", "again"));
    commit(*first, put("k9", "and again"));
    Status opened = unavailable("never told");
    second.open([&](Status status) {
      opened = std::move(status);
      loop.stop();
    });
    loop.run();
    ASSERT_TRUE(opened) << opened.error().message;
    EXPECT_EQ(second.scan("").value(), first->scan("").value());
    commit(second, put("k9", "by the second"));
    first->commit(put("k9", "late"), [&](const Status& status) {
      EXPECT_FALSE(status.has_value());
      loop.stop();
    });
    loop.run();
  }
}

TEST(ZooKeeperStore, follows_a_store_that_nobody_has_made_yet) {
  Writers world(5);
  auto& second = world.follow("second");
  world.time.run_for(seconds(3));
  auto& first = world.start("first");
  world.run_until([&] { return first.opened.has_value(); });
  ASSERT_TRUE(world.commit(first, put("key", "1")));
  Writers::open(second);
  world.run_until([&] { return second.opened.has_value(); });
  ASSERT_TRUE(*second.opened);
  EXPECT_EQ(second.store->get("key").value(), "1");
  auto& third = world.follow("third");
  Writers::open(third);
  world.run_until([&] { return third.opened.has_value(); });
  EXPECT_EQ(third.store->get("key").value(), "1");
}

TEST(ZooKeeperStore, finds_everything_when_it_takes_over_from_one_that_it_followed) {
  for (uint64_t seed = 1; seed <= 150; ++seed) {
    Writers world(seed);
    std::map<std::string, std::string> model;
    auto* writer = &world.start("w0", 1500, 500);
    world.run_until([&] { return writer->opened.has_value(); });
    for (int life = 1; life < 4; ++life) {
      auto& next = world.follow("w" + std::to_string(life), 1500, 500);
      for (int i = 0; i < 40; ++i) {
        StoreBatch batch;
        for (uint64_t n = 1 + world.random.below(5); n > 0; --n) {
          const std::string key = "k" + std::to_string(world.random.below(40));
          if (world.random.chance(0.3)) {
            batch.erase(key);
            model.erase(key);
          } else {
            model[key] = std::string(world.random.below(1500), static_cast<char>('a' + i % 26));
            batch.put(key, model[key]);
          }
        }
        ASSERT_TRUE(world.commit(*writer, std::move(batch))) << seed;
        const std::string name = "w" + std::to_string(life);
        switch (world.random.below(12)) {
          case 0: world.zookeeper.drop(name); break;
          case 1: world.zookeeper.cut(name); break;
          case 2: world.zookeeper.mend(name); break;
          case 3: world.zookeeper.expire(name); break;
          default: break;
        }
        world.time.run_for(world.random.jitter(milliseconds(world.random.chance(0.1) ? 3000 : 50)));
      }
      world.zookeeper.mend("w" + std::to_string(life));
      Writers::open(next);
      // The old one does not know yet, and goes on.
      std::optional<Status> late;
      writer->store->commit(put("late", std::to_string(life)), [&](Status status) { late = std::move(status); });
      world.run_until([&] { return next.opened.has_value() && late.has_value(); });
      ASSERT_TRUE(*next.opened) << seed;
      if (*late) model["late"] = std::to_string(life);
      const auto all = next.store->scan("").value();
      ASSERT_EQ(all.size(), model.size()) << seed;
      for (const auto& entry : all) EXPECT_EQ(entry.value, model[entry.key]) << seed << " " << entry.key;
      writer = &next;
    }
  }
}

TEST(ZooKeeperStore, mends_what_somebody_changed_by_hand) {
  Writers world(9);
  auto& writer = world.start("w");
  world.run_until([&] { return writer.opened.has_value(); });
  ASSERT_TRUE(world.commit(writer, put("a", "1")));
  std::string path;
  for (const auto& [node, data] : world.zookeeper.nodes()) {
    if (node.ends_with("/a")) path = node;
  }
  ASSERT_TRUE(world.zookeeper.force({zk::Op::Kind::Set, path, "vhand"}));
  EXPECT_TRUE(world.commit(writer, put("a", "2")));
  ASSERT_TRUE(world.zookeeper.force({zk::Op::Kind::Remove, path}));
  EXPECT_TRUE(world.commit(writer, put("a", "3")));
  EXPECT_EQ(world.zookeeper.nodes().at(path), "v3");
}

TEST(ZooKeeperStore, opens_only_what_is_whole) {
  for (const std::string lost : {"/kv/07", "/journal", "/epoch"}) {
    Writers world(1);
    auto& first = world.start("first");
    world.run_until([&] { return first.opened.has_value(); });
    world.crash("first");
    ASSERT_TRUE(world.zookeeper.force({zk::Op::Kind::Remove, "/m/registry" + lost}));
    auto& second = world.start("second");
    world.run_until([&] { return second.opened.has_value(); });
    ASSERT_FALSE(*second.opened) << lost;
    EXPECT_EQ(second.opened->error().code, Code::Corrupt);
    EXPECT_NE(second.opened->error().message.find(lost), std::string::npos) << second.opened->error().message;
  }
}

TEST(ZooKeeperStore, refuses_what_exceeds_its_limits) {
  Writers world(10);
  auto& writer = world.start("w");
  world.run_until([&] { return writer.opened.has_value(); });
  const Status outcome = world.commit(writer, put("huge", std::string(65 << 20, 'x')));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Code::TooLarge);
  EXPECT_TRUE(world.commit(writer, put("fine", "x")));
}

}  // namespace
}  // namespace base
