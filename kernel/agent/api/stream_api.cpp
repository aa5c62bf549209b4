#include "kernel/agent/api/stream_api.hpp"

#include "base/strings.hpp"
#include "kernel/agent/api/routes.hpp"

namespace agent {

using base::http::Response;
using Call = mesos::v1::agent::Call;

namespace {

bool is_recordio(std::optional<std::string_view> header) {
  if (!header) return false;
  const std::string_view media = header->substr(0, header->find(';'));
  return base::iequals(base::trim(media), api::kRecordioMedia);
}

/// A container that this agent has, and that has not ended.
bool knows(const State& state, const std::string& container) {
  if (state.containers.contains(container)) return true;
  const auto found = state.api_containers.find(container);
  return found != state.api_containers.end() && found->second.stage != ApiContainer::Stage::Ended;
}

/// Who asks: somebody whom the access lists judge, or an executor, whose own container's insides are its.
struct Asker {
  std::string principal, executors_container;
};

Asker asker_of(const Api& api, const base::http::Request& request) {
  const auto executor = api.access.executor(request);
  return {request.principal, executor ? executor->container_id : ""};
}

/// Why this one may not attach to a container.
std::optional<api::Rejection> refusal(const Api& api, auth::Action action, const Asker& asker, const std::string& container) {
  const auto user = user_around(api.state(), container);
  if (!user || !knows(api.state(), container)) return api::Rejection{404, "Container " + container + " cannot be found"};
  if (!asker.executors_container.empty() ? !container.starts_with(asker.executors_container + ".")
                                         : !api.access.allows(action, asker.principal, *user)) return api::Rejection{403, ""};
  return std::nullopt;
}

}  // namespace

bool has_streamed_body(const base::http::Request& head) {
  return head.method == "POST" && (head.path == "/api/v1" || head.path == "/slave(1)/api/v1") &&
         is_recordio(head.headers.get("Content-Type"));
}

bool streams_answer(Call::Type type) {
  return type == Call::ATTACH_CONTAINER_OUTPUT || type == Call::LAUNCH_NESTED_CONTAINER_SESSION;
}

std::optional<api::Rejection> negotiate_stream(const base::http::Headers& headers, StreamFormat& format) {
  const auto accept = headers.get("Accept");
  const bool records = accept && api::accepts(accept, api::kRecordioMedia) && !api::accepts(accept, api::kJsonMedia) &&
                       !api::accepts(accept, api::kProtobufMedia);
  if (!records && headers.has("Message-Accept") && !(accept && api::accepts(accept, api::kRecordioMedia)))
    return api::Rejection{406, "Expecting 'Message-Accept' only with an 'Accept' of application/recordio"};
  if (records || headers.has("Message-Accept")) {
    const auto type = api::negotiate(headers.get("Message-Accept"));
    if (!type) return api::Rejection{406, "Expecting 'Message-Accept' to allow 'application/x-protobuf' or 'application/json'"};
    format = {*type, true};
    return std::nullopt;
  }
  const auto type = api::negotiate(accept);
  if (!type) return api::Rejection{406, std::string(api::kNotAcceptable) + " or 'application/recordio'"};
  format = {*type, false};
  return std::nullopt;
}

std::optional<api::Rejection> streamed_type(const base::http::Headers& headers, api::ContentType& type) {
  const auto given = headers.get("Message-Content-Type");
  if (!given) return api::Rejection{400, "Expecting 'Message-Content-Type' to be set with 'application/recordio'"};
  const auto parsed = api::parse_media_type(*given);
  if (!parsed) return api::Rejection{415, "Expecting 'Message-Content-Type' of application/json or application/x-protobuf"};
  type = *parsed;
  return std::nullopt;
}

void handle_streamed_call(Api& api, const base::http::Request& request, const base::http::Responder& responder) {
  api::ContentType type{};
  if (const auto rejection = streamed_type(request.headers, type))
    return responder.reply(Response::text(rejection->status, rejection->message));
  api.streams->input(type, responder, [&api, asker = asker_of(api, request)](const std::string& container) {
    return refusal(api, auth::Action::AttachContainersInput, asker, container);
  });
}

void handle_streaming_answer(Api& api, const base::http::Request& request, Call call, StreamFormat format,
                             const base::http::Responder& responder) {
  const Asker asker = asker_of(api, request);
  if (call.type() == Call::LAUNCH_NESTED_CONTAINER_SESSION) {
    // Where there is no such parent the core says so.
    const auto& launch = call.launch_nested_container_session();
    const auto user = user_around(api.state(), container_text(launch.container_id()));
    const bool trusted = !asker.executors_container.empty();  // that the container is inside its own was seen to
    if (user && !trusted && !may_launch_session(api.access, asker.principal, *user, launch.command().user()))
      return responder.reply(Response::text(403, ""));
    return api.shell.container_call(std::move(call), format, responder);
  }
  const std::string container = container_text(call.attach_container_output().container_id());
  if (const auto refused = refusal(api, auth::Action::AttachContainersOutput, asker, container))
    return responder.reply(Response::text(refused->status, refused->message));
  (void)api.streams->output(container, format, responder);
}

}  // namespace agent
