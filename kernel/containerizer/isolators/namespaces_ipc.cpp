// namespaces/ipc: System V and POSIX queues and shared memory of a container's own, and how much of the latter.

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

using mesos::v1::LinuxInfo;

class NamespacesIpc final : public Isolator {
 public:
  explicit NamespacesIpc(const IsolatorOptions& options)
      : may_share_(options.share_agent_ipc), shm_bytes_(options.shm_bytes) {}

  std::string_view name() const override { return "namespaces/ipc"; }

  Status plan(const ContainerSpec& spec, launch::LaunchOrder& order) const override {
    const LinuxInfo info = spec.container ? spec.container->linux_info() : LinuxInfo();
    if (info.has_shm_size() && info.ipc_mode() != LinuxInfo::PRIVATE)
      return base::invalid("linux_info.shm_size needs ipc_mode PRIVATE");
    if (info.has_shm_size() && info.shm_size() == 0) return base::invalid("linux_info.shm_size must be at least 1 (MiB)");
    if (info.ipc_mode() == LinuxInfo::SHARE_PARENT) order.private_ipc = false;
    if (!order.private_ipc && !may_share_)
      return base::forbidden("the agent's IPC namespace is not shared with containers (--disallow_sharing_agent_ipc_namespace)");
    const bool docker = spec.container && spec.container->type() == mesos::v1::ContainerInfo::DOCKER;
    const uint64_t bytes = info.has_shm_size() ? uint64_t{info.shm_size()} << 20 : shm_bytes_;
    if (order.private_ipc) order.shm_bytes = bytes;
    if (order.root && (!docker || info.has_shm_size())) order.root->shm_bytes = bytes;
    return {};
  }

 private:
  bool may_share_;
  uint64_t shm_bytes_;
};

}  // namespace

IsolatorPtr make_namespaces_ipc(const IsolatorOptions& options) { return std::make_unique<NamespacesIpc>(options); }

}  // namespace containerizer
