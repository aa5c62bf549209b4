// POST /api/v1/resource_provider: what resource providers outside of the agent say; checked here in form, answered by the core.

#include "base/random.hpp"
#include "kernel/agent/api/routes.hpp"
#include "kernel/api/content.hpp"

namespace agent {
namespace {

using base::http::Responder;
using base::http::Response;
using mesos::v1::resource_provider::Call;

/// Null: the call is in order.
const char* problem_of(const Call& call) {
  if (!call.has_type()) return "Expecting 'type' to be present";
  if (call.type() != Call::SUBSCRIBE && !call.has_resource_provider_id()) return "Expecting 'resource_provider_id' to be present";
  switch (call.type()) {
    case Call::SUBSCRIBE: return call.has_subscribe() ? nullptr : "Expecting 'subscribe' to be present";
    case Call::UPDATE_OPERATION_STATUS:
      return call.has_update_operation_status() ? nullptr : "Expecting 'update_operation_status' to be present";
    case Call::UPDATE_STATE: return call.has_update_state() ? nullptr : "Expecting 'update_state' to be present";
    case Call::UPDATE_PUBLISH_RESOURCES_STATUS:
      return call.has_update_publish_resources_status() ? nullptr : "Expecting 'update_publish_resources_status' to be present";
    default: return nullptr;
  }
}

}  // namespace

void handle_resource_provider_api(Api& api, base::http::Request request, const Responder& responder) {
  if (api.recovering()) return responder.reply(Response::text(503, "Agent has not finished recovery"));
  if (request.method != "POST") {
    Response response = Response::text(405, "Expecting one of { 'POST' }, but received '" + request.method + "'");
    response.headers.set("Allow", "POST");
    return responder.reply(std::move(response));
  }
  if (api.access.executor(request)) return responder.reply(Response::text(403, "An executor's token is not for resource providers"));
  Call call;
  if (const auto rejection = api::decode_request(request.headers.get("Content-Type"), request.body, call))
    return responder.reply(Response::text(rejection->status, rejection->message));
  if (const char* problem = problem_of(call))
    return responder.reply(Response::text(400, std::string("Failed to validate resource_provider::Call: ") + problem));
  if (call.type() == Call::UNKNOWN) return responder.reply(Response::text(501, "Received 'UNKNOWN' call"));
  const auto stream = request.headers.get("Mesos-Stream-Id");
  if (call.type() != Call::SUBSCRIBE) return api.shell.provider_call(std::move(call), std::string(stream.value_or("")), responder);
  const auto type = api::negotiate(request.headers.get("Accept"));
  if (!type) return responder.reply(Response::text(406, std::string(api::kNotAcceptable)));
  if (stream) return responder.reply(Response::text(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header"));
  auto& info = *call.mutable_subscribe()->mutable_resource_provider_info();
  api.shell.subscribe_provider(std::move(info), base::Random::from_os().uuid(), *type, responder);
}

}  // namespace agent
