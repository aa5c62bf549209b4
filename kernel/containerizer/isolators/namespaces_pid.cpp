// namespaces/pid: a container sees its own processes only, and all of them end with its first.

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

class NamespacesPid final : public Isolator {
 public:
  explicit NamespacesPid(const IsolatorOptions& options) : may_share_(options.share_agent_pids) {}

  std::string_view name() const override { return "namespaces/pid"; }

  Status plan(const ContainerSpec& spec, launch::LaunchOrder& order) const override {
    const bool asked = spec.container && spec.container->linux_info().share_pid_namespace();
    if (asked) order.private_pids = false;
    if (!order.private_pids && !may_share_)
      return base::forbidden("the agent's processes are not shared with containers (--disallow_sharing_agent_pid_namespace)");
    return {};
  }

 private:
  bool may_share_;
};

}  // namespace

IsolatorPtr make_namespaces_pid(const IsolatorOptions& options) { return std::make_unique<NamespacesPid>(options); }

}  // namespace containerizer
