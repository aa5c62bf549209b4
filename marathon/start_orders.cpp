#include "marathon/start_orders.hpp"

#include <optional>
#include <set>

#include "base/file.hpp"
#include "base/log.hpp"
#include "marathon/backup.hpp"
#include "marathon/records.hpp"

namespace marathon {
namespace {

constexpr std::string_view kFile = "file://";

/// "file:///a/b" -> "/a/b".
std::string path_of(const std::string& uri) { return uri.starts_with(kFile) ? uri.substr(kFile.size()) : uri; }

base::Status back_up(const std::vector<base::StoreEntry>& entries, const std::string& path) {
  if (base::exists(path)) return base::invalid("that file exists");
  return base::write_file_atomic(path, render_backup(entries), 0600);
}

/// Everything of `entries` replaced by what is in the file.
base::Status replace_all(const std::vector<base::StoreEntry>& entries, const std::string& path, base::StoreBatch& batch) {
  ASSIGN_OR_RETURN(const base::StoreBatch content, load_backup(path));
  std::set<std::string> kept;
  for (const auto& write : content.writes) kept.insert(write.key);
  for (const base::StoreEntry& entry : entries) {
    if (!kept.contains(entry.key)) batch.erase(entry.key);
  }
  for (const auto& write : content.writes) batch.writes.push_back(write);
  return {};
}

}  // namespace

void carry_out_start_orders(base::Store& store, std::function<void(base::Status)> done) {
  auto scanned = store.scan("");
  if (!scanned) return done(scanned.error().with_context("reading the store"));
  std::string backup, restore;
  std::vector<base::StoreEntry> entries;
  base::StoreBatch batch;
  for (base::StoreEntry& entry : *scanned) {
    if (entry.key == kBackupOrderKey) backup = path_of(entry.value);
    if (entry.key == kRestoreOrderKey) restore = path_of(entry.value);
    if (entry.key.starts_with(kOrderPrefix)) {
      batch.erase(entry.key);
    } else {
      entries.push_back(std::move(entry));
    }
  }
  if (batch.writes.empty()) return done({});
  bool safe = true;  // what a backup was asked of is not replaced before there is one
  if (!backup.empty()) {
    const auto written = back_up(entries, backup);
    safe = written.has_value();
    if (safe) {
      LOG_INFO("the state is in {}, as DELETE /v2/leader ordered", backup);
    } else {
      LOG_ERROR("the backup that DELETE /v2/leader ordered is not made: {}: {}", backup, written.error().message);
    }
  }
  if (!restore.empty() && !safe) LOG_ERROR("nothing is restored from {} either: the state stays as it is", restore);
  if (!restore.empty() && safe) {
    base::StoreBatch replaced = batch;
    if (const auto read = replace_all(entries, restore, replaced); read) {
      LOG_INFO("the state is that of {}, as DELETE /v2/leader ordered", restore);
      batch = std::move(replaced);
    } else {
      LOG_ERROR("nothing is restored from {}, the state stays as it is: {}", restore, read.error().message);
    }
  }
  store.commit(std::move(batch), std::move(done));
}

base::Status carry_out_start_orders(base::Loop& loop, base::Store& store) {
  std::optional<base::Status> result;
  bool waits = false;
  carry_out_start_orders(store, [&](base::Status status) {
    result = std::move(status);
    if (waits) loop.stop();
  });
  waits = true;
  if (!result) loop.run();
  return result.value_or(base::invalid("the store did not answer"));
}

}  // namespace marathon
