// What DELETE /v2/leader?backup=&restore= leaves for the next start.

#include "marathon/start_orders.hpp"

#include <gtest/gtest.h>

#include "base/file.hpp"
#include "base/testing/temporary_directory.hpp"
#include "marathon/backup.hpp"
#include "marathon/testing.hpp"

namespace marathon {
namespace {

struct StartOrders : ::testing::Test {
  StartOrders() : store(base::open_store(loop, "memory:").value()) {}

  void put(const std::string& key, const std::string& value) {
    base::StoreBatch batch;
    batch.put(key, value);
    store->commit(std::move(batch), [this](const base::Status& status) {
      EXPECT_TRUE(status);
      loop.stop();
    });
    loop.run();
  }

  /// "key=value" of everything.
  std::string content() {
    std::string out;
    const auto entries = store->scan("").value();
    for (const auto& entry : entries) out += entry.key + "=" + entry.value + " ";
    return out;
  }

  base::Loop loop;
  std::unique_ptr<base::Store> store;
  base::testing::TemporaryDirectory directory;
};

TEST_F(StartOrders, are_kept_by_the_request_that_ends_the_process) {
  testing::World world;
  world.subscribe(false);
  EXPECT_EQ(world.request("DELETE", "/v2/leader?backup=file:///b&restore=file:///r").status, 200);
  EXPECT_EQ(world.store.at("start-order:backup"), "file:///b");
  EXPECT_EQ(world.store.at("start-order:restore"), "file:///r");
  ASSERT_EQ(world.exits.size(), 1U);
  EXPECT_EQ(world.exits[0].code, 103);
  world.restart();
  EXPECT_EQ(world.exits.size(), 1U) << "whoever does not carry them out can live with them";
}

TEST_F(StartOrders, a_backup_of_an_original_is_refused_with_the_way_to_take_it) {
  std::string tar(1024, '\0');
  tar.replace(257, 5, "ustar");
  const auto refused = parse_backup(tar);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("dcos-marathon-import --backup=FILE"), std::string::npos) << refused.error().message;
}

TEST_F(StartOrders, leave_the_process_running_when_they_cannot_be_kept) {
  testing::World world;
  world.subscribe(false);
  world.store_works = false;
  EXPECT_EQ(world.request("DELETE", "/v2/leader?backup=file:///b").status, 503);
  EXPECT_TRUE(world.exits.empty());
}

TEST_F(StartOrders, back_up_and_restore_once) {
  const std::string first = directory / "first", second = directory / "second";
  put("app:/a", "one");
  put("start-order:backup", "file://" + first);
  ASSERT_TRUE(carry_out_start_orders(loop, *store));
  EXPECT_EQ(content(), "app:/a=one ") << "and the order is gone";
  ASSERT_TRUE(load_backup(first));
  EXPECT_EQ(load_backup(first)->writes.size(), 1U);

  put("app:/a", "two");
  put("app:/b", "new");
  put("start-order:backup", "file://" + second);
  put("start-order:restore", "file://" + first);
  ASSERT_TRUE(carry_out_start_orders(loop, *store));
  EXPECT_EQ(content(), "app:/a=one ") << "what the file does not have is gone";
  EXPECT_EQ(load_backup(second)->writes.size(), 2U) << "with what was there before";
  ASSERT_TRUE(carry_out_start_orders(loop, *store)) << "nothing is ordered";
  EXPECT_EQ(content(), "app:/a=one ");
}

TEST_F(StartOrders, that_cannot_be_carried_out_change_nothing_and_are_gone) {
  put("app:/a", "one");
  const std::string there = directory / "there";
  ASSERT_TRUE(base::write_file(there, "not a backup"));
  put("start-order:restore", "file://" + there);
  ASSERT_TRUE(carry_out_start_orders(loop, *store));
  EXPECT_EQ(content(), "app:/a=one ");

  const std::string good = directory / "good";
  put("start-order:backup", "file://" + good);
  ASSERT_TRUE(carry_out_start_orders(loop, *store));
  put("app:/a", "two");
  put("start-order:backup", "file://" + there);  // exists: it is not overwritten
  put("start-order:restore", "file://" + good);
  ASSERT_TRUE(carry_out_start_orders(loop, *store));
  EXPECT_EQ(content(), "app:/a=two ") << "nothing is replaced that was to be saved and is not";
  EXPECT_EQ(base::read_file(there).value(), "not a backup");
}

}  // namespace
}  // namespace marathon
