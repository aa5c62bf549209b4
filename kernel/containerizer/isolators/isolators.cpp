#include "kernel/containerizer/isolators/isolators.hpp"

#include "base/strings.hpp"

namespace containerizer {
namespace {

using mesos::v1::Volume;

std::string needs(std::string_view what, std::string_view isolator) {
  return std::string(what) + " needs the isolator " + std::string(isolator) + ", which this agent's --isolation lacks";
}

struct Feature {
  const char* what;
  const char* isolator;
  bool (*asked)(const mesos::v1::ContainerInfo& info);
};

// What a container may ask for that an isolator has to give: silence would be a promise that is not kept.
constexpr Feature kFeatures[] = {
    {"rlimit_info", "posix/rlimits", [](const auto& info) { return info.has_rlimit_info(); }},
    {"linux_info.effective_capabilities", "linux/capabilities",
     [](const auto& info) { return info.linux_info().has_effective_capabilities() || info.linux_info().has_capability_info(); }},
    {"linux_info.bounding_capabilities", "linux/capabilities",
     [](const auto& info) { return info.linux_info().has_bounding_capabilities(); }},
    {"linux_info.seccomp", "linux/seccomp",
     [](const auto& info) { return info.linux_info().has_seccomp() && !info.linux_info().seccomp().unconfined(); }},
    {"linux_info.shm_size", "namespaces/ipc", [](const auto& info) { return info.linux_info().has_shm_size(); }},
    {"linux_info.ipc_mode PRIVATE", "namespaces/ipc",
     [](const auto& info) { return info.linux_info().ipc_mode() == mesos::v1::LinuxInfo::PRIVATE; }}};

struct Limited {
  const char* what;
  const char* isolator;
  bool (*asked)(const launch::LaunchOrder& order);
};

// The same of Docker's options for control groups.
constexpr Limited kLimited[] = {
    {"the docker parameter pids-limit", "cgroups/pids", [](const auto& order) { return order.pids.has_value(); }},
    {"the docker parameter cpuset-cpus", "cgroups/cpuset", [](const auto& order) { return !order.cpuset_cpus.empty(); }},
    {"the docker parameter cpuset-mems", "cgroups/cpuset", [](const auto& order) { return !order.cpuset_mems.empty(); }}};

const char* isolator_of(const Volume& volume) {
  if (volume.has_image()) return "volume/image";
  switch (volume.source().type()) {
    case Volume::Source::SANDBOX_PATH: return "volume/sandbox_path";
    case Volume::Source::SECRET: return "volume/secret";
    case Volume::Source::CSI_VOLUME: return "volume/csi";
    default: return "volume/host_path";
  }
}

}  // namespace

Result<std::shared_ptr<Isolators>> Isolators::make(const Isolation& isolation, const IsolatorOptions& options,
                                                   bool linux_launcher) {
  auto out = std::make_shared<Isolators>();
  const auto add = [&](bool possible, IsolatorPtr isolator) {
    if (possible && isolation.has(isolator->name())) out->all_.push_back(std::move(isolator));
  };
  const bool mounts = linux_launcher && isolation.has("filesystem/linux");
  const bool all_groups = isolation.has("cgroups/all");
  add(true, make_posix_rlimits());
  add(linux_launcher, make_linux_capabilities(options));
  add(true, make_linux_nnp());
  add(linux_launcher, make_namespaces_ipc(options));
  add(linux_launcher, make_namespaces_pid(options));
  add(mounts, make_linux_devices(options));
  add(mounts, make_volume_sandbox_path());
  add(mounts, make_volume_host_path(options));
  add(mounts, make_volume_image());
  add(mounts, make_volume_csi());
  add(mounts, make_volume_secret(options));
  add(linux_launcher, make_linux_seccomp(options));
  add(true, make_environment_secret(options));
  add(true, make_disk_du(options));
  if (linux_launcher && isolation.has("disk/xfs")) {
    ASSIGN_OR_RETURN(auto xfs, make_disk_xfs(options));
    out->all_.push_back(std::move(xfs));
  }
  add(linux_launcher, make_gpu_nvidia(options));
  if (isolation.has("namespaces/user")) {
    ASSIGN_OR_RETURN(auto user, make_namespaces_user(options, mounts));
    out->all_.push_back(std::move(user));
  }
  // Last: they count what the others have added.
  add(linux_launcher, make_cgroups_pids(options));
  const auto add_group = [&](IsolatorPtr isolator) {
    if (linux_launcher && (all_groups || isolation.has(isolator->name()))) out->all_.push_back(std::move(isolator));
  };
  add_group(make_cgroups_cpuset());
  add_group(make_cgroups_net_cls(options));
  add_group(make_cgroups_devices(options));
  return out;
}

std::vector<std::string> Isolators::names() const {
  std::vector<std::string> out;
  for (const auto& isolator : all_) out.emplace_back(isolator->name());
  return out;
}

bool Isolators::has(std::string_view name) const {
  for (const auto& isolator : all_)
    if (isolator->name() == name) return true;
  return false;
}

Status Isolators::plan(const ContainerSpec& spec, launch::LaunchOrder& order) const {
  if (spec.container)
    for (const auto& feature : kFeatures)
      if (feature.asked(*spec.container) && !has(feature.isolator))
        return base::unsupported(needs(feature.what, feature.isolator));
  for (const auto& limited : kLimited)
    if (limited.asked(order) && !has(limited.isolator)) return base::unsupported(needs(limited.what, limited.isolator));
  for (const auto& isolator : all_) RETURN_IF_ERROR(isolator->plan(spec, order));
  return {};
}

Status Isolators::plan_volumes(const VolumePlace& place, launch::LaunchOrder& order) const {
  for (const auto& volume : place.spec.container->volumes()) {
    const std::string where = "volume " + base::valid_utf8(volume.container_path());
    if (volume.container_path().empty()) return base::invalid("a volume has no container_path");
    if ((volume.has_host_path() ? 1 : 0) + (volume.has_image() ? 1 : 0) + (volume.has_source() ? 1 : 0) != 1)
      return base::invalid(where + ": exactly one of host_path, image and source must be set");
    bool taken = false;
    for (const auto& isolator : all_) {
      auto answer = isolator->plan_volume(volume, place, order);
      if (!answer) return answer.error().with_context(where);
      taken = *answer;
      if (taken) break;
    }
    if (taken) continue;
    const char* wanted = isolator_of(volume);
    if (!has(wanted))
      return base::unsupported(where + ": " + needs("it", wanted) + ": volumes need an agent that runs as root with filesystem/linux");
    return base::unsupported(where + ": volumes of type " + Volume::Source::Type_Name(volume.source().type()) +
                             " are not supported by this build");
  }
  return {};
}

Status Isolators::add_environment(const mesos::v1::CommandInfo& command, std::map<std::string, std::string>& environment) const {
  for (const auto& isolator : all_) RETURN_IF_ERROR(isolator->add_environment(command, environment));
  return {};
}

Status Isolators::prepare(const Preparing& container, Prepared& out) {
  for (const auto& isolator : all_)
    if (Status done = isolator->prepare(container, out); !done) return done.error().with_context(isolator->name());
  return {};
}

void Isolators::recover(const ContainerSpec& spec, const std::string& runtime) {
  for (const auto& isolator : all_) isolator->recover(spec, runtime);
}

void Isolators::cleanup(const std::string& id, const std::string& runtime) {
  for (auto isolator = all_.rbegin(); isolator != all_.rend(); ++isolator) (*isolator)->cleanup(id, runtime);
}

std::vector<Breach> Isolators::watch(const std::vector<Watched>& containers) {
  std::vector<Breach> out;
  for (const auto& isolator : all_)
    for (auto& breach : isolator->watch(containers)) out.push_back(std::move(breach));
  return out;
}

void Isolators::measure(const std::string& id, mesos::v1::ResourceStatistics& out) const {
  for (const auto& isolator : all_) isolator->measure(id, out);
}

}  // namespace containerizer
