// volume/sandbox_path: a directory of the container's own sandbox or of its parent's, made when it is missing.

#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/volume_paths.hpp"
#include "kernel/containerizer/plan.hpp"

namespace containerizer {
namespace {

using mesos::v1::Volume;

class VolumeSandboxPath final : public Isolator {
 public:
  std::string_view name() const override { return "volume/sandbox_path"; }

  Result<bool> plan_volume(const Volume& volume, const VolumePlace& place, launch::LaunchOrder& order) const override {
    if (!volume.has_source() || volume.source().type() != Volume::Source::SANDBOX_PATH) return false;
    ASSIGN_OR_RETURN(const std::string source, sandbox_source(volume, place.spec));
    const bool own = volume.source().sandbox_path().type() == Volume::Source::SandboxPath::SELF;
    if (own && volume.container_path()[0] != '/' && !place.has_image)
      return base::invalid("a path in the sandbox is shown at an absolute container_path");
    ASSIGN_OR_RETURN(const std::string target, volume_target(volume, place));
    launch::BindMount mount{source, target, volume.mode() == Volume::RO};
    mount.no_links = mount.make_source = true;
    order.mounts.push_back(std::move(mount));
    return true;
  }
};

}  // namespace

IsolatorPtr make_volume_sandbox_path() { return std::make_unique<VolumeSandboxPath>(); }

}  // namespace containerizer
