// gpu/nvidia: whole graphics processors for the containers that pay for them with `gpus`, and for no others.

#include <cmath>

#include "base/file.hpp"
#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/numbers.hpp"

namespace containerizer {
namespace {

// What every program that uses one needs beside it; not each machine has all of them.
constexpr const char* kCommon[] = {"nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset"};

class GpuNvidia final : public Isolator {
 public:
  explicit GpuNvidia(const IsolatorOptions& options)
      : directory_(options.device_directory), gpus_({options.gpus.begin(), options.gpus.end()}, "gpus") {}

  std::string_view name() const override { return "gpu/nvidia"; }

  Status plan(const ContainerSpec& spec, launch::LaunchOrder&) const override {
    if (std::floor(spec.gpus) != spec.gpus || spec.gpus < 0)
      return base::invalid("gpus must be a whole number: a graphics processor is not shared");
    return {};
  }

  Status prepare(const Preparing& container, Prepared& out) override {
    if (container.spec.gpus <= 0) return {};
    auto taken = gpus_.take(container.spec.id, container.runtime, static_cast<size_t>(container.spec.gpus));
    if (!taken) return taken.error().with_context("gpus");
    for (const uint32_t number : *taken) add(directory_ + "/nvidia" + std::to_string(number), out);
    for (const char* name : kCommon)
      if (base::exists(directory_ + "/" + name)) add(directory_ + "/" + name, out);
    return {};
  }

  void recover(const ContainerSpec& spec, const std::string& runtime) override { gpus_.recover(spec.id, runtime); }
  void cleanup(const std::string& id, const std::string&) override { gpus_.give_back(id); }

 private:
  static void add(const std::string& device, Prepared& out) {
    out.devices.push_back(device);
    if (!out.order.root || out.order.root->privileged) return;  // it sees the machine's /dev
    out.order.mounts.push_back(launch::BindMount{device, "/dev/" + device.substr(device.rfind('/') + 1)});
  }

  std::string directory_;
  NumberPool gpus_;
};

}  // namespace

IsolatorPtr make_gpu_nvidia(const IsolatorOptions& options) { return std::make_unique<GpuNvidia>(options); }

}  // namespace containerizer
