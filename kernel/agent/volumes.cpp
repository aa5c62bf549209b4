#include "kernel/agent/volumes.hpp"

#include <algorithm>
#include <set>

#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

constexpr size_t kMaxName = 255;  // of a file

bool is_file_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
         name.find_first_of(std::string("/\0", 2)) == std::string::npos;
}

}  // namespace

std::optional<storage::DiskName> disk_name(const resources::Kind& kind) {
  const auto& data = kind.data();
  if (!data.provider_id || !data.disk || !data.disk->source || !data.disk->source->id) return std::nullopt;
  return storage::DiskName{*data.provider_id, *data.disk->source->id};
}

base::Result<VolumePlace> volume_place(const std::string& work_dir, const resources::Kind& volume) {
  const auto& disk = volume.data().disk;
  if (!disk || !disk->persistence_id) return base::invalid("a volume without persistence id");
  VolumePlace place;
  place.root = work_dir;
  if (disk->source) {
    const auto& source = *disk->source;
    if (source.type != resources::DiskSource::Type::Path && source.type != resources::DiskSource::Type::Mount)
      return base::unsupported("volumes on BLOCK and RAW disks are not supported by this build");
    place.whole_disk = source.type == resources::DiskSource::Type::Mount;
    const auto& root = place.whole_disk ? source.mount : source.path;
    if (!root || !root->root || root->root->empty()) return base::invalid("the volume's disk names no root directory");
    place.root = root->root->front() == '/' ? *root->root : work_dir + "/" + *root->root;
    place.disk = disk_name(volume);
    if (place.whole_disk && source.id) place.root = storage::target_path(place.root, *source.id);
  }
  if (place.whole_disk) {
    place.path = place.root;
    return place;
  }
  std::string role = volume.reservation_role();
  std::replace(role.begin(), role.end(), '/', ' ');
  if (!is_file_name(*disk->persistence_id) || !is_file_name(role))
    return base::invalid("the persistence id '" + *disk->persistence_id + "' of role '" + role + "' cannot be a file name");
  place.path = place.root + "/volumes/roles/" + role + "/" + *disk->persistence_id;
  return place;
}

std::vector<std::string> volume_roots(const std::string& work_dir, const resources::Resources& resources) {
  std::set<std::string> out{work_dir};
  for (const auto& resource : resources) {
    const auto& disk = resource.kind.data().disk;
    if (!disk || !disk->source || disk->source->type != resources::DiskSource::Type::Path) continue;
    const auto& path = disk->source->path;
    if (path && path->root && !path->root->empty())
      out.insert(path->root->front() == '/' ? *path->root : work_dir + "/" + *path->root);
  }
  return {out.begin(), out.end()};
}

base::Result<containerizer::VolumeMount> volume_mount(const std::string& work_dir, const mesos::v1::Resource& volume) {
  ASSIGN_OR_RETURN(const resources::Resource parsed, resources::from_proto(volume));
  ASSIGN_OR_RETURN(const VolumePlace place, volume_place(work_dir, parsed.kind));
  const auto& use = volume.disk().volume();
  return containerizer::VolumeMount{place.path,           use.container_path(), use.mode() == mesos::v1::Volume::RO,
                                    parsed.kind.shared(), volume.disk().persistence().id(),
                                    static_cast<uint64_t>(volume.scalar().value() * (1 << 20))};
}

}  // namespace agent
