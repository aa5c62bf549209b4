#pragma once

// A look into a store that another process may have open.

#include <string>
#include <vector>

#include "base/store/store.hpp"

namespace base {

/// Every entry of the SQLite store at `path`, in key order, as of one moment. Nothing is written, no lock is taken, and a
/// process that has the store open does not notice. NotFound when there is no such file. Blocks.
Result<std::vector<StoreEntry>> look_into_sqlite(const std::string& path);

}  // namespace base
