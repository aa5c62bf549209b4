// POST /api/v1: resource providers come, change and go.

#include "kernel/agent/api/routes.hpp"
#include "kernel/agent/providers.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"

namespace agent {
namespace {

using base::http::Responder;
using base::http::Response;
using Call = mesos::v1::agent::Call;

void answer(const Responder& responder, const base::Status& done) {
  responder.reply(done ? Response::text(200, "") : Response::text(base::http_status(done.error().code), done.error().message));
}

void mark_gone(Api& api, const std::string& id, const Responder& responder) {
  const auto found = api.state().providers.find(id);
  if (found == api.state().providers.end())
    return answer(responder, base::not_found("This agent knows no resource provider " + id));
  if (found->second.active && !found->second.remote)
    return answer(responder, base::conflict("Resource provider " + id + " still runs: remove its description before "
                                            "(REMOVE_RESOURCE_PROVIDER_CONFIG)"));
  api.shell.tell(ProviderGone{id});
  answer(responder, {});
}

}  // namespace

bool handle_provider_call(Api& api, const std::string& principal, const Call& call, const Responder& responder) {
  const auto missing = [&](bool present, const char* member) {
    const std::string why = std::string("Failed to validate agent::Call: Expecting '") + member + "' to be present";
    if (!present) responder.reply(Response::text(400, why));
    return !present;
  };
  const auto forbidden = [&](auth::Action action) {
    const bool allowed = api.access.allows(action, principal);
    if (!allowed) responder.reply(Response::text(403, ""));
    return !allowed;
  };
  switch (call.type()) {
    case Call::ADD_RESOURCE_PROVIDER_CONFIG:
      if (!missing(call.has_add_resource_provider_config(), "add_resource_provider_config") &&
          !forbidden(auth::Action::ModifyResourceProviderConfigs))
        answer(responder, api.providers->add(call.add_resource_provider_config().info()));
      return true;
    case Call::UPDATE_RESOURCE_PROVIDER_CONFIG:
      if (!missing(call.has_update_resource_provider_config(), "update_resource_provider_config") &&
          !forbidden(auth::Action::ModifyResourceProviderConfigs))
        answer(responder, api.providers->update(call.update_resource_provider_config().info()));
      return true;
    case Call::REMOVE_RESOURCE_PROVIDER_CONFIG: {
      const auto& wanted = call.remove_resource_provider_config();
      if (!missing(call.has_remove_resource_provider_config(), "remove_resource_provider_config") &&
          !forbidden(auth::Action::ModifyResourceProviderConfigs))
        answer(responder, api.providers->remove(wanted.type(), wanted.name()));
      return true;
    }
    case Call::MARK_RESOURCE_PROVIDER_GONE:
      if (!missing(call.has_mark_resource_provider_gone(), "mark_resource_provider_gone") &&
          !forbidden(auth::Action::MarkResourceProvidersGone))
        mark_gone(api, call.mark_resource_provider_gone().resource_provider_id().value(), responder);
      return true;
    default: return false;
  }
}

}  // namespace agent
