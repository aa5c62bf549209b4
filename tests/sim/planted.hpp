#pragma once

// The bugs that are planted in the cores (base/testing/planted.hpp), and in which runs a checker must find each.

#include <cstdint>
#include <string>
#include <vector>

namespace sim {

struct PlantedBug {
  const char* name;
  const char* scenario;
  uint64_t seeds;       // one of the first so many must fail
  const char* verdict;  // a piece of what the checker says
};

const std::vector<PlantedBug>& planted_bugs();

/// Turns this bug on in this process, and every other off. Empty: none.
void plant(const std::string& name);

}  // namespace sim
