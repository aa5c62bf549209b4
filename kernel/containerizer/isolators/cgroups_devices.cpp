// cgroups/devices: which devices a container may use, whatever nodes it has or makes.

#include <errno.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

using cgroups::DeviceRule;

/// Terminals, sources of nothing and of random bytes, tunnels, and the making of any node, which alone is of no use.
const std::vector<DeviceRule>& basic_rules() {
  static const std::vector<DeviceRule> kRules = {{'c', {}, {}, "m"}, {'b', {}, {}, "m"}, {'c', 1, 3}, {'c', 1, 5},
                                                 {'c', 1, 7},        {'c', 1, 8},        {'c', 1, 9}, {'c', 4, 0},
                                                 {'c', 4, 1},        {'c', 5, 0},        {'c', 5, 1}, {'c', 5, 2},
                                                 {'c', 136, {}},     {'c', 10, 200}};
  return kRules;
}

std::string letters(const mesos::v1::DeviceAccess::Access& access) {
  return std::string(access.read() ? "r" : "") + (access.write() ? "w" : "") + (access.mknod() ? "m" : "");
}

/// Nothing when there is no such device now.
std::optional<DeviceRule> rule_of(const std::string& path, const std::string& access) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0 || (!S_ISCHR(info.st_mode) && !S_ISBLK(info.st_mode))) return std::nullopt;
  return DeviceRule{S_ISBLK(info.st_mode) ? 'b' : 'c', major(info.st_rdev), minor(info.st_rdev), access};
}

class CgroupsDevices final : public Isolator {
 public:
  explicit CgroupsDevices(const IsolatorOptions& options) : allowed_(options.allowed_devices) {}

  std::string_view name() const override { return "cgroups/devices"; }

  Status prepare(const Preparing&, Prepared& out) override {
    if (out.order.root && out.order.root->privileged) return {};
    std::vector<DeviceRule> rules = basic_rules();
    for (const auto& item : allowed_.allowed_devices()) {
      const std::string access = letters(item.access());
      if (access.empty()) continue;
      if (item.device().has_number()) {
        rules.push_back({'c', static_cast<uint32_t>(item.device().number().major_number()),
                         static_cast<uint32_t>(item.device().number().minor_number()), access});
      } else if (auto rule = rule_of(item.device().path(), access)) {
        rules.push_back(std::move(*rule));
      }
    }
    for (const auto& path : out.devices) {
      auto rule = rule_of(path, "rw");
      if (!rule) return base::not_found("there is no device " + path);
      rules.push_back(std::move(*rule));
    }
    for (const auto& mount : out.order.mounts)
      if (mount.device)
        if (auto rule = rule_of(mount.source, "rw")) rules.push_back(std::move(*rule));
    out.limits.devices = std::move(rules);
    return {};
  }

 private:
  mesos::v1::DeviceWhitelist allowed_;
};

}  // namespace

IsolatorPtr make_cgroups_devices(const IsolatorOptions& options) { return std::make_unique<CgroupsDevices>(options); }

}  // namespace containerizer
