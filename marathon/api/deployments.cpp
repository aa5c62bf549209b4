#include "marathon/deployments.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/json/writer.hpp"
#include "marathon/api/api.hpp"

namespace marathon::api {
namespace {

using base::json::Writer;

// Clients of the original refuse members that they do not know: ours are told to those who ask.
bool wants_explanation(const Request& request) {
  const auto embeds = request.query.all("embed");
  return std::find(embeds.begin(), embeds.end(), "explanation") != embeds.end();
}

void list(const Request& request) {
  const bool explain = wants_explanation(request);
  std::string body;
  Writer w(body);
  w.begin_array();
  for (const auto& [sequence, id] : request.state().deployment_order) {
    const Deployment& deployment = request.state().deployments.at(id);
    if (sees(request, deployment)) write_deployment(w, request.turn, deployment, explain);
  }
  w.end_array();
  request.reply_json(200, std::move(body));
}

/// One deployment, under way or ended not long ago.
void show(const Request& request, const std::string& id) {
  std::string body;
  Writer w(body);
  const auto running = request.state().deployments.find(id);
  if (running != request.state().deployments.end() && sees(request, running->second)) {
    write_deployment(w, request.turn, running->second, true);
    return request.reply_json(200, std::move(body));
  }
  const auto& ended = request.state().ended_deployments;
  const auto it = std::find_if(ended.rbegin(), ended.rend(), [&](const EndedDeployment& d) { return d.id == id; });
  const auto seen = [&](const PathId& app) {
    return !request.viewer || request.viewer->sees({Subject::Kind::App, app}) || request.viewer->sees({Subject::Kind::Pod, app});
  };
  const bool found = it != ended.rend() && (it->apps.empty() || std::any_of(it->apps.begin(), it->apps.end(), seen));
  if (!found) return request.refuse(404, fmt::format("DeploymentPlan {} does not exist", id));
  w.begin_object();
  w.field("id", it->id);
  w.field("version", base::render_iso8601(it->version));
  w.key("affectedApps");
  w.begin_array();
  for (const PathId& app : it->apps) w.value(app);
  w.end_array();
  w.field("state", it->success ? "successful" : "failed");
  if (!it->success) w.field("reason", it->reason);
  w.field("endedAt", base::render_iso8601(it->at));
  w.end_object();
  request.reply_json(200, std::move(body));
}

void pause(const Request& request, const std::string& id, bool paused) {
  set_paused(request.turn, id, paused);
  auto response = deployment_result(request.state().deployments.at(id));
  commit(request.turn, {}, [call = request.call, response, id, paused](Turn& turn, const base::Status& status) {
    if (!status) set_paused(turn, id, !paused);
    turn.out.reply(call, status ? response : render(marathon::refuse(503, status.error().message)));
  });
}

void promote_canaries(const Request& request, const std::string& id) {
  if (!promote(request.turn, id)) {
    return request.refuse(422, "the deployment replaces no app whose 'deployment.canary' is more than 0");
  }
  auto response = deployment_result(request.state().deployments.at(id));
  commit(request.turn, {}, [call = request.call, response](Turn& turn, const base::Status& status) {
    turn.out.reply(call, status ? response : render(marathon::refuse(503, status.error().message)));
  });
}

void stop(const Request& request, const std::string& id) {
  cancel(request.turn, id, "it was cancelled by a user");
  commit(request.turn, {}, [call = request.call](Turn& turn, const base::Status& status) {
    base::http::Response response;
    response.status = 202;
    turn.out.reply(call, status ? std::move(response)
                                : render(marathon::refuse(503, status.error().message)));
  });
}

void roll_back(const Request& request, const std::string& id) {
  ChangeRequest change = inverse(request.turn, request.state().deployments.at(id));
  change.call = request.call;
  change.answer = [](const Deployment& deployment) { return deployment_result(deployment); };
  change.undone = id;
  if (const auto error = submit(request.turn, std::move(change))) request.refuse(*error);
}

}  // namespace

bool sees(const Request& request, const Deployment& deployment) {
  const auto& changes = deployment.changes;
  return !request.viewer || std::any_of(changes.begin(), changes.end(), [&](const AppChange& change) {
    return request.viewer->sees({change.is_pod() ? Subject::Kind::Pod : Subject::Kind::App, change.id});
  });
}

void handle_deployments(const Request& request) {
  const std::string& method = request.http.method;
  if (request.rest.empty()) {
    return method == "GET" || method == "HEAD" ? list(request) : method_not_allowed(request, "GET");
  }
  const std::string verb = request.rest.size() == 2 ? request.rest[1] : "";
  if (request.rest.size() > 2 || (request.rest.size() == 2 && verb != "pause" && verb != "resume" && verb != "promote")) {
    return request.refuse(404, "URI not found: " + request.path);
  }
  const std::string& id = request.rest[0];
  if (verb.empty() && (method == "GET" || method == "HEAD")) return show(request, id);
  if (verb.empty() && method != "DELETE") return method_not_allowed(request, "GET, DELETE");
  if (!verb.empty() && method != "POST") return method_not_allowed(request, "POST");
  if (!request.state().deployments.contains(id)) {
    return request.refuse(404, fmt::format("DeploymentPlan {} does not exist", id));
  }
  if (verb == "promote") return promote_canaries(request, id);
  if (!verb.empty()) return pause(request, id, verb == "pause");
  if (request.flag("force", false)) return stop(request, id);
  roll_back(request, id);
}

}  // namespace marathon::api
