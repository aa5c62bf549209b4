#pragma once

// What a container without a terminal prints from now on, taken from its output files as they grow: costs a container that
// nobody follows nothing, and goes on over the agent's end and the files' turning over. Lives on one loop.

#include <functional>
#include <memory>
#include <string_view>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "kernel/containerizer/containerizer.hpp"

namespace agent {

class OutputFollower {
 public:
  /// May pause or destroy the follower.
  using Data = std::function<void(bool error_output, std::string_view data)>;

  /// `end` is the last call: the container has ended and all it printed was told. Errors: the files cannot be watched.
  static base::Result<std::unique_ptr<OutputFollower>> begin(base::Loop& loop, containerizer::Outputs outputs, Data data,
                                                             std::function<void()> end);
  ~OutputFollower();

  /// Stops and resumes the calls; nothing is lost meanwhile but what a turned over file loses.
  void pause(bool pause);

 private:
  struct Impl;
  explicit OutputFollower(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace agent
