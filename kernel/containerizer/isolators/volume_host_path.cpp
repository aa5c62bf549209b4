// volume/host_path: a file or directory of the machine's, or of the sandbox by a relative path.

#include "base/strings.hpp"
#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/volume_paths.hpp"
#include "kernel/containerizer/plan.hpp"

namespace containerizer {
namespace {

using mesos::v1::Volume;

bool is_below(const std::string& path, const std::string& directory) {
  return path == directory || (path.starts_with(directory) && (directory.ends_with('/') || path[directory.size()] == '/'));
}

class VolumeHostPath final : public Isolator {
 public:
  explicit VolumeHostPath(const IsolatorOptions& options) : force_creation_(options.force_creation) {}

  std::string_view name() const override { return "volume/host_path"; }

  Result<bool> plan_volume(const Volume& volume, const VolumePlace& place, launch::LaunchOrder& order) const override {
    const bool by_source = volume.has_source() && volume.source().type() == Volume::Source::HOST_PATH;
    if (!by_source && !volume.has_host_path()) return false;
    const auto& given = volume.source().host_path();
    if (given.mount_propagation().mode() == mesos::v1::MountPropagation::BIDIRECTIONAL)
      return base::unsupported("mount_propagation BIDIRECTIONAL is not supported by this build: mounts that a container makes "
                               "stay its own; those of the machine arrive in it (HOST_TO_CONTAINER)");
    const std::string source = by_source ? given.path() : volume.host_path();
    if (source.empty()) return base::invalid("its host path is empty");
    if (!stays_below(source)) return base::invalid("its host path may not contain '..'");
    ASSIGN_OR_RETURN(const std::string target, volume_target(volume, place));
    const bool relative = source[0] != '/';
    if (place.docker && relative && volume.container_path()[0] != '/')
      return base::invalid("the host path and the container path cannot both be relative");
    launch::BindMount mount;
    mount.source = relative ? place.spec.sandbox + "/" + source : source;
    mount.target = target;
    mount.read_only = volume.mode() == Volume::RO;
    mount.no_links = relative;
    mount.make_source = relative || place.docker;
    for (const auto& directory : force_creation_) mount.make_source = mount.make_source || is_below(source, directory);
    order.mounts.push_back(std::move(mount));
    return true;
  }

 private:
  std::vector<std::string> force_creation_;
};

}  // namespace

Result<std::string> volume_target(const Volume& volume, const VolumePlace& place) {
  const std::string& target = volume.container_path();
  if (!stays_below(target)) return base::invalid("its container path may not contain '..'");
  return target[0] == '/' ? target : place.sandbox_inside + "/" + target;
}

IsolatorPtr make_volume_host_path(const IsolatorOptions& options) { return std::make_unique<VolumeHostPath>(options); }

}  // namespace containerizer
