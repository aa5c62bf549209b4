// volume/image: the files of an image as a volume, with what the container writes there for itself alone and until its end.

#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/volume_paths.hpp"
#include "kernel/containerizer/plan.hpp"

namespace containerizer {
namespace {

using mesos::v1::Volume;

class VolumeImage final : public Isolator {
 public:
  std::string_view name() const override { return "volume/image"; }

  Result<bool> plan_volume(const Volume& volume, const VolumePlace& place, launch::LaunchOrder& order) const override {
    if (!volume.has_image()) return false;
    if (place.docker) return base::unsupported("only containers of type MESOS have volumes that are made from images");
    RETURN_IF_ERROR(wish_of(volume.image()));
    launch::BindMount mount;
    ASSIGN_OR_RETURN(mount.target, volume_target(volume, place));
    mount.read_only = volume.mode() == Volume::RO;
    mount.from_image = true;
    order.mounts.push_back(std::move(mount));
    return true;
  }
};

}  // namespace

IsolatorPtr make_volume_image() { return std::make_unique<VolumeImage>(); }

}  // namespace containerizer
