// News for subscribers of the operator API. Made only while somebody listens.

#include "kernel/master/core.hpp"
#include "kernel/master/render.hpp"

namespace master {

using OperatorEvent = mesos::v1::master::Event;

void Core::publish_agent_added(const Agent& agent) {
  if (!out_->publishing()) return;
  OperatorEvent event;
  event.set_type(OperatorEvent::AGENT_ADDED);
  render_agent(make_view(agent), event.mutable_agent_added()->mutable_agent());
  out_->publish(std::move(event));
}

void Core::publish_agent_removed(const AgentId& id) {
  if (!out_->publishing()) return;
  OperatorEvent event;
  event.set_type(OperatorEvent::AGENT_REMOVED);
  event.mutable_agent_removed()->mutable_agent_id()->set_value(id);
  out_->publish(std::move(event));
}

void Core::publish_framework(const Framework& framework, bool added) {
  if (!out_->publishing()) return;
  OperatorEvent event;
  event.set_type(added ? OperatorEvent::FRAMEWORK_ADDED : OperatorEvent::FRAMEWORK_UPDATED);
  const FrameworkView view = make_view(framework);
  render_framework(view, added ? event.mutable_framework_added()->mutable_framework()
                               : event.mutable_framework_updated()->mutable_framework());
  out_->publish(std::move(event));
}

void Core::publish_framework_removed(const FrameworkInfo& info) {
  if (!out_->publishing()) return;
  OperatorEvent event;
  event.set_type(OperatorEvent::FRAMEWORK_REMOVED);
  *event.mutable_framework_removed()->mutable_framework_info() = info;
  out_->publish(std::move(event));
}

void Core::publish_task_added(const mesos::v1::Task& task) {
  if (!out_->publishing()) return;
  OperatorEvent event;
  event.set_type(OperatorEvent::TASK_ADDED);
  render_task(task, event.mutable_task_added()->mutable_task());
  out_->publish(std::move(event));
}

void Core::publish_task_updated(const Task& task, const TaskStatus& status) {
  if (!out_->publishing()) return;
  OperatorEvent event;
  event.set_type(OperatorEvent::TASK_UPDATED);
  event.mutable_task_updated()->mutable_framework_id()->set_value(task.framework->id);
  *event.mutable_task_updated()->mutable_status() = status;
  event.mutable_task_updated()->set_state(task.proto->state());
  out_->publish(std::move(event), task.proto->user());
}

}  // namespace master
