// disk/xfs: space of sandboxes counted and limited by XFS itself, by project. With --enforce_container_disk_quota writes
// beyond `disk` fail; with --xfs_kill_containers the container ends.

#include <errno.h>
#include <fcntl.h>
#include <linux/dqblk_xfs.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/quota.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "base/file.hpp"
#include "base/log.hpp"
#include "base/numbers.hpp"
#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/numbers.hpp"

namespace containerizer {
namespace {

constexpr uint64_t kBlock = 512;
constexpr int kProjectQuota = 2;
constexpr unsigned long kXfsMagic = 0x58465342;

int quota_command(int command) { return QCMD(command, kProjectQuota); }

/// The calls take a descriptor of the file system, so that no device has to be found.
int quota(int file, int command, uint32_t project, void* data) {
  return static_cast<int>(syscall(SYS_quotactl_fd, file, quota_command(command), project, data));
}

Status set_project(int directory, uint32_t project) {
  fsxattr attributes{};
  if (ioctl(directory, FS_IOC_FSGETXATTR, &attributes) != 0) return base::errno_error("reading the sandbox's project", errno);
  attributes.fsx_projid = project;
  attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
  if (ioctl(directory, FS_IOC_FSSETXATTR, &attributes) != 0) return base::errno_error("setting the sandbox's project", errno);
  return {};
}

std::vector<uint32_t> range(uint32_t first, uint32_t last) {
  std::vector<uint32_t> out;
  for (uint32_t number = first; number <= last; ++number) out.push_back(number);
  return out;
}

class DiskXfs final : public Isolator {
 public:
  DiskXfs(const IsolatorOptions& options, base::Fd work_directory)
      : options_(options),
        directory_(std::move(work_directory)),
        projects_(range(options.first_project, options.last_project), kXfsProjectFile) {}

  std::string_view name() const override { return "disk/xfs"; }

  Status prepare(const Preparing& container, Prepared&) override {
    ASSIGN_OR_RETURN(const auto taken, projects_.take(container.spec.id, container.runtime, 1));
    const base::Fd sandbox(open(container.spec.sandbox.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!sandbox) return base::errno_error(container.spec.sandbox, errno);
    RETURN_IF_ERROR(limit(taken[0], container.spec.disk));
    return set_project(sandbox.get(), taken[0]);
  }

  void recover(const ContainerSpec& spec, const std::string& runtime) override { projects_.recover(spec.id, runtime); }

  // The number goes back to the others: what a sandbox still holds counts for it until it is collected, so its limit is
  // lifted and the next owner's is set anew.
  void cleanup(const std::string& id, const std::string&) override {
    for (const uint32_t project : projects_.held_by(id))
      if (Status lifted = limit(project, 0); !lifted) LOG_WARNING("container {}: {}", id, lifted.error().message);
    projects_.give_back(id);
    const std::lock_guard guard(mutex_);
    limits_.erase(id);
  }

  std::vector<Breach> watch(const std::vector<Watched>& containers) override {
    std::vector<Breach> out;
    for (const auto& container : containers) {
      {
        const std::lock_guard guard(mutex_);
        limits_[container.id] = container.disk;
      }
      const auto used = used_by(container.id);
      if (options_.enforce_disk && options_.xfs_kill && used && container.disk > 0 && *used > container.disk)
        out.push_back({container.id, *used, "Disk usage (" + base::render_bytes(*used) + ") exceeds quota (" +
                                                base::render_bytes(container.disk) + ")"});
    }
    return out;
  }

  void measure(const std::string& id, mesos::v1::ResourceStatistics& out) const override {
    const auto used = used_by(id);
    if (!used) return;
    out.set_disk_used_bytes(*used);
    const std::lock_guard guard(mutex_);
    if (const auto found = limits_.find(id); found != limits_.end() && found->second > 0)
      out.set_disk_limit_bytes(found->second);
  }

 private:
  Status limit(uint32_t project, uint64_t bytes) const {
    fs_disk_quota wanted{};
    wanted.d_version = FS_DQUOT_VERSION;
    wanted.d_id = project;
    wanted.d_flags = FS_PROJ_QUOTA;
    wanted.d_fieldmask = FS_DQ_BSOFT | FS_DQ_BHARD;
    if (options_.enforce_disk && bytes > 0) {
      wanted.d_blk_softlimit = bytes / kBlock;
      wanted.d_blk_hardlimit = (bytes + (options_.xfs_kill ? options_.xfs_headroom : 0)) / kBlock;
    }
    if (quota(directory_.get(), Q_XSETQLIM, project, &wanted) != 0) return base::errno_error("setting the disk quota", errno);
    return {};
  }

  std::optional<uint64_t> used_by(const std::string& id) const {
    const auto held = projects_.held_by(id);
    fs_disk_quota found{};
    if (held.empty() || quota(directory_.get(), Q_XGETQUOTA, held[0], &found) != 0) return std::nullopt;
    return static_cast<uint64_t>(found.d_bcount) * kBlock;
  }

  IsolatorOptions options_;
  base::Fd directory_;
  NumberPool projects_;
  mutable std::mutex mutex_;
  std::map<std::string, uint64_t> limits_;
};

}  // namespace

std::optional<uint32_t> limited_xfs_project(const std::string& path) {
  const base::Fd directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct statfs info;
  fsxattr attributes{};
  if (!directory || fstatfs(directory.get(), &info) != 0 || static_cast<unsigned long>(info.f_type) != kXfsMagic ||
      ioctl(directory.get(), FS_IOC_FSGETXATTR, &attributes) != 0 || attributes.fsx_projid == 0)
    return std::nullopt;
  fs_disk_quota found{};
  if (quota(directory.get(), Q_XGETQUOTA, attributes.fsx_projid, &found) != 0 || found.d_blk_hardlimit == 0) return std::nullopt;
  return attributes.fsx_projid;
}

Result<IsolatorPtr> make_disk_xfs(const IsolatorOptions& options) {
  const std::string what = "the isolator disk/xfs: the work directory " + options.work_directory;
  base::Fd directory(open(options.work_directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::errno_error(what, errno);
  struct statfs info;
  if (fstatfs(directory.get(), &info) != 0) return base::errno_error(what, errno);
  if (static_cast<unsigned long>(info.f_type) != kXfsMagic) return base::unsupported(what + " is not on XFS; use disk/du");
  fs_quota_statv state{};
  state.qs_version = FS_QSTATV_VERSION1;
  const bool read = quota(directory.get(), Q_XGETQSTATV, 0, &state) == 0;
  if (!read || (state.qs_flags & FS_QUOTA_PDQ_ENFD) == 0)
    return base::unsupported(what + " is on an XFS that does not count projects; mount it with prjquota");
  return IsolatorPtr(std::make_unique<DiskXfs>(options, std::move(directory)));
}

}  // namespace containerizer
