#pragma once

// The state of an original Marathon, built as it keeps it: two apps in a tree, one with a volume, a pod, and their tasks.

#include <string>
#include <vector>

#include "marathon/import/read.hpp"
#include "marathon/policy.hpp"

namespace google::protobuf {
class Message;
}
namespace mesos::v1 {
enum TaskState : int;
}

namespace marathon::original {

class Reference;
class ServiceDefinition;

// As the original writes times of definitions into ids: without a fraction that is zero.
inline constexpr const char* kOld = "2019-03-01T10:00:00Z";
inline constexpr const char* kNew = "2019-03-02T10:00:00.250Z";
inline constexpr const char* kUuid = "5a1b9c4e-0000-11e9-8d3f-0242ac110002";
inline const std::string kWeb = std::string("web_front.instance-") + kUuid;
inline const std::string kTask = kWeb + "._app.3";
inline const std::string kDisk = std::string("disk.instance-") + kUuid;
inline const std::string kPair = std::string("pair.instance-") + kUuid;

/// Tasks are in the role that Marathon was started with.
inline const std::string kRole = "store";

Policy policy();
bool contains(const std::string& text, const std::string& part);
std::string joined(const std::vector<std::string>& lines);

std::string version_node(uint32_t major, uint32_t minor = 0, uint32_t patch = 0, uint32_t format = 1);
void put_resources(ServiceDefinition& app, double cpus, double mem);
ServiceDefinition web(const char* version, const std::string& command);
ServiceDefinition database();
ServiceDefinition disk(uint32_t instances = 1);
std::string pair();

/// In base64, as instances hold them.
std::string base64(const google::protobuf::Message& message);
std::string status(const std::string& task, mesos::v1::TaskState state);
std::string running(const std::string& task);
std::string rack(const std::string& value);

std::string task(const std::string& id, const std::string& version, const std::string& condition, const std::string& ports,
                 const std::string& more = "");
std::string instance(const std::string& id, const std::string& version, const std::string& tasks, const std::string& state,
                     const std::string& more = "");
inline constexpr const char* kRunning = R"("condition":"Running","goal":"Running")";
std::string reservation(const std::string& name, const std::string& more = "");
void refer(Reference* reference, const char* id, const char* version);

/// All of it together, as it lies in ZooKeeper.
Nodes state();

}  // namespace marathon::original
