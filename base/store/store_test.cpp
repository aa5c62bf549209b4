#include "base/store/store.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <map>

#include "base/file.hpp"
#include "base/store/faulty.hpp"
#include "base/store/look.hpp"
#include "base/store/store_contract.hpp"
#include "base/testing/temporary_directory.hpp"

namespace base {
namespace {

using testing::TemporaryDirectory;

BackEnd by_location(const std::string& name) {
  BackEnd out;
  out.name = name;
  out.keeps_what_waits = out.keeps_what_was_told = name == "sqlite";
  out.open = [name](Loop& loop, const TemporaryDirectory& directory) -> std::unique_ptr<Store> {
    if (name == "sqlite") return open_store(loop, "sqlite:" + (directory / "deep/er/state.db")).value();
    auto memory = open_store(loop, "memory:").value();
    if (name == "memory") return memory;
    return std::make_unique<FaultyStore>(loop, std::move(memory), Random(1), FaultyStore::Faults{});
  };
  return out;
}

INSTANTIATE_TEST_SUITE_P(BackEnds, StoreContract,
                         ::testing::Values(by_location("memory"), by_location("sqlite"), by_location("faulty")),
                         [](const auto& back_end) { return back_end.param.name; });

TEST(Stores, are_found_by_their_location) {
  Loop loop;
  for (const char* location : {"", "sqlite:", "zk://x", "/path", "memory"}) {
    EXPECT_FALSE(open_store(loop, location).has_value()) << location;
  }
}

TEST(SqliteStore, keeps_everything_over_a_restart) {
  TemporaryDirectory directory;
  std::string location = "sqlite:" + (directory / "state.db");
  Loop loop;
  {
    auto store = open_store(loop, location).value();
    ASSERT_TRUE(commit(loop, *store, put("a", "1")));
    auto second = open_store(loop, location);
    ASSERT_FALSE(second.has_value());
    EXPECT_EQ(second.error().code, Code::Conflict);
  }
  auto store = open_store(loop, location).value();
  EXPECT_EQ(store->get("a").value(), "1");
}

TEST(SqliteStore, can_be_looked_into_while_it_is_open_and_afterwards) {
  testing::TemporaryDirectory directory;
  const std::string path = directory / "a?b.db";
  EXPECT_EQ(look_into_sqlite(path).error().code, Code::NotFound);
  Loop loop;
  {
    auto store = open_store(loop, "sqlite:" + path);
    ASSERT_TRUE(store) << store.error().message;
    ASSERT_TRUE(commit(loop, **store, put("b", "2")));
    ASSERT_TRUE(commit(loop, **store, put("a", "1")));
    EXPECT_EQ(look_into_sqlite(path).value(), (std::vector<StoreEntry>{{"a", "1"}, {"b", "2"}}));
  }
  const auto before = list_directory(directory.path()).value();
  EXPECT_EQ(look_into_sqlite(path).value().size(), 2u);
  EXPECT_EQ(list_directory(directory.path()).value(), before);  // nothing was made for it
}

TEST(SqliteStore, that_is_damaged_names_the_file_and_the_remedy) {
  TemporaryDirectory directory;
  Loop loop;
  std::string path = directory / "state.db";
  ASSERT_TRUE(write_file(path, "this is no database, but it is long enough to have a header of one" +
                                   std::string(5000, 'x')));
  auto opened = open_store(loop, "sqlite:" + path);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::Corrupt);
  EXPECT_NE(opened.error().message.find(path), std::string::npos);
  EXPECT_NE(opened.error().message.find("backup"), std::string::npos);
  EXPECT_TRUE(read_file(path).value().starts_with("this is no database")) << "it was replaced";
}

TEST(SqliteStore, with_a_damaged_page_is_an_error) {
  TemporaryDirectory directory;
  Loop loop;
  std::string path = directory / "state.db";
  {
    auto store = open_store(loop, "sqlite:" + path).value();
    StoreBatch batch;
    for (int i = 0; i < 1000; ++i) batch.put("key" + std::to_string(i), std::string(100, 'x'));
    ASSERT_TRUE(commit(loop, *store, batch));
  }
  std::string content = read_file(path).value();
  for (size_t at = 8192; at < 12'288; ++at) content[at] = static_cast<char>(0xaa);
  ASSERT_TRUE(write_file(path, content));
  auto opened = open_store(loop, "sqlite:" + path);
  ASSERT_FALSE(opened.has_value());
  EXPECT_EQ(opened.error().code, Code::Corrupt);
}

/// Commits pairs of equal values and tells each acknowledged one through `pipe`, until killed.
[[noreturn]] void commit_for_ever(const std::string& location, int pipe) {
  Loop loop;
  auto store = open_store(loop, location).value();
  uint64_t last = 0;
  std::function<void()> next = [&] {
    ++last;
    StoreBatch batch;
    batch.put("one", std::to_string(last));
    batch.put("two", std::to_string(last));
    batch.put("fill/" + std::to_string(last % 50), std::string(last % 7'000, 'x'));
    store->commit(std::move(batch), [&, number = last](Status status) {
      if (!status) ::_exit(1);
      if (::write(pipe, &number, sizeof(number)) != sizeof(number)) ::_exit(1);
      next();
    });
  };
  for (int i = 0; i < 5; ++i) next();
  loop.run();
  ::_exit(0);
}

TEST(SqliteStore, loses_nothing_acknowledged_when_killed_at_any_moment) {
  TemporaryDirectory directory;
  std::string location = "sqlite:" + (directory / "state.db");
  Random random(11);
  for (int round = 0; round < 8; ++round) {
    int ends[2];
    ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
    pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) commit_for_ever(location, ends[1]);
    ::close(ends[1]);
    uint64_t acknowledged = 0;
    uint64_t until = 1 + random.below(60);
    for (uint64_t i = 0; i < until; ++i) {
      ASSERT_EQ(::read(ends[0], &acknowledged, sizeof(acknowledged)), ssize_t{sizeof(acknowledged)});
    }
    ::kill(child, SIGKILL);
    while (::read(ends[0], &acknowledged, sizeof(acknowledged)) == sizeof(acknowledged)) {
    }
    ::waitpid(child, nullptr, 0);
    ::close(ends[0]);
    Loop loop;
    auto store = open_store(loop, location).value();
    auto one = store->get("one").value();
    ASSERT_TRUE(one.has_value());
    EXPECT_EQ(one, store->get("two").value());
    EXPECT_GE(std::stoull(*one), acknowledged);
  }
}

TEST(SqliteStore, refuses_when_the_disk_is_full_and_recovers_when_it_is_not) {
  TemporaryDirectory directory;
  if (::mount("tmpfs", directory.path().c_str(), "tmpfs", 0, "size=2m") != 0) {
    GTEST_SKIP() << "needs the right to mount";
  }
  {
    Loop loop;
    auto store = open_store(loop, "sqlite:" + (directory / "state.db")).value();
    std::map<std::string, std::string> kept;
    Status outcome;
    for (int i = 0; i < 1000 && outcome; ++i) {
      std::string key = "k" + std::to_string(i), value(10'000, static_cast<char>('a' + i % 26));
      outcome = commit(loop, *store, put(key, value));
      if (outcome) kept[key] = value;
    }
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Code::NoSpace);
    EXPECT_NE(outcome.error().message.find("state.db"), std::string::npos);
    EXPECT_EQ(store->scan("k").value().size(), kept.size());
    ASSERT_EQ(::mount("tmpfs", directory.path().c_str(), "tmpfs", MS_REMOUNT, "size=8m"), 0);
    EXPECT_TRUE(commit(loop, *store, put("after", "x")));
    store.reset();
    store = open_store(loop, "sqlite:" + (directory / "state.db")).value();
    for (const auto& [key, value] : kept) EXPECT_EQ(store->get(key).value(), value);
    EXPECT_EQ(store->get("after").value(), "x");
  }
  ::umount2(directory.path().c_str(), MNT_DETACH);
}

TEST(FaultyStore, fails_without_a_trace_and_crashes_without_a_word) {
  Loop loop;
  int failed = 0, kept = 0;
  FaultyStore::Faults faults;
  faults.fail_one_in = 3;
  FaultyStore failing(loop, open_store(loop, "memory:").value(), Random(5), faults);
  for (int i = 0; i < 100; ++i) {
    Status outcome = commit(loop, failing, put("k" + std::to_string(i), "x"));
    (outcome ? kept : failed)++;
    EXPECT_EQ(failing.get("k" + std::to_string(i)).value().has_value(), outcome.has_value());
  }
  EXPECT_GT(failed, 10);
  EXPECT_GT(kept, 10);

  for (bool after : {false, true}) {
    faults = {};
    (after ? faults.crash_after_one_in : faults.crash_before_one_in) = 1;
    FaultyStore torn(loop, open_store(loop, "memory:").value(), Random(5), faults);
    torn.commit(put("a", "1"), [](Status) { ADD_FAILURE() << "the dead do not speak"; });
    torn.commit(put("b", "1"), [](Status) { ADD_FAILURE() << "the dead do not speak"; });
    loop.post([&] { loop.stop(); });
    loop.run();
    EXPECT_TRUE(torn.crashed());
    auto left = torn.release();
    EXPECT_EQ(left->get("a").value().has_value(), after);
    EXPECT_FALSE(left->get("b").value().has_value());
  }
}

}  // namespace
}  // namespace base
