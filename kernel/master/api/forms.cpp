// The v0 API's form posts, as calls of the v1 API. Only spelling is translated here; the core decides.

#include <boost/json.hpp>

#include "base/json/proto.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/api/names.hpp"
#include "kernel/master/api/routes.hpp"
#include "kernel/master/shell.hpp"
#include "kernel/master/validation.hpp"

namespace master {

using base::http::Query;
using base::http::Request;
using base::http::Responder;
using base::http::Response;
using mesos::v1::master::Call;

namespace {

/// "[{...}, ...]" as messages.
template <class Message>
base::Status read_list(const std::string& text, google::protobuf::RepeatedPtrField<Message>* out) {
  ASSIGN_OR_RETURN(const base::json::Value value, base::json::parse(text));
  if (!value.is_array()) return base::invalid("Expecting a JSON array");
  for (const auto& element : value.as_array()) {
    RETURN_IF_ERROR(base::json::proto_from_json(element, *out->Add(), api::v0_dialect()));
  }
  return {};
}

base::Result<std::string> parameter(const Query& form, const std::string& name) {
  auto value = form.get(name);
  if (!value) return base::invalid("Missing '" + name + "' query parameter in the request body");
  return *value;
}

base::Status read_resources(const Query& form, const std::string& name,
                            google::protobuf::RepeatedPtrField<mesos::v1::Resource>* out) {
  ASSIGN_OR_RETURN(const std::string text, parameter(form, name));
  if (auto read = read_list(text, out); !read) {
    return base::invalid("Error in parsing '" + name + "' query parameter in the request body: " + read.error().message);
  }
  return {};
}

base::Result<Call> make_call(const std::string& what, const Request& request) {
  Call call;
  if (what == "weights") {
    call.set_type(Call::UPDATE_WEIGHTS);
    if (auto read = read_list(request.body, call.mutable_update_weights()->mutable_weight_infos()); !read) {
      return base::invalid("Failed to parse update weights request JSON '" + request.body + "': " + read.error().message);
    }
    return call;
  }
  if (what == "schedule") {
    call.set_type(Call::UPDATE_MAINTENANCE_SCHEDULE);
    if (auto read = base::json::proto_from_json(request.body, *call.mutable_update_maintenance_schedule()->mutable_schedule(),
                                                api::v0_dialect());
        !read) {
      return base::invalid("Failed to parse maintenance schedule JSON: " + read.error().message);
    }
    return call;
  }
  if (what == "down" || what == "up") {
    call.set_type(what == "down" ? Call::START_MAINTENANCE : Call::STOP_MAINTENANCE);
    auto* machines = what == "down" ? call.mutable_start_maintenance()->mutable_machines()
                                    : call.mutable_stop_maintenance()->mutable_machines();
    if (auto read = read_list(request.body, machines); !read) {
      return base::invalid("Failed to parse the JSON array of machines: " + read.error().message);
    }
    return call;
  }
  if (what == "quota") {
    call.set_type(Call::SET_QUOTA);
    if (auto read = base::json::proto_from_json(request.body, *call.mutable_set_quota()->mutable_quota_request(),
                                                api::v0_dialect());
        !read) {
      return base::invalid("Failed to parse set quota request JSON '" + request.body + "': " + read.error().message);
    }
    return call;
  }
  if (what == "remove-quota") {
    call.set_type(Call::REMOVE_QUOTA);
    call.mutable_remove_quota()->set_role(base::percent_decode(request.rest));
    return call;
  }
  const Query form = Query::parse(request.body);
  if (what == "teardown") {
    ASSIGN_OR_RETURN(const std::string id, parameter(form, "frameworkId"));
    call.set_type(Call::TEARDOWN);
    call.mutable_teardown()->mutable_framework_id()->set_value(id);
    return call;
  }
  ASSIGN_OR_RETURN(const std::string agent, parameter(form, "slaveId"));
  if (what == "reserve") {
    call.set_type(Call::RESERVE_RESOURCES);
    call.mutable_reserve_resources()->mutable_agent_id()->set_value(agent);
    RETURN_IF_ERROR(read_resources(form, "resources", call.mutable_reserve_resources()->mutable_resources()));
    if (form.has("source")) {
      RETURN_IF_ERROR(read_resources(form, "source", call.mutable_reserve_resources()->mutable_source()));
    }
  } else if (what == "unreserve") {
    call.set_type(Call::UNRESERVE_RESOURCES);
    call.mutable_unreserve_resources()->mutable_agent_id()->set_value(agent);
    RETURN_IF_ERROR(read_resources(form, "resources", call.mutable_unreserve_resources()->mutable_resources()));
  } else if (what == "create-volumes") {
    call.set_type(Call::CREATE_VOLUMES);
    call.mutable_create_volumes()->mutable_agent_id()->set_value(agent);
    RETURN_IF_ERROR(read_resources(form, "volumes", call.mutable_create_volumes()->mutable_volumes()));
  } else {
    call.set_type(Call::DESTROY_VOLUMES);
    call.mutable_destroy_volumes()->mutable_agent_id()->set_value(agent);
    RETURN_IF_ERROR(read_resources(form, "volumes", call.mutable_destroy_volumes()->mutable_volumes()));
  }
  return call;
}

}  // namespace

void handle_form(Shell& shell, const std::string& what, Request request, Responder responder) {
  if (refuse_before_recovery(shell, request, responder)) return;
  if (refuse_method(request, responder, what == "weights" ? "PUT" : what == "remove-quota" ? "DELETE" : "POST")) return;
  auto call = make_call(what, request);
  if (!call) return responder.reply(Response::text(400, call.error().message));
  if (auto why = validate_call(*call)) return responder.reply(Response::text(400, *why));
  OperatorCallReceived event;
  event.call_id = shell.expect_reply(std::move(responder));
  event.call = std::move(*call);
  event.principal = std::move(request.principal);
  shell.on(std::move(event));
}

}  // namespace master
