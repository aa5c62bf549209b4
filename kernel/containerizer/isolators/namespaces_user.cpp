// namespaces/user: a container's processes have ids of their own: 65536 of the machine's, that no other container and none
// of the machine's users has. Files keep their owners on the disk: what is mounted is shown with the container's ids.

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/numbers.hpp"
#include "kernel/containerizer/launch/user_space.hpp"

namespace containerizer {
namespace {

/// Docker's options for a tmpfs name owners as the container has them; the kernel is told them as the machine has them.
Result<std::string> with_machine_ids(const std::string& options, uint32_t first_id) {
  std::string out;
  for (const auto option : base::tokenize(options, ',')) {
    out += out.empty() ? "" : ",";
    if (!option.starts_with("uid=") && !option.starts_with("gid=")) {
      out += option;
      continue;
    }
    const auto id = base::parse_uint(option.substr(4));
    if (!id || *id >= launch::kIdsOfContainer)
      return base::invalid("the tmpfs option '" + std::string(option) + "' must have a number below 65536");
    out += std::string(option.substr(0, 4)) + std::to_string(first_id + *id);
  }
  return out;
}

bool overlay_takes_mapped_layers() {
  utsname kernel{};
  int major = 0, minor = 0;
  if (uname(&kernel) != 0 || sscanf(kernel.release, "%d.%d", &major, &minor) != 2) return true;
  return major > 5 || (major == 5 && minor >= 19);
}

class NamespacesUser final : public Isolator {
 public:
  explicit NamespacesUser(const IsolatorOptions& options)
      : blocks_(firsts(options.userns_first_id, options.userns_containers), "user_ids", true),
        given_(options.work_directory),
        work_directory_(without_links(options.work_directory)) {}

  std::string_view name() const override { return "namespaces/user"; }

  Status plan(const ContainerSpec& spec, launch::LaunchOrder& order) const override {
    // Of a container that runs, for what is run inside it.
    if (const auto held = blocks_.held_by(spec.id); !held.empty()) order.first_id = held[0];
    return {};
  }

  Status prepare(const Preparing& container, Prepared& out) override {
    launch::LaunchOrder& order = out.order;
    if (order.root && order.root->privileged) return {};  // which is to be root on the machine
    const bool layers = !order.volumes.empty() || (order.root && !order.root->layers.empty());
    if (layers && !overlay_takes_mapped_layers())
      return base::unsupported("images need Linux 5.19 for it; --image_provisioner_backend=copy works with this kernel");
    auto taken = blocks_.take(container.spec.id, container.runtime, 1);
    if (!taken) return taken.error().with_context("blocks of 65536 ids (--userns_containers)");
    order.first_id = taken->front();
    for (auto& mount : order.mounts)
      if (mount.type == "tmpfs") {
        ASSIGN_OR_RETURN(mount.source, with_machine_ids(mount.source, order.first_id));
      }
    if (!order.root) {
      // It sees the machine's files as one of the others, but for its sandbox.
      std::string sandbox = container.spec.sandbox;
      if (sandbox.starts_with(given_ + "/")) sandbox = work_directory_ + sandbox.substr(given_.size());
      launch::BindMount mount{sandbox, sandbox};
      mount.no_links = true;
      order.mounts.insert(order.mounts.begin(), std::move(mount));
    } else if (!order.root->writable.empty()) {
      RETURN_IF_ERROR(give(order.root->writable + "/upper", order.first_id));
    }
    for (const auto& volume : order.volumes) RETURN_IF_ERROR(give(volume.writable + "/upper", order.first_id));
    return {};
  }

  void recover(const ContainerSpec& spec, const std::string& runtime) override { blocks_.recover(spec.id, runtime); }
  void cleanup(const std::string& id, const std::string&) override { blocks_.give_back(id); }

 private:
  static Status give(const std::string& path, uint32_t id) {
    return chown(path.c_str(), id, id) == 0 ? Status() : Status(base::errno_error("chown " + path, errno));
  }

  static std::vector<uint32_t> firsts(uint32_t first_id, uint32_t count) {
    std::vector<uint32_t> out;
    for (uint32_t i = 0; i < count; ++i) out.push_back(first_id + i * launch::kIdsOfContainer);
    return out;
  }

  /// The operator's own links are followed, those that a task could have made are not.
  static std::string without_links(const std::string& path) {
    char real[PATH_MAX];
    return realpath(path.c_str(), real) == nullptr ? path : std::string(real);
  }

  NumberPool blocks_;
  std::string given_, work_directory_;
};

/// What the machine has to be able to, tried where sandboxes are.
Status probe(const IsolatorOptions& options) {
  pid_t holder = -1;
  const base::Fd space(launch::make_user_space(options.userns_first_id, &holder));
  const int error = errno;
  if (holder > 0) waitpid(holder, nullptr, 0);
  if (!space)
    return base::unsupported(std::string("namespaces/user: no user namespace can be made here: ") + strerror(error) +
                             (error == ENOSPC ? " (/proc/sys/user/max_user_namespaces)" : ""));
  const std::string& place = options.work_directory;
  const base::Fd directory(open(place.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return base::errno_error(place, errno);
  const base::Fd tree(launch::map_tree(directory.get(), space.get(), 0));
  if (!tree) return base::unsupported(std::string(launch::describe_unmapped(directory.get(), errno)) + " " + place);
  return {};
}

}  // namespace

Result<IsolatorPtr> make_namespaces_user(const IsolatorOptions& options, bool possible) {
  if (!possible)
    return base::unsupported("namespaces/user needs an agent that runs as root with --launcher=linux and filesystem/linux");
  RETURN_IF_ERROR(probe(options));
  return IsolatorPtr(std::make_unique<NamespacesUser>(options));
}

}  // namespace containerizer
