#pragma once

// Bugs planted on purpose, to prove that the simulator's checkers would find real ones (decision 0070). A place in a core
// asks by name whether its bug is on:
//
//   if (base::planted("allocator/ignores-limits")) return Verdict::Offer;
//
// In everything that links base_pure the answer is no, by a function that has no state: a daemon holds nothing that could
// turn one on. Only tests/sim links another definition in its place.

#include <string_view>

namespace base {

/// Whether the bug of that name is on in this program.
bool planted(std::string_view name);

}  // namespace base
