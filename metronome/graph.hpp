#pragma once

// Which jobs start which.

#include <optional>
#include <string>

#include "metronome/state.hpp"

namespace metronome {

/// Why the job cannot have these dependencies: one is unknown, or they lead back to it. Absent: it can.
std::optional<std::string> dependency_error(const State& state, const Job& job);

}  // namespace metronome
