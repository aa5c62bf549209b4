// environment_secret: variables of type SECRET.

#include "kernel/containerizer/isolators/make.hpp"

namespace containerizer {
namespace {

using mesos::v1::Environment;

class EnvironmentSecret final : public Isolator {
 public:
  explicit EnvironmentSecret(const IsolatorOptions& options) : secrets_(options.secrets) {}

  std::string_view name() const override { return "environment_secret"; }

  Status plan(const ContainerSpec& spec, launch::LaunchOrder&) const override {
    for (const auto& variable : spec.command.environment().variables())
      if (variable.type() == Environment::Variable::SECRET)
        if (Status known = secrets::check(variable.secret(), secrets_.get()); !known)
          return known.error().with_context("environment variable " + variable.name());
    return {};
  }

  Status add_environment(const mesos::v1::CommandInfo& command, std::map<std::string, std::string>& out) const override {
    for (const auto& variable : command.environment().variables()) {
      if (variable.type() != Environment::Variable::SECRET) continue;
      auto value = secrets::resolve(variable.secret(), secrets_.get());
      if (value && value->find('\0') != std::string::npos) value = base::invalid("the secret contains a NUL character");
      if (!value) return value.error().with_context("environment variable " + variable.name());
      out[variable.name()] = std::move(*value);
    }
    return {};
  }

 private:
  std::shared_ptr<const secrets::Resolver> secrets_;
};

}  // namespace

IsolatorPtr make_environment_secret(const IsolatorOptions& options) { return std::make_unique<EnvironmentSecret>(options); }

}  // namespace containerizer
