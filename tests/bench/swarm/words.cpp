#include "tests/bench/swarm/words.hpp"

#include "base/loop.hpp"

namespace swarm {

namespace {

using dcos::internal::v1::AgentMessage;
using mesos::v1::AgentInfo;

template <class Message>
void fill(const AgentInfo& info, Message& message) {
  *message.mutable_agent_info() = info;
  message.set_version("1.12.0");
  for (const auto type : {AgentInfo::Capability::MULTI_ROLE, AgentInfo::Capability::HIERARCHICAL_ROLE,
                          AgentInfo::Capability::RESERVATION_REFINEMENT, AgentInfo::Capability::AGENT_DRAINING}) {
    message.add_capabilities()->set_type(type);
  }
}

}  // namespace

AgentInfo make_agent(const std::string& hostname, int port, double cpus, double mem_mb) {
  AgentInfo info;
  info.set_hostname(hostname);
  info.set_port(port);  // the master knows an agent by address and port
  for (const auto& [name, amount] : {std::pair("cpus", cpus), std::pair("mem", mem_mb)}) {
    auto* resource = info.add_resources();
    resource->set_name(name);
    resource->set_type(mesos::v1::Value::SCALAR);
    resource->mutable_scalar()->set_value(amount);
  }
  return info;
}

void describe(const AgentInfo& info, dcos::internal::v1::Register& message) { fill(info, message); }
void describe(const AgentInfo& info, dcos::internal::v1::Reregister& message) { fill(info, message); }

AgentMessage make_pong(const dcos::internal::v1::Ping& ping) {
  AgentMessage pong;
  pong.mutable_pong()->set_sequence(ping.sequence());
  return pong;
}

AgentMessage make_update(const mesos::v1::FrameworkID& framework, const mesos::v1::AgentID& agent, const mesos::v1::TaskID& task,
                         mesos::v1::TaskState state, std::string uuid) {
  AgentMessage message;
  auto& update = *message.mutable_status_update();
  *update.mutable_framework_id() = framework;
  auto& status = *update.mutable_status();
  *status.mutable_task_id() = task;
  *status.mutable_agent_id() = agent;
  status.set_state(state);
  status.set_source(mesos::v1::TaskStatus::SOURCE_EXECUTOR);
  status.set_timestamp(base::system_clock().now().time.seconds());
  status.set_uuid(std::move(uuid));
  status.mutable_container_status()->add_network_infos()->add_ip_addresses()->set_ip_address("127.0.0.1");
  update.set_latest_state(state);
  return message;
}

}  // namespace swarm
