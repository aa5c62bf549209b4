#pragma once

// The whole store as text, taken while the scheduler runs, and back into an empty store before it starts.

#include <string>
#include <vector>

#include "base/loop.hpp"
#include "base/store/store.hpp"

namespace marathon {

/// One line of JSON for the head, `{"backup":"marathon","entries":N}`, then one for each record: `["key","value"]`.
std::string render_backup(const std::vector<base::StoreEntry>& entries);

/// That of the whole store. It commits a change as a whole, so the records fit together whenever they are read.
base::Result<std::string> take_backup(base::Store& store);

/// The records of a backup; an error says what is wrong with the text. Cut off anywhere it is no backup.
base::Result<base::StoreBatch> parse_backup(std::string_view text);

/// The backup in the file.
base::Result<base::StoreBatch> load_backup(const std::string& path);

/// The backup in `path`, for the store, which must be empty.
base::Result<base::StoreBatch> read_backup(base::Store& store, const std::string& path);

/// Puts the backup in `path` into the store, which must be empty. Runs the loop until it is durable.
base::Status restore_backup(base::Loop& loop, base::Store& store, const std::string& path);

}  // namespace marathon
