#include <map>

#include "base/store/backends.hpp"

namespace base {

namespace {

class MemoryStore : public Store {
 public:
  explicit MemoryStore(Loop& loop) : loop_(loop) {}
  ~MemoryStore() override { *alive_ = false; }

  void commit(StoreBatch batch, Done done) override {
    for (auto& write : batch.writes) {
      if (write.value) {
        entries_[std::move(write.key)] = *std::move(write.value);
      } else {
        entries_.erase(write.key);
      }
    }
    loop_.post([alive = alive_, done = std::move(done)] {
      if (*alive && done) done({});
    });
  }

  Result<std::vector<StoreEntry>> scan(const std::string& prefix) override {
    std::vector<StoreEntry> found;
    for (auto at = entries_.lower_bound(prefix);
         at != entries_.end() && at->first.starts_with(prefix); ++at) {
      found.push_back({at->first, at->second});
    }
    return found;
  }

  Result<std::optional<std::string>> get(const std::string& key) override {
    auto found = entries_.find(key);
    if (found == entries_.end()) return std::optional<std::string>();
    return std::optional<std::string>(found->second);
  }

 private:
  Loop& loop_;
  std::map<std::string, std::string> entries_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<Store> make_memory_store(Loop& loop) {
  return std::make_unique<MemoryStore>(loop);
}

}  // namespace base
