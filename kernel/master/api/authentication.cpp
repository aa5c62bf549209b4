#include "kernel/master/api/authentication.hpp"

#include <algorithm>
#include <string>

#include "kernel/auth/http.hpp"

namespace master {

using base::http::Request;
using base::http::Response;

namespace {

constexpr std::string_view kOpen[] = {"/health", "/version", "/redirect", "/system/stats", "/help", "/", "/agent-link"};
constexpr std::string_view kReadOnly[] = {"/state", "/state-summary", "/slaves",       "/frameworks",         "/tasks",
                                          "/roles", "/flags",         "/files/browse", "/files/read",         "/files/download",
                                          "/files/debug", "/maintenance/status", "/allocator/explain",
                                          "/metrics/snapshot", "/metrics", "/registrar(1)/registry"};

const char* name_of(Realm realm) {
  switch (realm) {
    case Realm::ReadOnly: return "mesos-master-readonly";
    case Realm::Scheduler: return "mesos-master-scheduler";
    default: return "mesos-master-readwrite";
  }
}

bool holds(const auto& list, std::string_view path) { return std::find(std::begin(list), std::end(list), path) != std::end(list); }

}  // namespace

Realm realm_of(std::string_view written, std::string_view method) {
  const std::string path = auth::endpoint_name(written);
  if (path == "/api/v1/scheduler" || path.starts_with("/api/v1/scheduler/")) return Realm::Scheduler;
  if (holds(kOpen, path) || path.starts_with("/help/")) return Realm::Open;
  if (holds(kReadOnly, path)) return Realm::ReadOnly;
  if (path == "/quota" && method == "GET") return Realm::ReadOnly;
  return Realm::ReadWrite;
}

Authentication::Authentication(std::shared_ptr<const auth::Credentials> credentials, bool readonly, bool readwrite, bool schedulers)
    : credentials_(std::move(credentials)), readonly_(readonly), readwrite_(readwrite), schedulers_(schedulers) {}

bool Authentication::required(Realm realm) const {
  switch (realm) {
    case Realm::Open: return false;
    case Realm::ReadOnly: return readonly_;
    case Realm::ReadWrite: return readwrite_;
    case Realm::Scheduler: return schedulers_;
  }
  return true;
}

std::optional<Response> Authentication::check(Request& request) const {
  request.principal.clear();
  const Realm realm = realm_of(request.path, request.method);
  if (!required(realm)) return std::nullopt;
  return auth::check_basic(credentials_ ? *credentials_ : auth::Credentials(), name_of(realm), request);
}

}  // namespace master
