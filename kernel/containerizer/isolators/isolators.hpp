#pragma once

// All isolators of an agent, in the order in which they prepare a container; cleanup goes the other way.

#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/selection.hpp"

namespace containerizer {

class Isolators {
 public:
  /// `linux_launcher`: namespaces and cgroups are to be had (root). Without, isolators that need them are left out.
  static Result<std::shared_ptr<Isolators>> make(const Isolation& isolation, const IsolatorOptions& options,
                                                 bool linux_launcher);

  bool has(std::string_view name) const;
  std::vector<std::string> names() const;

  /// Refuses what is asked of an isolator that is not there, then asks each.
  Status plan(const ContainerSpec& spec, launch::LaunchOrder& order) const;
  Status plan_volumes(const VolumePlace& place, launch::LaunchOrder& order) const;
  Status add_environment(const mesos::v1::CommandInfo& command, std::map<std::string, std::string>& environment) const;
  Status prepare(const Preparing& container, Prepared& out);
  void recover(const ContainerSpec& spec, const std::string& runtime);
  void cleanup(const std::string& id, const std::string& runtime);
  std::vector<Breach> watch(const std::vector<Watched>& containers);
  void measure(const std::string& id, mesos::v1::ResourceStatistics& out) const;

 private:
  std::vector<IsolatorPtr> all_;
};

}  // namespace containerizer
