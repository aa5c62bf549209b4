#pragma once

// Persistent volumes of marathon's instances and the data on them. An instance runs on the volume on which it ran first,
// alone, and never without; data go only when somebody asked for that.

#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "kernel/containerizer/containerizer.hpp"
#include "tests/sim/world.hpp"

namespace sim {

class VolumeChecker {
 public:
  struct Asks {
    /// The definitions of this app have volumes.
    std::function<bool(const std::string& app)> resident;
    /// Somebody asked for something that ends data of the app which were there at that time.
    std::function<bool(const std::string& app, base::Instant written)> may_lose;
  };

  VolumeChecker(World& world, Asks asks) : world_(world), asks_(std::move(asks)) {}

  // Of an agent: its directories, and containers, those inside others left out. `holder`: a task's id, or an executor's.
  // Who has started runs on its volumes; when a task has begun, there or inside, they hold data.
  void made(const std::string& agent, const std::string& path) { volumes_.emplace(Place{agent, path}, Volume()); }
  void removed(const std::string& agent, const std::string& path);
  void started(const std::string& agent, const std::string& container, const std::string& holder,
               const std::vector<containerizer::VolumeMount>& mounts);
  void wrote(const std::string& agent, const std::string& container);
  void ended(const std::string& agent, const std::string& container);

  /// Volumes that hold data, and how often somebody came back to some.
  size_t written() const { return written_; }
  size_t found_again() const { return found_again_; }

 private:
  using Place = std::pair<std::string, std::string>;  // agent and path
  struct Volume {
    std::string instance{};  // that wrote first; empty: no data
    std::string app{};
    base::Instant written{};
    std::map<std::string, std::pair<std::string, std::string>> users{};  // instance and app, by container
  };

  World& world_;
  Asks asks_;
  std::map<Place, Volume> volumes_;
  std::map<std::string, Place> of_instance_;
  size_t written_ = 0, found_again_ = 0;
};

}  // namespace sim
