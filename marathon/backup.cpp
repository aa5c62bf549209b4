#include "marathon/backup.hpp"

#include <boost/json.hpp>
#include <fmt/format.h>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"

namespace marathon {
namespace {

constexpr uint64_t kMaxBackup = uint64_t{4} << 30;

}  // namespace

std::string render_backup(const std::vector<base::StoreEntry>& entries) {
  std::string text = fmt::format("{{\"backup\":\"marathon\",\"entries\":{}}}\n", entries.size());
  for (const base::StoreEntry& entry : entries) {
    std::string line;
    base::json::Writer w(line);
    w.begin_array();
    w.value(entry.key);
    w.value(entry.value);
    w.end_array();
    text += line + "\n";
  }
  return text;
}

base::Result<std::string> take_backup(base::Store& store) {
  ASSIGN_OR_RETURN(const std::vector<base::StoreEntry> entries, store.scan(""));
  return render_backup(entries);
}

base::Result<base::StoreBatch> parse_backup(std::string_view text) {
  constexpr size_t kTarMagic = 257;
  if (text.size() > kTarMagic && text.substr(kTarMagic).starts_with("ustar")) {
    return base::invalid("it is a tar, as an original Marathon's backup is: 'dcos-marathon-import --backup=FILE --out=NEW' makes one "
                         "of this scheduler's of it");
  }
  base::StoreBatch batch;
  int64_t expected = -1;
  size_t number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return base::invalid(fmt::format("line {} is cut off", number));
    const auto value = base::json::parse(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (!value) return base::invalid(fmt::format("line {} is not JSON: {}", number, value.error().message));
    if (number == 1) {
      if (base::json::get_string(*value, "/backup").value_or("") != "marathon" || !value->is_object() ||
          !value->get_object().contains("entries") ||
          !base::json::to_int(value->get_object().at("entries"), expected)) {
        return base::invalid("the first line is not the head of a backup of this scheduler");
      }
      continue;
    }
    const bool pair = value->is_array() && value->get_array().size() == 2 && value->get_array()[0].is_string() &&
                      value->get_array()[1].is_string();
    if (!pair) return base::invalid(fmt::format("line {} is not a key and a value", number));
    batch.put(std::string(value->get_array()[0].get_string()), std::string(value->get_array()[1].get_string()));
  }
  if (expected != static_cast<int64_t>(batch.writes.size())) {
    return base::invalid(fmt::format("it has {} records, its head says {}: a part is missing", batch.writes.size(),
                                     expected));
  }
  return batch;
}

base::Result<base::StoreBatch> load_backup(const std::string& path) {
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path, kMaxBackup));
  return parse_backup(text);
}

base::Result<base::StoreBatch> read_backup(base::Store& store, const std::string& path) {
  ASSIGN_OR_RETURN(const std::vector<base::StoreEntry> present, store.scan(""));
  if (!present.empty()) {
    return base::invalid("--restore wants an empty store, this one has " + std::to_string(present.size()) +
                         " records: leave the flag out, or name another --data_dir, --store or --zk");
  }
  auto batch = load_backup(path);
  if (!batch) return batch.error().with_context("--restore=" + path);
  return batch;
}

base::Status restore_backup(base::Loop& loop, base::Store& store, const std::string& path) {
  ASSIGN_OR_RETURN(base::StoreBatch batch, read_backup(store, path));
  base::Status stored = base::invalid("the store did not answer");
  store.commit(std::move(batch), [&](base::Status status) {
    stored = std::move(status);
    loop.stop();
  });
  loop.run();
  return stored;
}

}  // namespace marathon
