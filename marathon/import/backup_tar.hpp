#pragma once

// The original's own backup, what its --backup, `backup=` of DELETE /v2/leader and its command write (pure): a tar with a file
// per node of its state.
//
//   <category>/items/<id>                 the node as it is
//   <category>/versions/<id>/<version>    an earlier one
//   internal:storage:version/items/internal:storage:version

#include <string_view>

#include "base/result.hpp"
#include "marathon/import/convert.hpp"

namespace marathon::original {

/// The nodes in the backup, as read_state() finds them in ZooKeeper. An error says what is wrong with it: cut off anywhere it is
/// none.
base::Result<Nodes> nodes_of_backup(std::string_view tar);

}  // namespace marathon::original
