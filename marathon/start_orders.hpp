#pragma once

// What DELETE /v2/leader asked the next start to do: put the whole state into a file, take it from one. Kept in the store, so
// that whoever leads next does it, on its own machine, before it acts; done once.

#include <functional>

#include "base/loop.hpp"
#include "base/store/store.hpp"

namespace marathon {

/// Carries out what is ordered and removes the orders; `done` runs when all of it is durable, at once when nothing is ordered.
/// An order that cannot be carried out is logged and removed: the state stays as it is. An error is the store's.
void carry_out_start_orders(base::Store& store, std::function<void(base::Status)> done);

/// The same for a store of one's own, before the start: runs the loop until it is done.
base::Status carry_out_start_orders(base::Loop& loop, base::Store& store);

}  // namespace marathon
