#pragma once

#include <string>

#include "base/flags.hpp"
#include "base/result.hpp"
#include "dns/config.hpp"

namespace dns {

/// The command line: a configuration file, and flags over it. Words may have one dash, as those of the original do.
struct Flags {
  Config config;
  std::string logging_level = "info";

  struct Outcome {
    std::string help;
    bool wants_help = false, wants_version = false;
  };

  /// Reads arguments, MESOS_DNS_* variables and the file that they name.
  static base::Result<Flags> parse(int argc, const char* const* argv, const base::FlagTable::Environment& environment,
                                   const base::FlagTable::FileReader& read, Outcome& outcome);
};

}  // namespace dns
