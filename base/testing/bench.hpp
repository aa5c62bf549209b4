#pragma once

// Benchmark harness: two parameter sets (--small in the test suite so that a benchmark never rots, full by hand), five
// runs after a warm-up, median and spread, one JSON line per measure with commit and machine.

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "base/time.hpp"

namespace base::testing {

class Bench {
 public:
  Bench(int argc, char** argv);

  bool small() const { return small_; }

  /// False when names were given on the command line and none is a prefix of `name`. With --list it prints the name and
  /// is false.
  bool wants(const std::string& name) const;

  /// Times `body` (seconds per call). It returns a hash of its result, printed so that work cannot be optimised away.
  void measure(const std::string& name, const std::map<std::string, std::string>& parameters,
               const std::function<uint64_t()>& body);

  /// As measure, reported as operations per second.
  void rate(const std::string& name, const std::map<std::string, std::string>& parameters, uint64_t operations,
            const std::function<uint64_t()>& body);

  /// Prints samples measured elsewhere.
  void report(const std::string& name, const std::map<std::string, std::string>& parameters,
              const std::string& unit, std::vector<double> samples, uint64_t hash = 0);

 private:
  bool small_ = false, list_ = false;
  std::vector<std::string> names_;
};

}  // namespace base::testing
