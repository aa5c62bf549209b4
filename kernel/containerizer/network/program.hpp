#pragma once

// Runs a plugin's program to its end, with a limit on everything: time, output, and what it leaves behind. Blocks; any
// thread.

#include <map>
#include <string>

#include "base/file.hpp"
#include "base/time.hpp"
#include "kernel/containerizer/types.hpp"

namespace containerizer::network {

struct ProgramRun {
  std::string path;
  std::map<std::string, std::string> environment;
  std::string input;
  base::Duration timeout = base::minutes(1);
  int cancel_fd = -1;  // readable: end it now
  int held_fd = -1;    // it has this open for as long as it runs
};

struct ProgramEnd {
  int status = 0;  // raw wait status
  std::string output, error_output;
};

/// Timeout, Cancelled, TooLarge: its whole process group has been killed. Other errors: it did not run.
Result<ProgramEnd> run_program(const ProgramRun& run);

}  // namespace containerizer::network
