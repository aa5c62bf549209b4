// linux/devices: the devices of --allowed_devices in the /dev of containers with an image.

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

class LinuxDevices final : public Isolator {
 public:
  explicit LinuxDevices(const IsolatorOptions& options) : devices_(options.allowed_devices) {}

  std::string_view name() const override { return "linux/devices"; }

  Status plan(const ContainerSpec&, launch::LaunchOrder& order) const override {
    if (!order.root || order.root->privileged) return {};
    for (const auto& allowed : devices_.allowed_devices()) {
      launch::BindMount mount{allowed.device().path(), allowed.device().path()};
      mount.optional = true;  // a device that is unplugged is no reason to run nothing
      order.mounts.push_back(std::move(mount));
    }
    return {};
  }

 private:
  mesos::v1::DeviceWhitelist devices_;
};

}  // namespace

IsolatorPtr make_linux_devices(const IsolatorOptions& options) { return std::make_unique<LinuxDevices>(options); }

}  // namespace containerizer
