#pragma once

// What every back end of the store promises, as a suite that each of them instantiates.

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include "base/store/store.hpp"
#include "base/testing/temporary_directory.hpp"

namespace base {
namespace {

/// Commits and waits for the outcome.
Status commit(Loop& loop, Store& store, StoreBatch batch) {
  Status outcome;
  store.commit(std::move(batch), [&](Status status) {
    outcome = std::move(status);
    loop.stop();
  });
  loop.run();
  return outcome;
}

StoreBatch put(const std::string& key, const std::string& value) {
  StoreBatch batch;
  batch.put(key, value);
  return batch;
}

/// One back end.
struct BackEnd {
  std::string name;
  std::function<std::unique_ptr<Store>(Loop& loop, const testing::TemporaryDirectory& directory)> open;
  bool keeps_what_waits = false;  // commits that wait when the store ends are performed
  bool keeps_what_was_told = true;  // over an end and another opening
};

void PrintTo(const BackEnd& back_end, std::ostream* out) { *out << back_end.name; }

class StoreContract : public ::testing::TestWithParam<BackEnd> {
 protected:
  void SetUp() override { open(); }

  void open() {
    store_.reset();
    store_ = GetParam().open(loop_, directory_);
    ASSERT_NE(store_, nullptr);
  }

  testing::TemporaryDirectory directory_;
  Loop loop_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContract, keeps_what_was_committed_in_key_order) {
  StoreBatch batch;
  batch.put("b/2", "two");
  batch.put("b/1", std::string("\0one\xff", 5));
  batch.put("a", "");
  batch.put("b", "x");
  batch.put("c", "gone");
  batch.erase("c");
  batch.erase("never");
  ASSERT_TRUE(commit(loop_, *store_, batch));
  EXPECT_EQ(store_->scan("b/").value(),
            (std::vector<StoreEntry>{{"b/1", std::string("\0one\xff", 5)}, {"b/2", "two"}}));
  EXPECT_EQ(store_->scan("").value().size(), 4U);
  EXPECT_EQ(store_->get("a").value(), "");
  EXPECT_EQ(store_->get("c").value(), std::nullopt);
  ASSERT_TRUE(commit(loop_, *store_, put("a", "new")));
  EXPECT_EQ(store_->get("a").value(), "new");
}

TEST_P(StoreContract, orders_keys_by_their_bytes) {
  StoreBatch batch;
  for (const char* key : {"\xff\xff", "\xff", "\xfe", "a\xff", "a\xff\x01", "b", ""}) batch.put(key, "x");
  ASSERT_TRUE(commit(loop_, *store_, batch));
  EXPECT_EQ(store_->scan("\xff").value().size(), 2U);
  EXPECT_EQ(store_->scan("a\xff").value().size(), 2U);
  auto all = store_->scan("").value();
  ASSERT_EQ(all.size(), 7U);
  for (size_t i = 1; i < all.size(); ++i) EXPECT_LT(all[i - 1].key, all[i].key);
}

TEST_P(StoreContract, commits_in_the_order_given_and_tells_each) {
  std::vector<int> told;
  for (int i = 0; i < 500; ++i) {
    store_->commit(put("key", std::to_string(i)), [&, i](Status status) {
      EXPECT_TRUE(status.has_value());
      told.push_back(i);
      if (i == 499) loop_.stop();
    });
    EXPECT_TRUE(told.empty()) << "told inside the call";
  }
  loop_.run();
  ASSERT_EQ(told.size(), 500U);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
  EXPECT_EQ(store_->get("key").value(), "499");
}

TEST_P(StoreContract, takes_large_values) {
  std::string large(5 << 20, 'x');
  ASSERT_TRUE(commit(loop_, *store_, put("large", large)));
  EXPECT_EQ(store_->get("large").value(), large);
}

TEST_P(StoreContract, takes_an_empty_batch) { EXPECT_TRUE(commit(loop_, *store_, {})); }

TEST_P(StoreContract, may_end_while_commits_wait) {
  for (int i = 0; i < 100; ++i) {
    store_->commit(put(std::to_string(i), "x"), [](Status) { ADD_FAILURE() << "told after the end"; });
  }
  store_.reset();
  loop_.post([this] { loop_.stop(); });
  loop_.run();
  if (!GetParam().keeps_what_waits) return;
  open();
  EXPECT_EQ(store_->scan("").value().size(), 100U);
}

TEST_P(StoreContract, keeps_what_was_told_over_another_opening) {
  if (!GetParam().keeps_what_was_told) GTEST_SKIP() << "in memory";
  StoreBatch batch;
  batch.put("a/1", "one");
  batch.put("a/2", std::string(2'000'000, 'x'));
  batch.put("gone", std::string(2'000'000, 'y'));
  ASSERT_TRUE(commit(loop_, *store_, batch));
  StoreBatch next;
  next.erase("gone");
  next.put("a/2", std::string(1'000'000, 'z'));
  ASSERT_TRUE(commit(loop_, *store_, next));
  open();
  EXPECT_EQ(store_->scan("").value(),
            (std::vector<StoreEntry>{{"a/1", "one"}, {"a/2", std::string(1'000'000, 'z')}}));
  ASSERT_TRUE(commit(loop_, *store_, put("a/2", "short")));
  ASSERT_TRUE(commit(loop_, *store_, put("gone", "back")));
  open();
  EXPECT_EQ(store_->scan("").value(), (std::vector<StoreEntry>{{"a/1", "one"}, {"a/2", "short"}, {"gone", "back"}}));
}

TEST_P(StoreContract, takes_a_batch_of_many) {
  StoreBatch batch;
  for (int i = 0; i < 12'000; ++i) batch.put("k" + std::to_string(i), std::string(static_cast<size_t>(i % 300), 'v'));
  ASSERT_TRUE(commit(loop_, *store_, batch));
  EXPECT_EQ(store_->scan("k").value().size(), 12'000U);
  if (!GetParam().keeps_what_was_told) return;
  open();
  EXPECT_EQ(store_->scan("k").value().size(), 12'000U);
  EXPECT_EQ(store_->get("k299").value(), std::string(299, 'v'));
}

}  // namespace
}  // namespace base
