#pragma once

// The durable store behind every daemon: an ordered map from keys to bytes with atomic commits. Back ends: SQLite
// (default), memory and a fault-injecting decorator (tests); one contract test suite runs against each.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/result.hpp"

namespace base {

struct StoreEntry {
  std::string key;
  std::string value;
  bool operator==(const StoreEntry&) const = default;
};

/// All of it happens or none.
struct StoreBatch {
  struct Write {
    std::string key;
    std::optional<std::string> value;  // absent: erase
  };
  std::vector<Write> writes;

  void put(std::string key, std::string value) { writes.push_back({std::move(key), std::move(value)}); }
  void erase(std::string key) { writes.push_back({std::move(key), std::nullopt}); }
  bool empty() const { return writes.empty(); }
};

class Store {
 public:
  using Done = std::function<void(Status)>;

  virtual ~Store() = default;

  /// Durable before `done(ok)` runs on the loop. Batches commit in the order given; several waiting ones may share one
  /// sync (group commit). After a failure (NoSpace, Io) nothing of the batch is in the store and later commits may succeed.
  virtual void commit(StoreBatch batch, Done done) = 0;

  /// Entries whose key starts with `prefix`, in key order. Blocking; sees every commit whose `done` has run. For recovery.
  virtual Result<std::vector<StoreEntry>> scan(const std::string& prefix) = 0;

  /// Blocking single read.
  virtual Result<std::optional<std::string>> get(const std::string& key) = 0;
};

/// "sqlite:/path/file.db" or "memory:". The directory is made. A database file that cannot be read is an error that
/// names the file and what to do; it is never silently replaced.
Result<std::unique_ptr<Store>> open_store(Loop& loop, const std::string& location);

}  // namespace base
