#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "marathon/app.hpp"
#include "marathon/instance.hpp"
#include "marathon/matcher.hpp"
#include "marathon/policy.hpp"

namespace mesos::v1 {
class CheckInfo;
class CommandInfo;
class ExecutorInfo;
class Image_Docker;
class LinuxInfo;
class Resource;
class TaskInfo;
class Volume;
}

namespace marathon {

/// The task's environment: context, then ports, then the app's own variables; later ones win.
std::map<std::string, std::string> task_environment(const App& app, const Instance& instance,
                                                    const Placement& placement,
                                                    const std::string& prefix, bool enforce_role);

/// Everything that the kernel needs to run the instance. `resources`: see launch_resources().
void build_task(const App& app, const Instance& instance, const Placement& placement, const Offer& offer,
                const std::vector<mesos::v1::Resource>& resources, const std::string& framework, const Policy& policy,
                bool enforce_role, mesos::v1::TaskInfo& out);

// What the tasks of apps and the containers of pods have in common.

/// A text as part of a variable's name: capitals, with "_" for runs of anything else.
std::string variable_name(std::string_view text);

/// MARATHON_APP_LABELS and one variable for each label.
void add_label_variables(const Labels& labels, std::map<std::string, std::string>& env);

/// The variables that get secrets, whose values the agent looks up.
void add_secret_variables(const App& app, const Secrets& variables, mesos::v1::CommandInfo& command);

/// Makes the volume a file with the app's secret of that name.
void set_secret_file(const App& app, const std::string& secret, mesos::v1::Volume& volume);

/// Logins of registries that are in the app's secret of that name.
void set_pull_secret(const App& app, const std::string& secret, mesos::v1::Image_Docker& image);

void set_linux_info(const LinuxInfo& info, mesos::v1::LinuxInfo& out);

/// `port`: where HTTP and TCP are spoken.
void set_check(const Check& check, uint32_t port, mesos::v1::CheckInfo& out);

void add_uris(const std::vector<FetchUri>& list, mesos::v1::CommandInfo& command);

}  // namespace marathon
