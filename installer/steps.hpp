#pragma once

// The lines a person reads while a cluster starts: elapsed time, step, what was probed, result.

#include <string>

#include "base/time.hpp"
#include "installer/machine.hpp"

namespace installer {

class Steps {
 public:
  Steps();

  /// Prints a finished step. Returns whether it was good; a bad one is followed by its remedy.
  bool finish(const std::string& step, const std::string& probed, const Finding& finding);

  /// On a terminal: shows what is being waited for, replaced by the next line.
  void progress(const std::string& step, const std::string& text);

  base::Duration elapsed() const;

 private:
  base::Instant started_;
  bool terminal_;
};

}  // namespace installer
