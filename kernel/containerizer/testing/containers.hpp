#pragma once

// For tests: a containerizer on a loop that the test runs, whose launches and ends it waits for one after another.

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/pool.hpp"
#include "base/testing/patience.hpp"
#include "kernel/containerizer/native.hpp"
#include "kernel/containerizer/testing/helper_path.hpp"

namespace containerizer {

/// A base of fixtures. Whatever happens stops the loop: run_loop() waits for the next thing.
class Containers {
 protected:
  /// Another containerizer instead of the present one, as after a restart of the agent. The helper is the build's.
  void start(NativeOptions options, std::shared_ptr<cgroups::Cgroups> groups) {
    runtime.reset();
    options.helper = helper_path();
    runtime = std::make_unique<NativeContainerizer>(loop, pool, std::move(options), std::move(groups));
    runtime->on_exit([this](const std::string& id, const Termination& end) {
      ends[id] = end;
      loop.stop();
    });
  }

  void run_loop() {
    const auto guard = loop.after(base::seconds(60) * base::testing::patience(), [this] { loop.stop(1); });
    EXPECT_EQ(loop.run(), 0) << "nothing happened";
    loop.cancel(guard);
  }

  Result<Started> launch(ContainerSpec wanted) {
    Result<Started> result = base::internal("no answer");
    runtime->launch(std::move(wanted), [&](Result<Started> started) {
      result = std::move(started);
      loop.stop();
    });
    run_loop();
    return result;
  }

  Termination wait_end(const std::string& id) {
    while (!ends.contains(id) && !::testing::Test::HasFailure()) run_loop();
    return ends[id];
  }

  base::Loop loop;
  base::Pool pool{loop, 3};
  std::unique_ptr<NativeContainerizer> runtime;
  std::map<std::string, Termination> ends;
};

}  // namespace containerizer
