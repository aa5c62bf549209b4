#pragma once

// Downloads that several containers may use: which there are, who uses them, which go when room is needed. The books
// only: the caller downloads, and removes the files it is told to. One loop.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernel/containerizer/types.hpp"

namespace containerizer::fetcher {

class Cache {
 public:
  struct Entry {
    std::string key;
    std::string file;        // absolute path
    uint64_t bytes = 0;      // reserved in the cache; 0 until the size is known
    unsigned users = 0;      // an entry in use is never removed
    uint64_t last_use = 0;
    bool complete = false;
    bool listed = true;      // found by those who come
  };
  using EntryPtr = std::shared_ptr<Entry>;

  /// `limit` in bytes.
  Cache(std::string directory, uint64_t limit) : directory_(std::move(directory)), limit_(limit) {}

  /// What tells entries apart: equal URIs of different users are different entries.
  static std::string key_of(const std::string& user, const std::string& uri) { return user + '\n' + uri; }

  /// The entry of that key with one user more, or null.
  EntryPtr use(const std::string& key);

  /// A new entry, used once by the caller, to be downloaded into its file.
  EntryPtr add(const std::string& key);

  /// Room for `bytes`, made by forgetting complete entries without users, the least recently used first. Returns the
  /// files to remove; after an error (it cannot fit) nothing was forgotten.
  Result<std::vector<std::string>> reserve(const EntryPtr& entry, uint64_t bytes);

  void complete(const EntryPtr& entry) { entry->complete = true; }

  /// Not found any more; its room is free. Its users keep it until they release it.
  void forget(const EntryPtr& entry);

  /// True: the caller removes the file, nobody needs it any more.
  bool release(const EntryPtr& entry);

  uint64_t limit() const { return limit_; }
  uint64_t used() const { return used_; }
  const std::string& directory() const { return directory_; }

 private:
  std::string directory_;
  uint64_t limit_;
  uint64_t used_ = 0, clock_ = 0, names_ = 0;
  std::map<std::string, EntryPtr> entries_;
};

}  // namespace containerizer::fetcher
