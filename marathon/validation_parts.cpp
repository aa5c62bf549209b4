// Rules of what apps and pods ask of their agents: disks, logins of registries, namespaces, checks.

#include <fmt/format.h>

#include "marathon/constraints.hpp"
#include "marathon/definition_fields.hpp"
#include "marathon/validation.hpp"

namespace marathon {

void validate_persistent_disk(const PersistentDisk& disk, const std::string& path, Violations& out) {
  if (disk.size_mb <= 0) out.add(path + "/size", fmt::format("got {}, expected more than 0", disk.size_mb));
  if (disk.type != DiskType::Mount && disk.max_size_mb) out.add(path, "Only mount volumes can have maxSize");
  if (disk.max_size_mb && *disk.max_size_mb <= disk.size_mb) out.add(path, "Max size must be larger than size");
  if (disk.profile_name && disk.profile_name->empty()) out.add(path + "/profileName", "must not be empty");
  if (disk.type == DiskType::Root && !disk.constraints.empty()) out.add(path, "Constraints on root volumes are not supported");
  if (disk.type == DiskType::Root && disk.profile_name) {
    out.add(path + "/type", "root disks have no profiles: leave the type out, or give 'mount' or 'path'");
  }
  for (size_t i = 0; i < disk.constraints.size(); ++i) {
    const Constraint& constraint = disk.constraints[i];
    const std::string at = fmt::format("{}/constraints({})", path, i);
    if (constraint.op != ConstraintOperator::Like && constraint.op != ConstraintOperator::Unlike) {
      out.add(at, "Operator must be one of LIKE, UNLIKE");
    } else if (!is_pattern(constraint.value.value_or(""))) {
      out.add(at, "Invalid regular expression");
    }
  }
}

void validate_linux_info(const std::optional<LinuxInfo>& info, bool executor, const std::string& path, Violations& out) {
  if (!info) return;
  if (info->seccomp) {
    const bool profile = info->seccomp->profile_name.has_value();
    if (executor) {
      out.add(path + "/seccomp", "Seccomp configuration on executor level is not supported");
    } else if (profile && info->seccomp->unconfined) {
      out.add(path + "/seccomp", "Seccomp unconfined can NOT be true when Profile is defined");
    } else if (!profile && !info->seccomp->unconfined) {
      out.add(path + "/seccomp", "Seccomp unconfined must be true when Profile is NOT defined");
    }
  }
  if (info->ipc && info->ipc->share_parent && info->ipc->shm_size_mb) {
    out.add(path + "/ipcInfo", "ipcInfo shmSize can NOT be set when mode is SHARE_PARENT");
  }
}

void validate_pull_secret(const std::string& secret, const App& app, const ValidationPolicy& policy, const std::string& path,
                          Violations& out) {
  if (secret.empty()) return;
  if (!policy.secrets) out.add(path, kNoSecrets);
  if (!app.secrets.contains(secret)) out.add(path, "pullConfig.secret must refer to an existing secret");
}

void validate_check(const App& app, Violations& out) {
  if (!app.check) return;
  if (app.container && app.container->type == ContainerType::Docker) {
    out.add("/", "AppDefinition must not use 'checks' if using docker");
  }
  if (app.check->kind == CheckKind::Command) return;
  if (app.check->port && app.check->port_index) out.add("/check", "Check must specify either a port or a portIndex");
  if (!app.check->port && static_cast<size_t>(app.check->port_index.value_or(0)) >= port_count(app)) {
    out.add("/check", "check port index must address an element of the ports array or container port mappings.");
  }
}

}  // namespace marathon
