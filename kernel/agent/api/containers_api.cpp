// /containers and /monitor/statistics.

#include "base/json/proto.hpp"
#include "base/json/writer.hpp"
#include "kernel/agent/api/routes.hpp"
#include "kernel/api/names.hpp"

namespace agent {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;
using Statistics = containerizer::Containerizer::Statistics;

struct Listed {
  std::string framework_id, executor_id, executor_name, source, container_id;
  mesos::v1::ContainerStatus status;
};

std::vector<Listed> list(const Api& api, const std::string& principal, const base::http::Query& query) {
  const State& state = api.state();
  const auto container = query.get("container_id"), framework_wanted = query.get("framework_id"),
             executor_wanted = query.get("executor_id");
  std::vector<Listed> all;
  for (const auto& [framework_id, framework] : state.frameworks) {
    if (framework_wanted && *framework_wanted != framework_id) continue;
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state == ExecutorState::Terminated) continue;
      if (executor_wanted && *executor_wanted != executor_id) continue;
      if (container && *container != executor.container_id) continue;
      if (!api.access.allows(auth::Action::ViewContainers, principal, user_of(framework, executor))) continue;
      Listed listed{framework_id, executor_id, executor.info.name(), executor.info.source(), executor.container_id, {}};
      listed.status.mutable_container_id()->set_value(executor.container_id);
      for (const auto& network : executor.networks) *listed.status.add_network_infos() = network;
      if (executor.pid > 0) listed.status.set_executor_pid(static_cast<uint32_t>(executor.pid));
      all.push_back(std::move(listed));
    }
  }
  return all;
}

std::string render(const std::vector<Listed>& containers, const Statistics& statistics, bool with_status) {
  std::string text;
  base::json::Writer out(text);
  out.begin_array();
  for (const auto& container : containers) {
    const auto found = statistics.find(container.container_id);
    if (!with_status && found == statistics.end()) continue;
    out.begin_object();
    if (with_status) out.field("container_id", container.container_id);
    out.field("executor_id", container.executor_id);
    out.field("executor_name", container.executor_name);
    out.field("framework_id", container.framework_id);
    out.field("source", container.source);
    if (found != statistics.end()) {
      out.key("statistics");
      base::json::write_proto(out, found->second);
    }
    if (with_status) {
      out.key("status");
      base::json::write_proto(out, container.status, api::v0_dialect());
    }
    out.end_object();
  }
  out.end_array();
  return text;
}

}  // namespace

void handle_pending(Api& api, const Request& request, const Responder& responder) {
  std::string text;
  base::json::Writer out(text);
  out.begin_object();
  out.key("pending");
  out.begin_array();
  const auto add = [&out](const std::string& id) {
    out.begin_object();
    out.field("operation", "launch");
    out.key("args");
    out.begin_object();
    out.field("containerId", id);
    out.end_object();
    out.end_object();
  };
  for (const auto& [id, owner] : api.state().containers)
    if (!api.state().frameworks.at(owner.first).executors.at(owner.second).launched) add(id);
  for (const auto& [id, container] : api.state().api_containers)
    if (container.stage == ApiContainer::Stage::Launching) add(id);
  out.end_array();
  out.end_object();
  reply_json(request, responder, std::move(text));
}

void handle_containers(Api& api, const Request& request, const Responder& responder) {
  if (api.recovering()) return responder.reply(Response::text(503, "Agent has not finished recovery"));
  const auto query = request.query();
  const bool by_container = query.has("container_id"), by_framework = query.has("framework_id"),
             by_executor = query.has("executor_id");
  if ((by_container && (by_framework || by_executor)) || (by_executor && !by_framework))
    return responder.reply(Response::text(
        400, "Expecting 'container_id' alone, or 'framework_id' with or without 'executor_id', in query.\n"));
  api.shell.containers().usage([containers = list(api, request.principal, query), request, responder](const Statistics& statistics) {
    reply_json(request, responder, render(containers, statistics, true));
  });
}

void handle_statistics(Api& api, const Request& request, const Responder& responder) {
  if (api.recovering()) return responder.reply(Response::text(503, "Agent has not finished recovery"));
  api.shell.containers().usage(
      [containers = list(api, request.principal, base::http::Query()), request, responder](const Statistics& statistics) {
        reply_json(request, responder, render(containers, statistics, false));
      });
}

}  // namespace agent
