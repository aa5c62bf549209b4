// linux/seccomp: which system calls a container may make.

#include <map>
#include <mutex>

#include "base/file.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/isolators/make.hpp"
#include "kernel/containerizer/isolators/seccomp_profile.hpp"

namespace containerizer {
namespace {

constexpr const char* kBuiltIn = "default";
constexpr uint64_t kMaxProfile = 4 << 20;
constexpr size_t kMaxRemembered = 64;

class LinuxSeccomp final : public Isolator {
 public:
  explicit LinuxSeccomp(const IsolatorOptions& options)
      : directory_(options.seccomp_directory), profile_(options.seccomp_profile) {}

  std::string_view name() const override { return "linux/seccomp"; }

  Status plan(const ContainerSpec& spec, launch::LaunchOrder& order) const override {
    std::string profile = profile_;
    const bool docker = spec.container && spec.container->type() == mesos::v1::ContainerInfo::DOCKER;
    if (docker && profile.empty()) profile = kBuiltIn;
    if (order.seccomp_unconfined || (order.root && order.root->privileged)) profile.clear();
    if (spec.container && spec.container->linux_info().has_seccomp()) {
      const auto& asked = spec.container->linux_info().seccomp();
      if (asked.unconfined() && asked.has_profile_name())
        return base::invalid("linux_info.seccomp has both unconfined and profile_name; give one");
      if (asked.unconfined()) profile.clear();
      if (asked.has_profile_name()) profile = asked.profile_name();
    }
    if (profile.empty()) return {};
    ASSIGN_OR_RETURN(order.seccomp, program_of(profile, order.capabilities.value_or(~uint64_t{0})));
    return {};
  }

 private:
  Result<std::string> read_profile(const std::string& profile) const {
    if (profile.empty() || profile.find('/') != std::string::npos || profile == "." || profile == "..")
      return base::invalid("the seccomp profile '" + base::valid_utf8(profile) + "' must be a file name");
    if (!directory_.empty()) {
      auto text = base::read_file(directory_ + "/" + profile, kMaxProfile);
      if (text || text.error().code != base::Code::NotFound || profile != kBuiltIn) return text;
    }
    if (profile == kBuiltIn) return std::string(default_seccomp_profile());
    return base::unsupported("the seccomp profile '" + base::valid_utf8(profile) +
                             "' needs a directory of profiles (--seccomp_config_dir)");
  }

  Result<std::string> program_of(const std::string& profile, uint64_t capabilities) const {
    ASSIGN_OR_RETURN(std::string text, read_profile(profile));
    const auto key = std::pair(std::move(text), capabilities);
    {
      const std::lock_guard guard(mutex_);
      if (const auto known = programs_.find(key); known != programs_.end()) return known->second;
    }
    auto program = compile_seccomp(key.first, capabilities);
    if (!program) return program.error().with_context("the seccomp profile '" + base::valid_utf8(profile) + "'");
    const std::lock_guard guard(mutex_);
    if (programs_.size() >= kMaxRemembered) programs_.clear();
    programs_[key] = *program;
    return program;
  }

  std::string directory_, profile_;
  mutable std::mutex mutex_;
  mutable std::map<std::pair<std::string, uint64_t>, std::string> programs_;  // by text and capabilities
};

}  // namespace

IsolatorPtr make_linux_seccomp(const IsolatorOptions& options) { return std::make_unique<LinuxSeccomp>(options); }

}  // namespace containerizer
