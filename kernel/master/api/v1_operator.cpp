// POST /api/v1: reads are rendered from a snapshot, changes go to the core.

#include <google/protobuf/arena.h>

#include <algorithm>

#include "base/log.hpp"
#include "base/version.hpp"
#include "kernel/api/content.hpp"
#include "kernel/master/api/files.hpp"
#include "kernel/master/api/routes.hpp"
#include "kernel/master/render.hpp"
#include "kernel/master/shell.hpp"
#include "kernel/master/validation.hpp"

namespace master {

using base::http::Request;
using base::http::Responder;
using base::http::Response;
using mesos::v1::master::Call;

namespace {

void reply_with(const Responder& responder, api::ContentType type, std::string body) {
  Response response;
  response.headers.set("Content-Type", std::string(api::media_type(type)));
  response.body = std::move(body);
  responder.reply(std::move(response));
}

/// Reads that need the state.
struct Read {
  Call::Type type;
  void (*fill)(const Snapshot&, OperatorResponse&);
};

const Read kReads[] = {
    {Call::GET_STATE, [](const Snapshot& s, OperatorResponse& r) { render_state(s, r.mutable_get_state()); }},
    {Call::GET_AGENTS, [](const Snapshot& s, OperatorResponse& r) { render_agents(s, r.mutable_get_agents()); }},
    {Call::GET_FRAMEWORKS, [](const Snapshot& s, OperatorResponse& r) { render_frameworks(s, r.mutable_get_frameworks()); }},
    {Call::GET_EXECUTORS, [](const Snapshot& s, OperatorResponse& r) { render_executors(s, r.mutable_get_executors()); }},
    {Call::GET_OPERATIONS, [](const Snapshot& s, OperatorResponse& r) { render_operations(s, r.mutable_get_operations()); }},
    {Call::GET_TASKS, [](const Snapshot& s, OperatorResponse& r) { render_tasks(s, r.mutable_get_tasks()); }},
    {Call::GET_ROLES, [](const Snapshot& s, OperatorResponse& r) { render_roles(s, r.mutable_get_roles()); }},
    {Call::GET_WEIGHTS,
     [](const Snapshot& s, OperatorResponse& r) {
       for (const auto& [role, weight] : s.weights) {
         auto* info = r.mutable_get_weights()->add_weight_infos();
         info->set_role(role);
         info->set_weight(weight);
       }
     }},
    {Call::GET_MASTER,
     [](const Snapshot& s, OperatorResponse& r) {
       *r.mutable_get_master()->mutable_master_info() = *s.master;
       r.mutable_get_master()->set_start_time(s.started.seconds());
       r.mutable_get_master()->set_elected_time(s.elected.seconds());
     }},
    {Call::GET_QUOTA, [](const Snapshot& s, OperatorResponse& r) { render_quota(s, r.mutable_get_quota()); }},
    {Call::GET_MAINTENANCE_STATUS,
     [](const Snapshot& s, OperatorResponse& r) { *r.mutable_get_maintenance_status()->mutable_status() = s.maintenance; }},
    {Call::GET_MAINTENANCE_SCHEDULE,
     [](const Snapshot& s, OperatorResponse& r) { *r.mutable_get_maintenance_schedule()->mutable_schedule() = s.schedule; }},
};

/// Reads that the shell answers by itself. False: not one of them.
bool answer_local(Shell& shell, const Call& call, OperatorResponse& response) {
  switch (call.type()) {
    case Call::GET_HEALTH: response.mutable_get_health()->set_healthy(true); return true;
    case Call::GET_FLAGS:
      for (const auto& [name, value] : shell.facts().flags) {
        auto* flag = response.mutable_get_flags()->add_flags();
        flag->set_name(name);
        flag->set_value(value);
      }
      return true;
    case Call::GET_VERSION: {
      auto* version = response.mutable_get_version()->mutable_version_info();
      version->set_version(base::kMesosVersion);
      version->set_build_date(shell.facts().build_date);
      version->set_build_time(shell.facts().build_seconds);
      version->set_build_user(shell.facts().build_user);
      return true;
    }
    case Call::GET_METRICS:
      for (const auto& [name, value] : shell.metrics_snapshot()) {
        auto* metric = response.mutable_get_metrics()->add_metrics();
        metric->set_name(name);
        metric->set_value(value);
      }
      return true;
    case Call::GET_LOGGING_LEVEL:
      response.mutable_get_logging_level()->set_level(static_cast<uint32_t>(shell.log_level().verbosity()));
      return true;
    default: return false;
  }
}

/// Calls that the shell answers by itself, and whether that is refused.
bool forbidden(const Visibility& visibility, Call::Type type) {
  switch (type) {
    case Call::GET_FLAGS: return !visibility.allows(auth::Action::ViewFlags);
    case Call::SET_LOGGING_LEVEL: return !visibility.allows(auth::Action::SetLogLevel);
    case Call::LIST_FILES:
    case Call::READ_FILE: return !visibility.allows(auth::Action::AccessMesosLogs);
    default: return false;
  }
}

void set_logging_level(Shell& shell, const Call::SetLoggingLevel& call, const Responder& responder) {
  const base::Duration duration(call.duration().nanoseconds());
  const base::Status done = shell.log_level().set(call.level(), duration);
  responder.reply(done ? Response() : Response::text(400, done.error().message));
}

void answer_file_call(Shell& shell, const Call& call, api::ContentType type, const Responder& responder) {
  OperatorResponse response;
  if (call.type() == Call::LIST_FILES) {
    auto entries = browse_files(shell, call.list_files().path());
    if (!entries) return responder.reply(Response::from(entries.error()));
    response.set_type(OperatorResponse::LIST_FILES);
    for (auto& entry : *entries) *response.mutable_list_files()->add_file_infos() = std::move(entry);
  } else {
    const uint64_t length = call.read_file().has_length() ? call.read_file().length() : UINT64_MAX;
    auto piece = read_file_piece(shell, call.read_file().path(), call.read_file().offset(), length);
    if (!piece) return responder.reply(Response::from(piece.error()));
    response.set_type(OperatorResponse::READ_FILE);
    response.mutable_read_file()->set_size(piece->size);
    response.mutable_read_file()->set_data(std::move(piece->data));
  }
  reply_with(responder, type, api::encode(type, response));
}

}  // namespace

void handle_operator_call(Shell& shell, Request request, Responder responder) {
  if (refuse_before_recovery(shell, request, responder)) return;
  if (refuse_method(request, responder, "POST")) return;
  Call call;
  if (auto rejection = api::decode_request(request.headers.get("Content-Type"), request.body, call)) {
    return responder.reply(Response::text(rejection->status, rejection->message));
  }
  if (auto why = validate_call(call)) {
    return responder.reply(Response::text(400, "Failed to validate master::Call: " + *why));
  }
  const auto type = api::negotiate(request.headers.get("Accept"));
  if (!type) return responder.reply(Response::text(406, std::string(api::kNotAcceptable)));

  if (call.type() == Call::SUBSCRIBE) {
    Response head;
    head.headers.set("Content-Type", std::string(api::media_type(*type)));
    head.headers.set("Mesos-Stream-Id", shell.random().uuid());
    return shell.open_operator_stream(responder.stream(std::move(head)), *type, request.principal);
  }
  if (forbidden(shell.visibility(request.principal), call.type())) return responder.reply(Response::text(403, ""));
  if (call.type() == Call::SET_LOGGING_LEVEL) return set_logging_level(shell, call.set_logging_level(), responder);
  if (call.type() == Call::LIST_FILES || call.type() == Call::READ_FILE) {
    return answer_file_call(shell, call, *type, responder);
  }
  OperatorResponse response;
  if (OperatorResponse::Type answer{}; OperatorResponse::Type_Parse(Call::Type_Name(call.type()), &answer)) {
    response.set_type(answer);
    if (answer_local(shell, call, response)) return reply_with(responder, *type, api::encode(*type, response));
    const auto read = std::find_if(std::begin(kReads), std::end(kReads), [&](const Read& r) { return r.type == call.type(); });
    if (read != std::end(kReads)) {
      const auto draw = [response, fill = read->fill, type = *type](const Snapshot& snapshot) {
        google::protobuf::Arena arena;  // hundreds of thousands of small messages, gone at once
        auto* full = google::protobuf::Arena::CreateMessage<OperatorResponse>(&arena);
        *full = response;
        fill(snapshot, *full);
        return api::encode(type, *full);
      };
      const std::string key = Call::Type_Name(call.type()) + ":" + std::string(api::media_type(*type));
      const bool gzip = *type == api::ContentType::Json && takes_gzip(request);
      return shell.render(request.principal, key, draw, gzip, [responder, type = *type](const RenderedBody& rendered) {
        Response head;
        head.headers.set("Content-Type", std::string(api::media_type(type)));
        reply_shared(responder, std::move(head), rendered);
      });
    }
  }
  OperatorCallReceived event;
  event.call_id = shell.expect_reply(std::move(responder));
  event.call = std::move(call);
  event.principal = std::move(request.principal);
  shell.on(std::move(event));
}

}  // namespace master
