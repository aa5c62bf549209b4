// volume/csi: a volume of a storage plugin, which the agent has had published before the launch.

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.hpp"
#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/volume_paths.hpp"

namespace containerizer {
namespace {

using mesos::v1::Volume;

bool is_csi(const Volume& volume) { return volume.has_source() && volume.source().type() == Volume::Source::CSI_VOLUME; }

/// The volume's root, not what is in it, as for persistent volumes.
Status give_to(const launch::UserIds& user, const std::string& path) {
  const base::Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  struct stat info {};
  if (!directory || fstat(directory.get(), &info) != 0) return base::errno_error("the volume at " + path, errno);
  if (info.st_uid == user.uid && info.st_gid == user.gid) return {};
  if (fchown(directory.get(), user.uid, user.gid) != 0)
    return base::errno_error("cannot give the volume at " + path + " to the task's user", errno);
  return {};
}

class VolumeCsi final : public Isolator {
 public:
  std::string_view name() const override { return "volume/csi"; }

  Result<bool> plan_volume(const Volume& volume, const VolumePlace& place, launch::LaunchOrder& order) const override {
    if (!is_csi(volume)) return false;
    size_t number = 0;
    for (const auto& each : place.spec.container->volumes()) {
      if (&each == &volume) break;
      number += is_csi(each) ? 1 : 0;
    }
    launch::BindMount mount;
    ASSIGN_OR_RETURN(mount.target, volume_target(volume, place));
    // A command inside a container that was found again after a restart sees what that has.
    if (number >= place.spec.published.size()) return true;
    mount.source = place.spec.published[number].path;
    mount.read_only = volume.mode() == Volume::RO;
    order.mounts.push_back(std::move(mount));
    return true;
  }

  Status prepare(const Preparing& container, Prepared&) override {
    if (!container.spec.container) return {};
    size_t number = 0;
    for (const auto& volume : container.spec.container->volumes()) {
      if (!is_csi(volume)) continue;
      if (number >= container.spec.published.size())
        return base::unsupported("this agent runs no storage plugins (--csi_plugin_config_dir)");
      const PublishedVolume& published = container.spec.published[number++];
      if (published.in_use || volume.mode() == Volume::RO || !container.user || container.user->uid == 0) continue;
      RETURN_IF_ERROR(give_to(*container.user, published.path));
    }
    return {};
  }
};

}  // namespace

IsolatorPtr make_volume_csi() { return std::make_unique<VolumeCsi>(); }

}  // namespace containerizer
