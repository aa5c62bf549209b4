// linux/nnp: programs with setuid bits give nobody more rights, in any container.

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

class LinuxNnp final : public Isolator {
 public:
  std::string_view name() const override { return "linux/nnp"; }
  Status plan(const ContainerSpec&, launch::LaunchOrder& order) const override {
    order.no_new_privileges = true;
    return {};
  }
};

}  // namespace

IsolatorPtr make_linux_nnp() { return std::make_unique<LinuxNnp>(); }

}  // namespace containerizer
