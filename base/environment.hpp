#pragma once

// This process's environment as a value, for main.cpp: everything below is handed what it needs.

#include <map>
#include <string>

namespace base {

std::map<std::string, std::string> process_environment();

}  // namespace base
