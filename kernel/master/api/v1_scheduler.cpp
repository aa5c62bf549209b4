// POST /api/v1/scheduler. The order of the checks is part of the interface: clients react to the first that fails.

#include "kernel/api/content.hpp"
#include "kernel/master/api/routes.hpp"
#include "kernel/master/shell.hpp"
#include "kernel/master/validation.hpp"

namespace master {

using base::http::Request;
using base::http::Responder;
using base::http::Response;
using mesos::v1::scheduler::Call;

void handle_scheduler_call(Shell& shell, Request request, Responder responder) {
  if (refuse_before_recovery(shell, request, responder)) return;
  if (refuse_method(request, responder, "POST")) return;
  Call call;
  if (auto rejection = api::decode_request(request.headers.get("Content-Type"), request.body, call)) {
    return responder.reply(Response::text(rejection->status, rejection->message));
  }
  if (auto why = validate_call(call, request.principal)) {
    return responder.reply(Response::text(400, "Failed to validate scheduler::Call: " + *why));
  }
  const bool negotiates = call.type() == Call::SUBSCRIBE || call.type() == Call::RECONCILE_OPERATIONS;
  const auto type = api::negotiate(request.headers.get("Accept"));
  if (negotiates && !type) return responder.reply(Response::text(406, std::string(api::kNotAcceptable)));

  const auto stream_id = request.headers.get("Mesos-Stream-Id");
  if (call.type() != Call::SUBSCRIBE) {
    SchedulerCallReceived event;
    event.call_id = shell.expect_reply(std::move(responder));
    event.stream_id = std::string(stream_id.value_or(""));
    event.call = std::move(call);
    event.principal = std::move(request.principal);
    return shell.on(std::move(event));
  }
  if (stream_id) {
    return responder.reply(Response::text(400, "Subscribe calls should not include the 'Mesos-Stream-Id' header"));
  }
  const std::string id = shell.random().uuid();
  Response head;
  head.headers.set("Content-Type", std::string(api::media_type(*type)));
  head.headers.set("Mesos-Stream-Id", id);
  shell.open_scheduler_stream(responder.stream(std::move(head)), *type, id, std::move(*call.mutable_subscribe()),
                             std::move(request.principal));
}

}  // namespace master
