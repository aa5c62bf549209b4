#include "kernel/agent/api/access.hpp"

#include <algorithm>

#include "base/loop.hpp"
#include "kernel/auth/http.hpp"

namespace agent {

using auth::Action;
using base::http::Request;
using base::http::Response;

namespace {

constexpr std::string_view kOpen[] = {"/health", "/version", "/help", "/", "/system/stats"};
constexpr std::string_view kReadOnly[] = {"/state",        "/flags",       "/containers",     "/monitor/statistics", "/containers/explain",
                                          "/containerizer/debug",
                                          "/files/browse", "/files/read",  "/files/download", "/files/debug",
                                          "/tasks/stream", "/metrics/snapshot", "/metrics"};

bool holds(const auto& list, std::string_view path) { return std::find(std::begin(list), std::end(list), path) != std::end(list); }

Response unknown_executor() {
  Response response = Response::text(401, "");
  response.headers.set("WWW-Authenticate", "Bearer realm=\"mesos-agent-executor\"");
  return response;
}

std::optional<std::string> given(const std::string& text) { return text.empty() ? std::nullopt : std::optional(text); }

}  // namespace

Realm realm_of(std::string_view written) {
  const std::string path = auth::endpoint_name(written);
  if (holds(kOpen, path) || path.starts_with("/help/")) return Realm::Open;
  if (path == "/api/v1/executor") return Realm::Executor;
  if (holds(kReadOnly, path)) return Realm::ReadOnly;
  return Realm::ReadWrite;
}

base::Result<Access> Access::from(const Flags& flags) {
  Access out;
  out.readonly_ = flags.authenticate_http_readonly;
  out.readwrite_ = flags.authenticate_http_readwrite;
  out.executors_ = flags.authenticate_http_executors;
  out.executor_key_ = flags.jwt_secret_key.value_or("");
  if (flags.http_credentials) {
    auto read = auth::Credentials::parse(*flags.http_credentials);
    if (!read) return std::move(read).error().with_context("--http_credentials");
    out.credentials_ = std::make_shared<const auth::Credentials>(std::move(*read));
  }
  if (flags.acls) {
    auto read = auth::Acls::parse(*flags.acls);
    if (!read) return std::move(read).error().with_context("--acls");
    out.acls_ = std::make_shared<const auth::Acls>(std::move(*read));
  }
  return out;
}

std::optional<auth::ExecutorClaims> Access::executor(const Request& request) const {
  const auto token = auth::bearer_token(request);
  return token ? auth::read_executor_token(executor_key_, *token, base::system_clock().now().time) : std::nullopt;
}

std::optional<Response> Access::check(Request& request) const {
  request.principal.clear();
  const Realm realm = realm_of(request.path);
  if (realm == Realm::Executor) return executors_ && !executor(request) ? std::optional(unknown_executor()) : std::nullopt;
  if (realm == Realm::ReadWrite && auth::bearer_token(request) && !executor_key_.empty())
    return executor(request) ? std::nullopt : std::optional(unknown_executor());
  if (credentials_ && ((realm == Realm::ReadOnly && readonly_) || (realm == Realm::ReadWrite && readwrite_))) {
    const char* name = realm == Realm::ReadOnly ? "mesos-agent-readonly" : "mesos-agent-readwrite";
    if (auto refusal = auth::check_basic(*credentials_, name, request)) return refusal;
  }
  if (!auth::may_get(acls_.get(), request.principal, request.path)) return Response::text(403, "");
  return std::nullopt;
}

bool Access::allows(Action action, const std::string& principal, const std::optional<std::string>& object) const {
  return !acls_ || acls_->allows(action, given(principal), object);
}

bool Access::allows_all(Action action, const std::string& principal) const {
  return !acls_ || acls_->allows_all(action, given(principal));
}

std::string user_of(const Framework& framework, const Executor& executor) {
  return executor.info.command().has_user() ? executor.info.command().user() : framework.info.user();
}

std::optional<std::string> user_around(const State& state, const std::string& container) {
  const std::string root = container.substr(0, container.find('.'));
  if (const auto owner = state.containers.find(root); owner != state.containers.end()) {
    const Framework& framework = state.frameworks.at(owner->second.first);
    return user_of(framework, framework.executors.at(owner->second.second));
  }
  if (const auto alone = state.api_containers.find(root); alone != state.api_containers.end()) return alone->second.user;
  return std::nullopt;
}

bool may_launch_session(const Access& access, const std::string& principal, const std::string& around, const std::string& user) {
  return access.allows(Action::LaunchNestedContainerSessionsAsUser, principal, user.empty() ? around : user) &&
         access.allows(Action::LaunchNestedContainerSessionsUnderParentWithUser, principal, around);
}

bool Sight::shows(const Framework& framework) const {
  return access_.allows(Action::ViewFrameworks, principal_, framework.info.user());
}

bool Sight::shows(const Framework& framework, const Executor& executor) const {
  return access_.allows(Action::ViewExecutors, principal_, user_of(framework, executor));
}

bool Sight::shows(const Framework& framework, const Task& task) const {
  const auto& info = task.info;
  const std::string& user = info.has_command() && info.command().has_user()                       ? info.command().user()
                            : info.has_executor() && info.executor().command().has_user() ? info.executor().command().user()
                                                                                          : framework.info.user();
  return access_.allows(Action::ViewTasks, principal_, user);
}

}  // namespace agent
