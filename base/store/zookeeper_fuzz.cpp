// Fuzz entry point: what somebody left in ZooKeeper where the store keeps its records. A piece of the input (between
// lines of ---) is a node: its path below the store's, a line break, its data. The store opens or says why not, in
// bounded time; what it can read it keeps, also for the next one that opens it.

#include <map>
#include <optional>
#include <string>

#include "base/check.hpp"
#include "base/store/zookeeper.hpp"
#include "base/testing/story.hpp"
#include "base/zk/fake.hpp"
#include "base/zk/testing.hpp"

namespace {

constexpr size_t kMaxPieces = 64;
constexpr char kRoot[] = "/m/registry";

/// ZooKeeper in memory and those that open the store, one after the other.
class Story {
 public:
  void piece(std::string_view text) {
    const size_t line = text.find('\n');
    const std::string path = std::string(kRoot) + "/" + std::string(text.substr(0, line));
    if (path.size() > 512 || path.find('\0') != std::string::npos || path.find("//") != std::string::npos) return;
    for (size_t slash = 1; (slash = path.find('/', slash)) != std::string::npos; ++slash)
      zookeeper_.force({base::zk::Op::Kind::Create, path.substr(0, slash)});
    const std::string data(line == std::string_view::npos ? "" : text.substr(line + 1));
    if (!zookeeper_.force({base::zk::Op::Kind::Create, path, data})) zookeeper_.force({base::zk::Op::Kind::Set, path, data});
  }

  void end() {
    std::map<std::string, std::string> kept;
    {
      Opened first(*this, "first");
      if (!first.ok()) return;
      kept = first.content();
      base::StoreBatch batch;
      batch.put("written", "by the first");
      if (!kept.empty()) batch.erase(kept.begin()->first);
      std::optional<base::Status> committed;
      first.store().commit(batch, [&](base::Status status) { committed = std::move(status); });
      run_until([&] { return committed.has_value(); });
      // Somebody's nodes below a record forbid that it is erased: all of the commit is refused.
      if (*committed) {
        if (!kept.empty()) kept.erase(kept.begin());
        kept["written"] = "by the first";
      }
    }
    Opened second(*this, "second");
    CHECK_MSG(second.ok(), "what one store has opened and written, the next one opens");
    CHECK(second.content() == kept);
  }

 private:
  class Opened {
   public:
    Opened(Story& story, std::string name) : story_(story), name_(std::move(name)) {
      base::ZooKeeperStore::Options options;
      options.path = kRoot;
      options.writer = name_;
      store_ = std::make_unique<base::ZooKeeperStore>(story.zookeeper_.host(name_, story.time_.place()), options,
                                                      base::ZooKeeperStore::Callbacks{});
      store_->open([this](base::Status status) { opened_ = std::move(status); });
      story.run_until([this] { return opened_.has_value(); });
    }
    ~Opened() {
      store_.reset();
      story_.zookeeper_.crash(name_);
    }
    bool ok() const { return static_cast<bool>(*opened_); }
    base::ZooKeeperStore& store() { return *store_; }
    std::map<std::string, std::string> content() {
      const auto entries = store_->scan("");
      CHECK(entries);
      std::map<std::string, std::string> out;
      for (const base::StoreEntry& entry : *entries) out[entry.key] = entry.value;
      return out;
    }

   private:
    Story& story_;
    std::string name_;
    std::unique_ptr<base::ZooKeeperStore> store_;
    std::optional<base::Status> opened_;
  };

  void run_until(const std::function<bool()>& condition) {
    for (int calls = 0; !condition(); ++calls)
      CHECK_MSG(calls < 100'000 && time_.step(), "the store does neither open nor say why not");
  }

  base::zk::testing::FakeTime time_;
  base::zk::FakeZooKeeper zookeeper_{time_.place(), [] { return base::microseconds(50); }};
};

}  // namespace

int fuzz_zookeeper_store(const uint8_t* data, size_t size) {
  return base::testing::tell_story<Story>(data, size, kMaxPieces);
}
