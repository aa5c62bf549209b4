#pragma once

// From what Marathon 1.5 to 1.11 keeps in ZooKeeper to our records (pure): framework id, groups, definitions with their
// versions, last failures, and the instances with their tasks and reservations, so that running tasks are taken over and go
// on and volumes keep their data.

#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <boost/json/fwd.hpp>

#include "base/result.hpp"
#include "marathon/instance.hpp"

namespace marathon::original {

class ServiceDefinition;

/// Nodes by their path below "<path>/state": "apps/3/a_b", "apps/3/a_b/<version>", "group/5/root", ...; those of the
/// first level also when they are empty, of the others only those with data.
using Nodes = std::map<std::string, std::string>;

struct Import {
  std::vector<std::pair<std::string, std::string>> records;  // in order of their keys; the same nodes give the same
  size_t groups = 0, apps = 0, pods = 0, versions = 0, instances = 0, reservations = 0;

  /// Apps, pods and tasks that could not be taken, with the reason: the tasks would be unknown here and be ended.
  std::vector<std::string> lost;

  /// What else is left behind, and what is to be done about it; no task is touched by it.
  std::vector<std::string> left_out;
};

/// `role`: what --mesos_role of the original was, for what it stored before it had roles. An error means that nothing may
/// be taken: no state of a known layout, tasks without a framework id, or volumes that a scheduler without their
/// instances would give back.
base::Result<Import> convert(const Nodes& nodes, const std::string& role = "*");

/// A definition as the API would be given it.
boost::json::object definition_of(const ServiceDefinition& service, const std::string& default_role);

/// The definitions that instances may run, by version; the newest is the one in force.
using Definitions = std::map<Version, App>;

/// The app's or pod's id of a stored instance, by its name.
std::optional<PathId> owner_of(const std::string& instance_id);

/// A stored instance as ours. Absent when there is nothing to be taken over: its task has ended, or waits to be launched,
/// and it holds no reservation. Tells in `definitions` what it may run.
base::Result<std::optional<Instance>> instance_of(const boost::json::object& stored, const Definitions& definitions,
                                                  const std::string& default_role);

}  // namespace marathon::original
