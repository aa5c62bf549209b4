#pragma once

// Reading and writing of what definitions of apps and of pods have in common. Internal to the readers and writers of
// this folder.

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "marathon/app.hpp"
#include "marathon/json_fields.hpp"

namespace base::json {
class Writer;
}

namespace marathon {

// No machine is that large; beyond it thousandths would not fit their type.
inline constexpr double kMaxAmount = 1e12;
inline constexpr int64_t kMaxPort = 65535;

inline constexpr const char* kNoSecrets = "Feature secrets is not enabled. Enable with --enable_features secrets)";
inline constexpr const char* kOperators =
    "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS";

void read_networks(const Fields& fields, std::vector<Network>& out);

/// Variables in the member `name`: texts, and {"secret": <name>}.
void read_environment(const Fields& fields, std::string_view name, std::map<std::string, std::string>& out, Secrets& secrets);

/// {"secrets": {<name>: {"source": <source>}}}
void read_secrets(const Fields& fields, Secrets& out);
void read_fetch(const Fields& fields, std::string_view name, std::vector<FetchUri>& out);
void read_unreachable_strategy(const Fields& fields, UnreachableStrategy& out);
void read_resource_limits(const Fields& fields, std::optional<ResourceLimits>& out);
PersistentDisk read_persistent(const Fields& fields, Violations& rules);
void read_linux_info(const Fields& fields, std::optional<LinuxInfo>& out);
/// The command of a check or of a container.
void read_command(const Fields& fields, CommandLine& out);
/// `pod`: ports are named as endpoints are.
void read_check(const Fields& fields, bool pod, std::optional<Check>& out, Violations& rules);
/// {"pullConfig": {"secret": <name>}}
void read_pull_config(const Fields& fields, std::string& secret);
void read_executor_resources(const Fields& fields, ExecutorResources& out);
void read_deployment_rules(const Fields& fields, DeploymentRules& out);
void read_versions(const Fields& fields, App& app);

void write_labels(base::json::Writer& w, std::string_view key, const Labels& labels);
void write_environment(base::json::Writer& w, std::string_view key, const std::map<std::string, std::string>& env,
                       const Secrets& secrets);
void write_secrets(base::json::Writer& w, const Secrets& secrets);
void write_strings(base::json::Writer& w, std::string_view key, const std::vector<std::string>& values);
void write_number_field(base::json::Writer& w, std::string_view key, double number);
void write_networks(base::json::Writer& w, const std::vector<Network>& networks);
void write_fetch(base::json::Writer& w, std::string_view key, const std::vector<FetchUri>& list);
void write_limits(base::json::Writer& w, const ResourceLimits& limits);
void write_unreachable_strategy(base::json::Writer& w, const UnreachableStrategy& strategy);
/// [[field, operator, value?], ...]
void write_constraints(base::json::Writer& w, const std::vector<Constraint>& constraints);
void write_persistent(base::json::Writer& w, const PersistentDisk& disk);
void write_linux_info(base::json::Writer& w, const LinuxInfo& info);
void write_command(base::json::Writer& w, const CommandLine& command);
void write_check(base::json::Writer& w, const Check& check);
void write_pull_config(base::json::Writer& w, const std::string& secret);
void write_executor_resources(base::json::Writer& w, const ExecutorResources& resources);
void write_deployment_rules(base::json::Writer& w, const DeploymentRules& rules);
void write_versions(base::json::Writer& w, const App& app);

}  // namespace marathon
