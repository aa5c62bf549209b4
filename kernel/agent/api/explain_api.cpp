// GET /containers/explain?container=ID: where a container is in its life, what it waits for, what limits it. Our own.

#include <cmath>

#include "base/json/proto.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "kernel/agent/api/routes.hpp"
#include "kernel/api/names.hpp"

namespace agent {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;
using containerizer::Explanation;

/// What the core knows of a container, taken before the rest is looked at.
struct Known {
  std::string id, framework_id, executor_id, executor_state, waits_for;
  bool standalone = false;
  std::optional<ApiContainer> ended{};
};

std::string name_of(ExecutorState state) {
  switch (state) {
    case ExecutorState::Registering: return "REGISTERING";
    case ExecutorState::Running: return "RUNNING";
    case ExecutorState::Terminating: return "TERMINATING";
    case ExecutorState::Terminated: return "TERMINATED";
  }
  return "";
}

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const auto& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::optional<Known> find(const State& state, const std::string& id) {
  Known out{.id = id};
  const std::string root = id.substr(0, id.find('.'));
  if (const auto owner = state.containers.find(root); owner != state.containers.end()) {
    out.framework_id = owner->second.first;
    out.executor_id = owner->second.second;
    const Executor& executor = state.frameworks.at(out.framework_id).executors.at(out.executor_id);
    out.executor_state = name_of(executor.state);
    if (id == root && !executor.command && executor.launched && executor.state == ExecutorState::Registering)
      out.waits_for = executor.recovered ? "its executor to subscribe again, after a restart of the agent" : "its executor to subscribe";
    else if (id == root && executor.state == ExecutorState::Running && !executor.queued.empty())
      out.waits_for = "its tasks to be handed over: " + list_of(executor.queued);
  }
  const auto container = state.api_containers.find(id);
  if (container == state.api_containers.end()) return state.containers.contains(id) ? std::optional(out) : std::nullopt;
  out.standalone = container->second.parent().empty();
  if (container->second.stage == ApiContainer::Stage::Ended) out.ended = container->second;
  return out;
}

void render_head(base::json::Writer& w, const Known& known) {
  w.field("container_id", known.id);
  if (known.framework_id.empty()) return;
  w.field("framework_id", known.framework_id);
  w.field("executor_id", known.executor_id);
  w.field("executor_state", known.executor_state);
}

std::string render_ended(const Known& known) {
  std::string text;
  base::json::Writer w(text);
  w.begin_object();
  render_head(w, known);
  w.field("stage", "ENDED");
  w.field("waits_for", known.standalone ? "its removal by REMOVE_CONTAINER" : "its removal, by a call or with the container that it is in");
  w.key("exit");
  w.begin_object();
  const auto& end = known.ended->end;
  if (end.status) w.field("status", *end.status);
  w.field("message", end.message);
  w.field("out_of_memory", end.out_of_memory);
  if (end.out_of_memory) w.field("memory_used_bytes", end.memory_used);
  w.end_object();
  w.end_object();
  return text;
}

void render_limits(base::json::Writer& w, const Explanation& e) {
  w.key("limits");
  w.begin_object();
  w.field("cpus", e.limits.cpus);
  if (e.limits.cpu_limit && !std::isinf(*e.limits.cpu_limit)) w.field("cpu_quota", *e.limits.cpu_limit);
  w.field("memory_bytes", e.limits.memory);
  if (e.limits.memory_limit) w.field("memory_limit_bytes", *e.limits.memory_limit);
  if (e.limits.pids) w.field("pids", *e.limits.pids);
  if (!e.limits.cpuset_cpus.empty()) w.field("cpuset_cpus", e.limits.cpuset_cpus);
  if (e.disk > 0) w.field("disk_bytes", e.disk);
  if (e.oom_kills) w.field("out_of_memory_kills", *e.oom_kills);
  w.end_object();
}

std::string render(const Known& known, const Explanation& e) {
  std::string text;
  base::json::Writer w(text);
  const auto strings = [&w](const char* name, const std::vector<std::string>& list) {
    w.key(name);
    w.begin_array();
    for (const auto& each : list) w.value(each);
    w.end_array();
  };
  w.begin_object();
  render_head(w, known);
  if (!e.parent.empty()) w.field("parent", e.parent);
  w.field("stage", e.stage);
  w.field("since", e.since.seconds());
  w.field("waits_for", e.waits_for.empty() ? known.waits_for : e.waits_for);
  w.field("end_asked_for", e.ending);
  if (e.pull) {
    w.key("pull");
    w.begin_object();
    w.field("layers", static_cast<uint64_t>(e.pull->layers));
    w.field("layers_here", static_cast<uint64_t>(e.pull->layers_here));
    w.field("bytes", e.pull->bytes);
    w.end_object();
  }
  if (e.pid > 0) w.field("pid", e.pid);
  w.field("sandbox", e.sandbox);
  if (!e.image.empty()) w.field("image", e.image);
  if (!e.group.empty()) w.field("cgroup", e.group);
  render_limits(w, e);
  w.key("statistics");
  base::json::write_proto(w, e.statistics);
  w.key("namespaces");
  w.begin_object();
  for (const auto& [kind, name] : e.namespaces) w.field(kind, name);
  w.end_object();
  strings("shared_namespaces", e.shared);
  strings("mounts", e.mounts);
  strings("isolators", e.isolators);
  w.key("networks");
  w.begin_array();
  for (const auto& network : e.networks) base::json::write_proto(w, network, api::v1_dialect());
  w.end_array();
  w.end_object();
  return text;
}

}  // namespace

void handle_explain(Api& api, const Request& request, const Responder& responder) {
  if (api.recovering()) return responder.reply(Response::text(503, "Agent has not finished recovery"));
  const auto id = request.query().get("container");
  if (!id || id->empty()) return responder.reply(Response::text(400, "Expecting 'container', an id such as of /containers, in query.\n"));
  auto known = find(api.state(), *id);
  const auto user = user_around(api.state(), *id);
  if (!known || !user) return responder.reply(Response::text(404, "Container " + base::valid_utf8(*id) + " cannot be found"));
  if (!api.access.allows(auth::Action::ViewContainers, request.principal, *user)) return responder.reply(Response::text(403, ""));
  if (known->ended) return reply_json(request, responder, render_ended(*known));
  api.explain(*id, [known = std::move(*known), request, responder](base::Result<Explanation> explained) {
    if (!explained)
      return responder.reply(Response::text(explained.error().code == base::Code::NotFound ? 404 : 503, explained.error().message));
    reply_json(request, responder, render(known, *explained));
  });
}

}  // namespace agent
