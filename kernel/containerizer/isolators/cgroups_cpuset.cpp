// cgroups/cpuset: containers are on the agent's processors, or on those that Docker's options name.

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

class CgroupsCpuset final : public Isolator {
 public:
  std::string_view name() const override { return "cgroups/cpuset"; }

  Status prepare(const Preparing&, Prepared& out) override {
    out.limits.cpuset_cpus = out.order.cpuset_cpus;
    out.limits.cpuset_mems = out.order.cpuset_mems;
    return {};
  }
};

}  // namespace

IsolatorPtr make_cgroups_cpuset() { return std::make_unique<CgroupsCpuset>(); }

}  // namespace containerizer
