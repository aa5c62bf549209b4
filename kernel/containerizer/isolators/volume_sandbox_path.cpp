// volume/sandbox_path: a directory of the container's own sandbox, made when it is missing.

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
    const auto& given = volume.source().sandbox_path();
    if (given.type() != Volume::Source::SandboxPath::SELF)
      return base::unsupported("a path in the parent's sandbox needs a parent, which this container has not");
    if (given.path().empty() || given.path()[0] == '/') return base::invalid("a path in the sandbox must be relative");
    if (!stays_below(given.path())) return base::invalid("its sandbox path may not contain '..'");
    if (volume.container_path()[0] != '/' && !place.has_image)
      return base::invalid("a path in the sandbox is shown at an absolute container_path");
    ASSIGN_OR_RETURN(const std::string target, volume_target(volume, place));
    launch::BindMount mount{place.spec.sandbox + "/" + given.path(), target, volume.mode() == Volume::RO};
    mount.no_links = mount.make_source = true;
    order.mounts.push_back(std::move(mount));
    return true;
  }
};

}  // namespace

IsolatorPtr make_volume_sandbox_path() { return std::make_unique<VolumeSandboxPath>(); }

}  // namespace containerizer
