#include "kernel/containerizer/fetcher/cache.hpp"

#include <algorithm>

#include "base/numbers.hpp"

namespace containerizer::fetcher {

Cache::EntryPtr Cache::use(const std::string& key) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return nullptr;
  ++found->second->users;
  found->second->last_use = ++clock_;
  return found->second;
}

Cache::EntryPtr Cache::add(const std::string& key) {
  auto entry = std::make_shared<Entry>();
  entry->key = key;
  entry->file = directory_ + "/" + std::to_string(++names_);
  entry->users = 1;
  entry->last_use = ++clock_;
  entries_[key] = entry;
  return entry;
}

Result<std::vector<std::string>> Cache::reserve(const EntryPtr& entry, uint64_t bytes) {
  std::vector<EntryPtr> unused;
  uint64_t removable = 0;
  for (const auto& [key, other] : entries_) {
    if (!other->complete || other->users > 0) continue;
    unused.push_back(other);
    removable += other->bytes;
  }
  if (bytes > limit_ || used_ - removable > limit_ - bytes)
    return Error{base::Code::TooLarge, base::render_bytes(bytes) + " do not fit into the cache"};
  std::sort(unused.begin(), unused.end(), [](const auto& a, const auto& b) { return a->last_use < b->last_use; });
  std::vector<std::string> files;
  for (const auto& other : unused) {
    if (used_ <= limit_ - bytes) break;
    forget(other);
    files.push_back(other->file);
  }
  entry->bytes = bytes;
  used_ += bytes;
  return files;
}

void Cache::forget(const EntryPtr& entry) {
  if (!entry->listed) return;
  entry->listed = false;
  used_ -= entry->bytes;
  entries_.erase(entry->key);
}

bool Cache::release(const EntryPtr& entry) {
  --entry->users;
  return entry->users == 0 && !entry->listed;
}

}  // namespace containerizer::fetcher
