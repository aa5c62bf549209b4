#pragma once

// The original loads code by --modules; here the same names choose what is built in, with the same parameters.

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "kernel/containerizer/log_limits.hpp"
#include "kernel/oversubscription/qos.hpp"

namespace agent {

/// Name of a module -> its parameters in their order.
using Modules = std::map<std::string, std::vector<std::pair<std::string, std::string>>>;

/// From the JSON of --modules: {"libraries":[{"modules":[{"name":..,"parameters":[{"key":..,"value":..}]}]}]}. Files of
/// libraries are not looked at. A name that is not built in is an error that lists those that are.
base::Result<Modules> parse_modules(const std::string& json);

inline constexpr const char* kUriProfiles = "org_apache_mesos_UriDiskProfileAdaptor";
inline constexpr const char* kRotatingLogger = "org_apache_mesos_LogrotateContainerLogger";

/// `logger` is the flag --container_logger, empty for files without limit.
base::Result<containerizer::LogRules> log_rules(const std::string& logger, const Modules& modules);

/// Where the profiles of disks are, and how often one looks there.
struct ProfileSource {
  std::string place;  // path of a file, http:// or https://; empty: there are none
  base::Duration poll_interval = base::seconds(10);
  base::Duration max_random_wait = base::Duration{0};  // before a change counts
  bool remote() const { return place.starts_with("http"); }
};

/// `adaptor` is the flag --disk_profile_adaptor, empty for none.
base::Result<ProfileSource> disk_profiles(const std::string& adaptor, const Modules& modules);

/// The flags --resource_estimator and --qos_controller, empty for none.
base::Result<std::unique_ptr<oversubscription::Estimator>> resource_estimator(const std::string& name, const Modules& modules);
base::Result<std::unique_ptr<oversubscription::QosController>> qos_controller(const std::string& name, const Modules& modules);

}  // namespace agent
