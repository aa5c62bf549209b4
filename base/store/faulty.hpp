#pragma once

// For tests: a store that fails. A failed commit leaves no trace and says so; a torn one is a crash of the process at
// that moment, before or after the batch was written: its outcome is never told, nor that of any later commit.

#include <memory>
#include <utility>

#include "base/random.hpp"
#include "base/store/store.hpp"

namespace base {

class FaultyStore : public Store {
 public:
  struct Faults {
    unsigned fail_one_in = 0;          // 0: never
    unsigned crash_before_one_in = 0;
    unsigned crash_after_one_in = 0;
    Code failure = Code::NoSpace;
  };

  FaultyStore(Loop& loop, std::unique_ptr<Store> inner, Random random, Faults faults)
      : loop_(loop), inner_(std::move(inner)), random_(random), faults_(faults) {}
  ~FaultyStore() override { *alive_ = false; }

  void commit(StoreBatch batch, Done done) override {
    if (crashed_) return;
    if (happens(faults_.crash_before_one_in)) {
      crashed_ = true;
      return;
    }
    if (happens(faults_.crash_after_one_in)) {
      crashed_ = true;
      inner_->commit(std::move(batch), nullptr);
      return;
    }
    if (happens(faults_.fail_one_in)) {
      loop_.post([alive = alive_, code = faults_.failure, done = std::move(done)] {
        if (*alive && done) done(Error{code, "injected failure of the store"});
      });
      return;
    }
    inner_->commit(std::move(batch), std::move(done));
  }

  Result<std::vector<StoreEntry>> scan(const std::string& prefix) override {
    return inner_->scan(prefix);
  }
  Result<std::optional<std::string>> get(const std::string& key) override {
    return inner_->get(key);
  }

  /// True after a torn commit: the process would be dead.
  bool crashed() const { return crashed_; }

  /// What the restarted process finds.
  std::unique_ptr<Store> release() { return std::move(inner_); }

 private:
  bool happens(unsigned one_in) { return one_in > 0 && random_.below(one_in) == 0; }

  Loop& loop_;
  std::unique_ptr<Store> inner_;
  Random random_;
  Faults faults_;
  bool crashed_ = false;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace base
