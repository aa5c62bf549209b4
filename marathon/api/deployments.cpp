#include "marathon/deployments.hpp"

#include <fmt/format.h>

#include "base/json/writer.hpp"
#include "marathon/api/api.hpp"

namespace marathon::api {
namespace {

using base::json::Writer;

void list(const Request& request) {
  std::string body;
  Writer w(body);
  w.begin_array();
  for (const auto& [sequence, id] : request.state().deployment_order) {
    write_deployment(w, request.turn, request.state().deployments.at(id));
  }
  w.end_array();
  request.reply_json(200, std::move(body));
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
  cancel(request.turn, id, "it is being rolled back");
  if (const auto error = submit(request.turn, std::move(change))) request.refuse(*error);
}

}  // namespace

void handle_deployments(const Request& request) {
  const std::string& method = request.http.method;
  if (request.rest.empty()) {
    return method == "GET" || method == "HEAD" ? list(request) : method_not_allowed(request, "GET");
  }
  if (request.rest.size() != 1) return request.refuse(404, "URI not found: " + request.path);
  if (method != "DELETE") return method_not_allowed(request, "DELETE");
  const std::string& id = request.rest[0];
  if (!request.state().deployments.contains(id)) {
    return request.refuse(404, fmt::format("DeploymentPlan {} does not exist", id));
  }
  if (request.flag("force", false)) return stop(request, id);
  roll_back(request, id);
}

}  // namespace marathon::api
