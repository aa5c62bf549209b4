#pragma once

// Numbers of which each container holds some, remembered over restarts of the agent by a file in its runtime directory.

#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "kernel/containerizer/types.hpp"

namespace containerizer {

class NumberPool {
 public:
  /// `file`: its name in a runtime directory. `in_turn`: a number that was given back comes after all others have been.
  NumberPool(std::vector<uint32_t> all, std::string file, bool in_turn = false)
      : all_(std::move(all)), file_(std::move(file)), in_turn_(in_turn) {}

  /// `count` free ones; an error when there are fewer.
  Result<std::vector<uint32_t>> take(const std::string& id, const std::string& runtime, size_t count);

  /// Those that the container took in an earlier run of this agent.
  std::vector<uint32_t> recover(const std::string& id, const std::string& runtime);

  void give_back(const std::string& id);
  std::vector<uint32_t> held_by(const std::string& id) const;

 private:
  std::vector<uint32_t> all_;
  std::string file_;
  bool in_turn_;
  size_t next_ = 0;  // in `all_`: where to look first
  mutable std::mutex mutex_;
  std::map<std::string, std::vector<uint32_t>> held_;
};

}  // namespace containerizer
