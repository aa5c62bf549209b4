// disk/du: how much space sandboxes and persistent volumes take, by looking at every file; with --enforce_container_disk_quota
// a container that takes more than its `disk` ends.

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <map>
#include <mutex>
#include <set>

#include "base/file.hpp"
#include "base/numbers.hpp"
#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

constexpr int kMaxDepth = 256;

using Inodes = std::set<std::pair<dev_t, ino_t>>;

/// Bytes on disk of what `directory` (which is closed) holds. A file with several names counts once; other file systems
/// and links are not entered.
uint64_t measure_directory(int directory, dev_t device, Inodes& seen, int depth) {
  DIR* stream = fdopendir(directory);
  if (stream == nullptr) {
    close(directory);
    return 0;
  }
  uint64_t total = 0;
  while (const dirent* entry = readdir(stream)) {
    const std::string_view name = entry->d_name;
    struct stat info;
    if (name == "." || name == ".." || fstatat(dirfd(stream), entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (info.st_dev != device) continue;
    if (info.st_nlink > 1 && !S_ISDIR(info.st_mode) && !seen.insert({info.st_dev, info.st_ino}).second) continue;
    total += static_cast<uint64_t>(info.st_blocks) * 512;
    if (!S_ISDIR(info.st_mode) || depth >= kMaxDepth) continue;
    const int below = openat(dirfd(stream), entry->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (below >= 0) total += measure_directory(below, device, seen, depth + 1);
  }
  closedir(stream);
  return total;
}

uint64_t measure_path(const std::string& path) {
  const int directory = open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  struct stat info;
  if (directory < 0) return 0;
  if (fstat(directory, &info) != 0) {
    close(directory);
    return 0;
  }
  Inodes seen;
  return static_cast<uint64_t>(info.st_blocks) * 512 + measure_directory(directory, info.st_dev, seen, 0);
}

std::string excess(uint64_t used, uint64_t limit) {
  return "Disk usage (" + base::render_bytes(used) + ") exceeds quota (" + base::render_bytes(limit) + ")";
}

class DiskDu final : public Isolator {
 public:
  explicit DiskDu(const IsolatorOptions& options) : enforce_(options.enforce_disk) {}

  std::string_view name() const override { return "disk/du"; }

  std::vector<Breach> watch(const std::vector<Watched>& containers) override {
    std::vector<Breach> out;
    for (const auto& container : containers) {
      Use use;
      use.used = measure_path(container.sandbox);
      use.limit = container.disk;
      std::optional<Breach> breach;
      if (use.limit > 0 && use.used > use.limit) breach = {container.id, use.used, excess(use.used, use.limit)};
      for (const auto& volume : container.volumes) {
        const uint64_t used = measure_path(volume.source);
        use.volumes.push_back({volume, used});
        if (!breach && volume.bytes > 0 && used > volume.bytes)
          breach = {container.id, used, excess(used, volume.bytes) + " of the persistent volume " + volume.container_path};
      }
      if (breach && enforce_) out.push_back(std::move(*breach));
      const std::lock_guard guard(mutex_);
      uses_[container.id] = std::move(use);
    }
    return out;
  }

  void cleanup(const std::string& id, const std::string&) override {
    const std::lock_guard guard(mutex_);
    uses_.erase(id);
  }

  void measure(const std::string& id, mesos::v1::ResourceStatistics& out) const override {
    const std::lock_guard guard(mutex_);
    const auto found = uses_.find(id);
    if (found == uses_.end()) return;
    const Use& use = found->second;
    out.set_disk_used_bytes(use.used);
    if (use.limit > 0) out.set_disk_limit_bytes(use.limit);
    for (const auto& [volume, used] : use.volumes) {
      auto* entry = out.add_disk_statistics();
      entry->mutable_persistence()->set_id(volume.persistence_id);
      entry->set_used_bytes(used);
      entry->set_limit_bytes(volume.bytes);
    }
  }

 private:
  struct Use {
    uint64_t used = 0, limit = 0;
    std::vector<std::pair<VolumeMount, uint64_t>> volumes{};
  };

  bool enforce_;
  mutable std::mutex mutex_;
  std::map<std::string, Use> uses_;  // by container
};

}  // namespace

IsolatorPtr make_disk_du(const IsolatorOptions& options) { return std::make_unique<DiskDu>(options); }

}  // namespace containerizer
