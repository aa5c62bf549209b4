#pragma once

// From words to a command: parsing, help, errors and exit codes.

#include <string>
#include <vector>

#include "cli/context.hpp"

namespace cli {

/// `words` without the program's name. Returns the exit code.
int run(const std::vector<std::string>& words, Environment environment, Io io);

/// The help text of a command or group; "" for the root.
std::string help_text(std::string_view path);

/// The candidates for the last of `words` (which may be ""), for shells.
std::vector<std::string> complete(Context& context, const std::vector<std::string>& words);

}  // namespace cli
