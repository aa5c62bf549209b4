// POST /api/v1: what operators ask of one agent.

#include "base/json/proto.hpp"
#include "base/strings.hpp"
#include "base/version.hpp"
#include "kernel/agent/api/routes.hpp"
#include "kernel/agent/api/stream_api.hpp"
#include "kernel/api/content.hpp"
#include "kernel/api/mesos/v1/agent/agent.pb.h"
#include "kernel/api/names.hpp"
#include "kernel/api/secrets.hpp"
#include "kernel/containerizer/images/images.hpp"
#include "kernel/resources/proto.hpp"

namespace agent {
namespace {

using base::http::Request;
using base::http::Responder;
using base::http::Response;
using Call = mesos::v1::agent::Call;
using Answer = mesos::v1::agent::Response;

void reply(const Responder& responder, api::ContentType type, const Answer& answer) {
  Response response;
  response.headers.set("Content-Type", std::string(api::media_type(type)));
  response.body = type == api::ContentType::Json ? base::json::proto_to_json(answer, api::v1_dialect())
                                                 : answer.SerializeAsString();
  responder.reply(std::move(response));
}

void fill_frameworks(const State& state, const Sight& sight, Answer::GetFrameworks& out) {
  for (const auto& [id, framework] : state.frameworks)
    if (sight.shows(framework)) out.add_frameworks()->mutable_framework_info()->CopyFrom(framework.info);
  for (const auto& framework : state.completed_frameworks)
    if (sight.shows(framework)) out.add_completed_frameworks()->mutable_framework_info()->CopyFrom(framework.info);
}

template <class Visit>
void each_framework(const State& state, const Sight& sight, Visit visit) {
  for (const auto& [id, framework] : state.frameworks)
    if (sight.shows(framework)) visit(framework);
  for (const auto& framework : state.completed_frameworks)
    if (sight.shows(framework)) visit(framework);
}

void show(mesos::v1::ExecutorInfo* out, const Executor& executor) {
  out->CopyFrom(executor.info);
  ::api::hide_secrets(*out);
}

void fill_executors(const State& state, const Sight& sight, Answer::GetExecutors& out) {
  each_framework(state, sight, [&](const Framework& framework) {
    for (const auto& [id, executor] : framework.executors) {
      if (!sight.shows(framework, executor)) continue;
      show((executor.state == ExecutorState::Terminated ? out.add_completed_executors() : out.add_executors())
               ->mutable_executor_info(), executor);
    }
    for (const auto& executor : framework.completed_executors)
      if (sight.shows(framework, executor)) show(out.add_completed_executors()->mutable_executor_info(), executor);
  });
}

void fill_tasks(const State& state, const Sight& sight, Answer::GetTasks& out) {
  const std::string& agent = state.info.id().value();
  each_framework(state, sight, [&](const Framework& framework) {
    const auto add = [&](const Executor& executor) {
      for (const auto& [id, task] : executor.tasks) {
        if (!sight.shows(framework, task)) continue;
        auto* entry = is_terminal(task.state) ? out.add_terminated_tasks()
                      : task.sent             ? out.add_launched_tasks()
                                              : out.add_queued_tasks();
        *entry = make_task(framework, executor, task, agent);
      }
      for (const auto& task : executor.completed_tasks)
        if (sight.shows(framework, task)) *out.add_completed_tasks() = make_task(framework, executor, task, agent);
    };
    for (const auto& [id, executor] : framework.executors) add(executor);
    for (const auto& executor : framework.completed_executors) add(executor);
  });
}

/// A copy of what the containers are, for the statistics that come later.
std::vector<Answer::GetContainers::Container> list_containers(const Api& api, const std::string& principal,
                                                              const Call::GetContainers& wanted) {
  const State& state = api.state();
  std::vector<Answer::GetContainers::Container> list;
  for (const auto& [framework_id, framework] : state.frameworks)
    for (const auto& [executor_id, executor] : framework.executors) {
      if (executor.state == ExecutorState::Terminated) continue;
      if (!api.access.allows(auth::Action::ViewContainers, principal, user_of(framework, executor))) continue;
      auto& container = list.emplace_back();
      container.mutable_framework_id()->set_value(framework_id);
      container.mutable_executor_id()->set_value(executor_id);
      container.set_executor_name(executor.info.name());
      container.mutable_container_id()->set_value(executor.container_id);
      container.mutable_container_status()->mutable_container_id()->set_value(executor.container_id);
      for (const auto& network : executor.networks) *container.mutable_container_status()->add_network_infos() = network;
      if (executor.pid > 0) container.mutable_container_status()->set_executor_pid(static_cast<uint32_t>(executor.pid));
    }
  for (const auto& [id, own] : state.api_containers) {
    const bool inside = !own.parent().empty();
    if (own.stage != ApiContainer::Stage::Running || !(inside ? wanted.show_nested() : wanted.show_standalone())) continue;
    const auto owner = state.containers.find(own.root());
    const bool executors = owner != state.containers.end();
    if (!api.access.allows(executors ? auth::Action::ViewContainers : auth::Action::ViewStandaloneContainers, principal,
                           user_around(state, id)))
      continue;
    auto& container = list.emplace_back();
    if (executors) {
      container.mutable_framework_id()->set_value(owner->second.first);
      container.mutable_executor_id()->set_value(owner->second.second);
      container.set_executor_name(state.frameworks.at(owner->second.first).executors.at(owner->second.second).info.name());
    }
    *container.mutable_container_id() = container_id_of(id);
    *container.mutable_container_status()->mutable_container_id() = container.container_id();
    if (own.pid > 0) container.mutable_container_status()->set_executor_pid(static_cast<uint32_t>(own.pid));
  }
  return list;
}

void get_containers(Api& api, const std::string& principal, const Call& call, api::ContentType type, const Responder& responder) {
  api.shell.containers().usage(
      [list = list_containers(api, principal, call.get_containers()), type,
       responder](containerizer::Containerizer::Statistics statistics) {
        Answer answer;
        answer.set_type(Answer::GET_CONTAINERS);
        answer.mutable_get_containers();
        for (auto container : list) {
          if (const auto found = statistics.find(container_text(container.container_id())); found != statistics.end())
            container.mutable_resource_statistics()->CopyFrom(found->second);
          *answer.mutable_get_containers()->add_containers() = std::move(container);
        }
        reply(responder, type, answer);
      });
}

void forbid(const Responder& responder) { responder.reply(Response::text(403, "")); }

void refuse(const Responder& responder, const base::Error& error) {
  const int status = error.code == base::Code::NotFound ? 404 : error.code == base::Code::InvalidArgument ? 400 : 500;
  responder.reply(Response::text(status, error.message));
}

void list_files(Api& api, const Call& call, api::ContentType type, const Responder& responder) {
  (void)api.pool.run_for(
      [&api, asked = asked_of(api, call.list_files().path())] { return api.files.browse(asked); },
      [type, responder](base::Result<std::vector<ListedFile>> files) {
        if (!files) return refuse(responder, files.error());
        Answer answer;
        answer.set_type(Answer::LIST_FILES);
        answer.mutable_list_files();
        for (const auto& file : *files) {
          auto* info = answer.mutable_list_files()->add_file_infos();
          info->set_path(file.path);
          info->set_nlink(static_cast<int32_t>(file.links));
          info->set_size(file.size);
          info->mutable_mtime()->set_nanoseconds(file.mtime * 1'000'000'000);
          info->set_mode(file.mode_bits);
          info->set_uid(file.user);
          info->set_gid(file.group);
        }
        reply(responder, type, answer);
      });
}

void read_file(Api& api, const Call& call, api::ContentType type, const Responder& responder) {
  const auto& asked = call.read_file();
  const auto clamp = [](uint64_t value) {
    return static_cast<int64_t>(std::min<uint64_t>(value, uint64_t{1} << 62));
  };
  (void)api.pool.run_for(
      [&api, file = asked_of(api, asked.path()), offset = clamp(asked.offset()),
       length = asked.has_length() ? clamp(asked.length()) : -1] { return api.files.read(file, offset, length); },
      [type, responder](base::Result<ReadPiece> piece) {
        if (!piece) return refuse(responder, piece.error());
        Answer answer;
        answer.set_type(Answer::READ_FILE);
        answer.mutable_read_file()->set_size(piece->size);
        answer.mutable_read_file()->set_data(piece->data);
        reply(responder, type, answer);
      });
}

/// Fills the answers that need nothing but the agent's state. False: this call is not one of them.
bool answer_from_state(Api& api, const Sight& sight, const Call& call, Answer& answer) {
  const State& state = api.state();
  switch (call.type()) {
    case Call::GET_HEALTH:
      answer.set_type(Answer::GET_HEALTH);
      answer.mutable_get_health()->set_healthy(true);
      return true;
    case Call::GET_FLAGS:
      answer.set_type(Answer::GET_FLAGS);
      for (const auto& [name, value] : api.flags) {
        auto* flag = answer.mutable_get_flags()->add_flags();
        flag->set_name(name);
        flag->set_value(value);
      }
      return true;
    case Call::GET_VERSION:
      answer.set_type(Answer::GET_VERSION);
      answer.mutable_get_version()->mutable_version_info()->set_version(base::kMesosVersion);
      return true;
    case Call::GET_METRICS:
      answer.set_type(Answer::GET_METRICS);
      for (const auto& [name, value] : api.metrics.snapshot()) {
        auto* metric = answer.mutable_get_metrics()->add_metrics();
        metric->set_name(name);
        metric->set_value(value);
      }
      return true;
    case Call::GET_LOGGING_LEVEL:
      answer.set_type(Answer::GET_LOGGING_LEVEL);
      answer.mutable_get_logging_level()->set_level(static_cast<uint32_t>(api.log_level.verbosity()));
      return true;
    case Call::GET_STATE:
      answer.set_type(Answer::GET_STATE);
      fill_tasks(state, sight, *answer.mutable_get_state()->mutable_get_tasks());
      fill_executors(state, sight, *answer.mutable_get_state()->mutable_get_executors());
      fill_frameworks(state, sight, *answer.mutable_get_state()->mutable_get_frameworks());
      return true;
    case Call::GET_FRAMEWORKS:
      answer.set_type(Answer::GET_FRAMEWORKS);
      fill_frameworks(state, sight, *answer.mutable_get_frameworks());
      return true;
    case Call::GET_EXECUTORS:
      answer.set_type(Answer::GET_EXECUTORS);
      fill_executors(state, sight, *answer.mutable_get_executors());
      return true;
    case Call::GET_TASKS:
      answer.set_type(Answer::GET_TASKS);
      fill_tasks(state, sight, *answer.mutable_get_tasks());
      return true;
    case Call::GET_OPERATIONS:
      answer.set_type(Answer::GET_OPERATIONS);
      for (const auto& [uuid, operation] : state.operations) *answer.mutable_get_operations()->add_operations() = operation.proto;
      answer.mutable_get_operations();
      return true;
    case Call::GET_RESOURCE_PROVIDERS:
      answer.set_type(Answer::GET_RESOURCE_PROVIDERS);
      answer.mutable_get_resource_providers();
      for (const auto& [id, provider] : state.providers) {
        if (!provider.active || !sight.shows_providers()) continue;
        auto& entry = *answer.mutable_get_resource_providers()->add_resource_providers();
        *entry.mutable_resource_provider_info() = provider.info;
        resources::to_proto(provider.total, resources::Format::Endpoint, entry.mutable_total_resources());
      }
      return true;
    case Call::GET_AGENT:
      answer.set_type(Answer::GET_AGENT);
      answer.mutable_get_agent()->mutable_agent_info()->CopyFrom(state.info);
      if (state.drain) {
        answer.mutable_get_agent()->mutable_drain_config()->CopyFrom(*state.drain);
        answer.mutable_get_agent()->mutable_estimated_drain_start_time()->set_nanoseconds(state.drain_start.nanos());
      }
      return true;
    default: return false;
  }
}

/// Removes what images no container uses, but those that the call names.
void prune_images(const Api& api, const Call& call, const Responder& responder) {
  std::vector<std::string> kept;
  for (const auto& image : call.prune_images().excluded_images()) {
    if (image.type() != mesos::v1::Image::DOCKER || image.docker().name().empty())
      return responder.reply(Response::text(400, "prune_images.excluded_images must be of type DOCKER and have docker.name"));
    kept.push_back(image.docker().name());
  }
  if (api.images == nullptr) return responder.reply(Response::text(200, ""));
  const base::Status begun = api.images->prune(kept, [responder] { responder.reply(Response::text(200, "")); });
  if (!begun) responder.reply(Response::text(400, "prune_images.excluded_images: " + begun.error().message));
}

/// Which container a call is about; null: about none.
const mesos::v1::ContainerID* container_of(const Call& call) {
  switch (call.type()) {
    case Call::LAUNCH_NESTED_CONTAINER: return &call.launch_nested_container().container_id();
    case Call::LAUNCH_NESTED_CONTAINER_SESSION: return &call.launch_nested_container_session().container_id();
    case Call::WAIT_NESTED_CONTAINER: return &call.wait_nested_container().container_id();
    case Call::KILL_NESTED_CONTAINER: return &call.kill_nested_container().container_id();
    case Call::REMOVE_NESTED_CONTAINER: return &call.remove_nested_container().container_id();
    case Call::LAUNCH_CONTAINER: return &call.launch_container().container_id();
    case Call::WAIT_CONTAINER: return &call.wait_container().container_id();
    case Call::KILL_CONTAINER: return &call.kill_container().container_id();
    case Call::REMOVE_CONTAINER: return &call.remove_container().container_id();
    case Call::ATTACH_CONTAINER_OUTPUT: return &call.attach_container_output().container_id();
    default: return nullptr;
  }
}

bool is_executors_own(const Call& call, const std::string& container) {
  const auto* id = container_of(call);
  return id != nullptr && container_text(*id).starts_with(container + ".");
}

/// Whether the lists let `principal` launch, await, signal or remove that container. Where there is no such container around
/// it the core says so.
bool may_handle_container(const Api& api, const std::string& principal, const Call& call) {
  using auth::Action;
  const mesos::v1::ContainerID& id = *container_of(call);
  const auto around = user_around(api.state(), container_text(id));
  const bool inside = id.has_parent();
  if (inside && !around) return true;
  const auto allows = [&](Action if_inside, Action if_alone) {
    return api.access.allows(inside ? if_inside : if_alone, principal, around);
  };
  switch (call.type()) {
    case Call::LAUNCH_CONTAINER:
    case Call::LAUNCH_NESTED_CONTAINER: {
      const auto& command = call.type() == Call::LAUNCH_CONTAINER ? call.launch_container().command()
                                                                 : call.launch_nested_container().command();
      const std::string user = command.has_user() ? command.user() : around.value_or(api.shell.core().policy().default_user);
      if (!inside) return api.access.allows(Action::LaunchStandaloneContainers, principal, user);
      return api.access.allows(Action::LaunchNestedContainersAsUser, principal, user) &&
             api.access.allows(Action::LaunchNestedContainersUnderParentWithUser, principal, *around);
    }
    case Call::WAIT_CONTAINER:
    case Call::WAIT_NESTED_CONTAINER: return allows(Action::WaitNestedContainers, Action::WaitStandaloneContainers);
    case Call::KILL_CONTAINER:
    case Call::KILL_NESTED_CONTAINER: return allows(Action::KillNestedContainers, Action::KillStandaloneContainers);
    default: return allows(Action::RemoveNestedContainers, Action::RemoveStandaloneContainers);
  }
}

/// The member that a call about containers lacks: it has the name of the call's type.
std::optional<std::string> missing_member(const Call& call) {
  const std::string name = base::to_lower(Call::Type_Name(call.type()));
  const auto* field = Call::descriptor()->FindFieldByName(name);
  if (field != nullptr && call.GetReflection()->HasField(call, field)) return std::nullopt;
  return name;
}

}  // namespace

void handle_operator_api(Api& api, Request request, const Responder& responder) {
  if (api.recovering()) return responder.reply(Response::text(503, "Agent has not finished recovery"));
  if (request.method != "POST") {
    Response response = Response::text(405, "Expecting one of { 'POST' }, but received '" + request.method + "'");
    response.headers.set("Allow", "POST");
    return responder.reply(std::move(response));
  }
  const auto executor = api.access.executor(request);
  if (has_streamed_body(request)) return handle_streamed_call(api, request, responder);
  if (request.headers.has("Message-Content-Type"))
    return responder.reply(Response::text(415, "Expecting 'Message-Content-Type' only with a body of application/recordio"));
  Call call;
  if (const auto rejection = api::decode_request(request.headers.get("Content-Type"), request.body, call))
    return responder.reply(Response::text(rejection->status, rejection->message));
  if (!call.has_type())
    return responder.reply(Response::text(400, "Failed to validate agent::Call: Expecting 'type' to be present"));
  if (executor && !is_executors_own(call, executor->container_id))
    return responder.reply(Response::text(403, "An executor's token is for the containers inside its own"));
  if (streams_answer(call.type())) {
    StreamFormat format;
    if (const auto rejection = negotiate_stream(request.headers, format))
      return responder.reply(Response::text(rejection->status, rejection->message));
    if (const auto missing = missing_member(call))
      return responder.reply(Response::text(400, "Failed to validate agent::Call: Expecting '" + *missing + "' to be present"));
    return handle_streaming_answer(api, request, std::move(call), format, responder);
  }
  if (call.type() == Call::ATTACH_CONTAINER_INPUT)
    return responder.reply(Response::text(415, "Expecting 'Content-Type' of application/recordio for ATTACH_CONTAINER_INPUT"));
  const auto type = api::negotiate(request.headers.get("Accept"));
  if (!type || request.headers.has("Message-Accept"))
    return responder.reply(Response::text(406, std::string(api::kNotAcceptable)));

  Answer answer;
  const Sight sight(api.access, request.principal);
  if (call.type() == Call::GET_FLAGS && !sight.shows_flags()) return forbid(responder);
  if (answer_from_state(api, sight, call, answer)) return reply(responder, *type, answer);
  if (handle_provider_call(api, request.principal, call, responder)) return;
  switch (call.type()) {
    case Call::GET_CONTAINERS: return get_containers(api, request.principal, call, *type, responder);
    case Call::SET_LOGGING_LEVEL: {
      if (!call.has_set_logging_level())
        return responder.reply(Response::text(400, "Failed to validate agent::Call: Expecting 'set_logging_level' to be present"));
      if (!api.access.allows(auth::Action::SetLogLevel, request.principal)) return forbid(responder);
      const auto& wanted = call.set_logging_level();
      const auto done = api.log_level.set(wanted.level(), base::Duration(wanted.duration().nanoseconds()));
      return responder.reply(done ? Response::text(200, "") : Response::text(400, done.error().message));
    }
    case Call::PRUNE_IMAGES:
      if (!api.access.allows(auth::Action::PruneImages, request.principal)) return forbid(responder);
      return prune_images(api, call, responder);
    case Call::LIST_FILES:
      if (!call.has_list_files())
        return responder.reply(Response::text(400, "Failed to validate agent::Call: Expecting 'list_files' to be present"));
      if (!may_read(api, request.principal, call.list_files().path())) return forbid(responder);
      return list_files(api, call, *type, responder);
    case Call::READ_FILE:
      if (!call.has_read_file())
        return responder.reply(Response::text(400, "Failed to validate agent::Call: Expecting 'read_file' to be present"));
      if (!may_read(api, request.principal, call.read_file().path())) return forbid(responder);
      return read_file(api, call, *type, responder);
    case Call::LAUNCH_CONTAINER:
    case Call::LAUNCH_NESTED_CONTAINER:
    case Call::WAIT_CONTAINER:
    case Call::WAIT_NESTED_CONTAINER:
    case Call::KILL_CONTAINER:
    case Call::KILL_NESTED_CONTAINER:
    case Call::REMOVE_CONTAINER:
    case Call::REMOVE_NESTED_CONTAINER:
      if (const auto missing = missing_member(call))
        return responder.reply(Response::text(400, "Failed to validate agent::Call: Expecting '" + *missing + "' to be present"));
      // A token was looked at before: what is inside its container is its executor's.
      if (!executor && !may_handle_container(api, request.principal, call)) return forbid(responder);
      return api.shell.container_call(std::move(call), {*type, false}, responder);
    default:
      return responder.reply(
          Response::text(501, "The call " + Call::Type_Name(call.type()) + " is not supported by this build"));
  }
}

}  // namespace agent
