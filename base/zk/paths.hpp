#pragma once

#include <functional>
#include <string>

#include "base/zk/client.hpp"

namespace base::zk {

/// Makes the node and those above it; the ones that exist already are left as they are. `client` must live until
/// `done` or be destroyed without it.
void make_path(Client& client, const std::string& path, std::function<void(Rc)> done);

}  // namespace base::zk
