#pragma once

#include <optional>
#include <string>
#include <vector>

#include "marathon/app.hpp"
#include "marathon/instance.hpp"

namespace marathon {

/// The value of `field` on the agent of an instance.
std::optional<std::string> field_value(const Instance& instance, const std::string& field);

/// Whether an agent whose field has `value` (absent: it has no such attribute) may take one more instance, given the
/// instances that count: those of the app that run the current configuration.
bool satisfies(const Constraint& constraint, const std::optional<std::string>& value,
               const std::vector<const Instance*>& placed, int64_t instances);

/// Whether LIKE and UNLIKE can use `text`: matching takes time linear in the value, so no pattern can stall the scheduler.
bool is_pattern(const std::string& text);

/// The whole of `value` fits the pattern.
bool matches_pattern(const std::string& value, const std::string& pattern);

/// What would satisfy it, in words: "hostname must not be host1 (UNIQUE)".
std::string describe(const Constraint& constraint);

}  // namespace marathon
