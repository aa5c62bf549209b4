#pragma once

// The back ends behind open_store (internal to base/store).

#include <memory>
#include <string>

#include "base/store/store.hpp"

namespace base {

Result<std::unique_ptr<Store>> open_sqlite_store(Loop& loop, const std::string& path);
std::unique_ptr<Store> make_memory_store(Loop& loop);

}  // namespace base
