#include "base/store/store.hpp"

#include "base/store/backends.hpp"

namespace base {

Result<std::unique_ptr<Store>> open_store(Loop& loop, const std::string& location) {
  if (location == "memory:") return make_memory_store(loop);
  if (location.starts_with("sqlite:") && location.size() > 7) {
    return open_sqlite_store(loop, location.substr(7));
  }
  return invalid("'" + location + "' is not a store: give sqlite:/path/file.db or memory:");
}

}  // namespace base
