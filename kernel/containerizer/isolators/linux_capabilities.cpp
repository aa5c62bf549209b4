// linux/capabilities: which of root's powers a container's processes have (effective) and can come to have (bounding).

#include "kernel/containerizer/isolators/capability_names.hpp"
#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

class LinuxCapabilities final : public Isolator {
 public:
  explicit LinuxCapabilities(const IsolatorOptions& options)
      : effective_(options.effective_capabilities), bounding_(options.bounding_capabilities) {}

  std::string_view name() const override { return "linux/capabilities"; }

  Status plan(const ContainerSpec& spec, launch::LaunchOrder& order) const override {
    std::optional<uint64_t> effective, bounding;
    if (spec.container) {
      const auto& info = spec.container->linux_info();
      if (info.has_effective_capabilities() && info.has_capability_info())
        return base::invalid("linux_info has both effective_capabilities and the deprecated capability_info; give the former");
      if (info.has_effective_capabilities() || info.has_capability_info()) {
        ASSIGN_OR_RETURN(effective, capability_mask(info.has_effective_capabilities() ? info.effective_capabilities()
                                                                                      : info.capability_info()));
      }
      if (info.has_bounding_capabilities()) {
        ASSIGN_OR_RETURN(bounding, capability_mask(info.bounding_capabilities()));
      }
    }
    const bool docker = spec.container && spec.container->type() == mesos::v1::ContainerInfo::DOCKER;
    if (bounding_) {
      if (bounding && (*bounding & ~*bounding_) != 0) return beyond("bounding_capabilities", *bounding & ~*bounding_);
      if (effective && (*effective & ~*bounding_) != 0) return beyond("effective_capabilities", *effective & ~*bounding_);
      // What Docker's kind of container has by itself shrinks to what the operator allows; a wish beyond it was an error.
      if (order.capabilities) *order.capabilities &= *bounding_;
    }
    if (docker && !effective && !bounding) {
      if (!order.capabilities && bounding_) order.capabilities = bounding_;  // privileged
      return {};
    }
    if (!effective) effective = effective_;
    if (!bounding) bounding = bounding_ ? bounding_ : effective;
    if (effective && (*effective & ~*bounding) != 0)
      return base::invalid("linux_info: the effective capabilities " + render_capabilities(*effective & ~*bounding) +
                           " are not among the bounding ones");
    if (bounding) order.capabilities = bounding;
    order.effective_capabilities = effective;
    return {};
  }

 private:
  Error beyond(const char* field, uint64_t mask) const {
    return base::forbidden(std::string("linux_info.") + field + ": " + render_capabilities(mask) +
                           " is not allowed by this agent's --bounding_capabilities");
  }

  std::optional<uint64_t> effective_, bounding_;
};

}  // namespace

IsolatorPtr make_linux_capabilities(const IsolatorOptions& options) { return std::make_unique<LinuxCapabilities>(options); }

}  // namespace containerizer
