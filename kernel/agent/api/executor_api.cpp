// POST /api/v1/executor: what custom executors say; checked here in form, answered by the core.

#include "kernel/agent/api/routes.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/names.hpp"

namespace agent {
namespace {

using base::http::Responder;
using base::http::Response;
using mesos::v1::executor::Call;

constexpr size_t kUuidBytes = 16;

/// Absent: the call is in order.
std::optional<std::string> problem_of_update(const Call& call, const mesos::v1::TaskStatus& status) {
  if (!status.has_uuid()) return "Expecting 'uuid' to be present";
  if (status.uuid().size() != kUuidBytes) return "Not a valid UUID";
  if (!status.has_source() || status.source() != mesos::v1::TaskStatus::SOURCE_EXECUTOR)
    return "Received Call from executor with unexpected source: expecting 'source' to be SOURCE_EXECUTOR";
  if (status.has_executor_id() && status.executor_id().value() != call.executor_id().value())
    return "ExecutorID in Call: " + call.executor_id().value() +
           " does not match ExecutorID in TaskStatus: " + status.executor_id().value();
  switch (status.state()) {
    case mesos::v1::TASK_STAGING:
    case mesos::v1::TASK_UNREACHABLE:
    case mesos::v1::TASK_DROPPED:
    case mesos::v1::TASK_GONE:
    case mesos::v1::TASK_GONE_BY_OPERATOR:
    case mesos::v1::TASK_UNKNOWN:
      return "Received Call from executor with forbidden state " + mesos::v1::TaskState_Name(status.state());
    default: return std::nullopt;
  }
}

std::optional<std::string> problem_of(const Call& call) {
  if (!call.has_type()) return "Expecting 'type' to be present";
  switch (call.type()) {
    case Call::SUBSCRIBE:
      if (!call.has_subscribe()) return "Expecting 'subscribe' to be present";
      for (const auto& update : call.subscribe().unacknowledged_updates())
        if (auto problem = problem_of_update(call, update.status())) return problem;
      return std::nullopt;
    case Call::UPDATE:
      if (!call.has_update()) return "Expecting 'update' to be present";
      return problem_of_update(call, call.update().status());
    case Call::MESSAGE:
      if (!call.has_message()) return "Expecting 'message' to be present";
      return std::nullopt;
    default: return std::nullopt;
  }
}

/// The token that came with the call is that of the run of the executor that is known now. What is not known is for the
/// core to say.
bool is_its_own(const Api& api, const base::http::Request& request, const Call& call) {
  const auto claims = api.access.executor(request);
  if (!claims || claims->framework_id != call.framework_id().value() || claims->executor_id != call.executor_id().value()) return false;
  const auto framework = api.state().frameworks.find(claims->framework_id);
  if (framework == api.state().frameworks.end()) return true;
  const auto executor = framework->second.executors.find(claims->executor_id);
  return executor == framework->second.executors.end() || executor->second.container_id == claims->container_id;
}

}  // namespace

void handle_executor_api(Api& api, base::http::Request request, const Responder& responder) {
  if (api.recovering()) return responder.reply(Response::text(503, "Agent has not finished recovery"));
  if (request.method != "POST") {
    Response response = Response::text(405, "Expecting one of { 'POST' }, but received '" + request.method + "'");
    response.headers.set("Allow", "POST");
    return responder.reply(std::move(response));
  }
  Call call;
  if (const auto rejection = api::decode_request(request.headers.get("Content-Type"), request.body, call))
    return responder.reply(Response::text(rejection->status, rejection->message));
  if (const auto problem = problem_of(call))
    return responder.reply(Response::text(400, "Failed to validate Executor::Call: " + *problem));
  if (api.access.needs_executor_tokens() && call.type() != Call::HEARTBEAT && !is_its_own(api, request, call))
    return responder.reply(Response::text(403, "The token is another executor's"));
  switch (call.type()) {
    case Call::SUBSCRIBE: {
      const auto type = api::negotiate(request.headers.get("Accept"));
      if (!type) return responder.reply(Response::text(406, std::string(api::kNotAcceptable)));
      return api.shell.subscribe(std::move(call), *type, responder);
    }
    case Call::HEARTBEAT: return responder.reply(Response::text(202, ""));
    case Call::UPDATE:
    case Call::MESSAGE: return api.shell.call(std::move(call), responder);
    default: return responder.reply(Response::text(501, "Received 'UNKNOWN' call"));
  }
}

}  // namespace agent
