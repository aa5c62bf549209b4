#include "admin-router/routes.hpp"

namespace admin_router {
namespace {

constexpr bool kExact = true, kPrefix = false;

constexpr Route kRoutes[] = {
    {"/mesos", kExact, Target::Redirect, Access::Open, "adds the slash"},
    {"/mesos/", kPrefix, Target::Master, Access::Token, "the leading Mesos master"},
    {"/cache/master/", kPrefix, Target::MasterUncut, Access::Token,
     "the leading Mesos master, older path"},
    {"/service", kExact, Target::Absent, Access::Open, "needs a name behind it"},
    {"/service/", kPrefix, Target::Service, Access::Token,
     "a framework by name or id, or an app by its label"},
    {"/marathon", kExact, Target::MarathonRedirect, Access::Open, "adds the slash"},
    {"/marathon/", kPrefix, Target::MarathonAlias, Access::Token, "the same as /service/marathon/"},
    {"/agent/", kPrefix, Target::Agent, Access::Token, "an agent by id"},
    {"/slave/", kPrefix, Target::Agent, Access::Token, "an agent by id, older path"},
    {"/system/v1/agent/", kPrefix, Target::AgentSystem, Access::Token,
     "facts about one agent's node"},
    {"/system/v1/leader/", kPrefix, Target::Absent, Access::Token, "logs of the leading node"},
    {"/system/", kPrefix, Target::Absent, Access::Token,
     "health, checks, logs and metrics of nodes"},
    {"/metadata", kExact, Target::Metadata, Access::Token, "the cluster's id and address"},
    {"/dcos-metadata/dcos-version.json", kExact, Target::Version, Access::Open,
     "version of the distribution"},
    {"/dcos-metadata/ui-config.json", kExact, Target::UiConfig, Access::Open,
     "settings of the dashboard"},
    {"/dcos-metadata/", kPrefix, Target::Absent, Access::Token, "other metadata"},
    {"/pkgpanda/active.buildinfo.full.json", kExact, Target::BuildInfo, Access::Token,
     "what the build is made of"},
    {"/pkgpanda/", kPrefix, Target::Absent, Access::Token, "packages of the node"},
    {"/acs/api/v1/auth/providers", kExact, Target::AuthProviders, Access::Open, "ways to log in"},
    {"/acs/api/v1/auth/", kPrefix, Target::Auth, Access::Open, "log in and out"},
    {"/acs/api/v1/", kPrefix, Target::Auth, Access::Token, "users"},
    {"/acs/", kPrefix, Target::Absent, Access::Token, "users"},
    {"/login", kExact, Target::Login, Access::Open, "the dashboard's login"},
    {"/health", kExact, Target::Health, Access::Open, "state of the gateway and its sources"},
    {"/nginx/metrics", kExact, Target::Metrics, Access::Token,
     "numbers of the gateway, Prometheus text"},
    {"/mesos_dns", kExact, Target::Redirect, Access::Open, "adds the slash"},
    {"/mesos_dns/", kPrefix, Target::Backend, Access::Token, "name service", Backend::MesosDns,
     "/mesos_dns"},
    {"/net", kExact, Target::Redirect, Access::Open, "adds the slash"},
    {"/net/", kPrefix, Target::Backend, Access::Token, "load balancer and networks", Backend::Net,
     "/net"},
    {"/navstar/", kPrefix, Target::Absent, Access::Token, "gossip key"},
    {"/navstar/lashup/key", kExact, Target::Backend, Access::Token, "gossip key", Backend::Net,
     "/navstar"},
    {"/networking/", kPrefix, Target::Absent, Access::Token, "overlay networks"},
    {"/package/", kPrefix, Target::Backend, Access::Token, "package manager", Backend::Package},
    {"/capabilities", kExact, Target::Backend, Access::Token, "package manager", Backend::Package},
    {"/capabilities/", kPrefix, Target::Backend, Access::Token, "package manager",
     Backend::Package},
    {"/cosmos/", kPrefix, Target::Absent, Access::Token, "package manager"},
    {"/cosmos/service/", kPrefix, Target::Backend, Access::Token, "package manager",
     Backend::Package, "/cosmos"},
    {"/exhibitor/", kPrefix, Target::Absent, Access::Token, "ZooKeeper's supervisor"},
    {"/secrets/", kPrefix, Target::Absent, Access::Token, "secrets"},
    {"/ca/", kPrefix, Target::Absent, Access::Open, "certificate authority"},
    {"/cluster/", kPrefix, Target::Absent, Access::Token, "linked clusters"},
    {"/dcos-ui-update-service/", kPrefix, Target::Absent, Access::Token,
     "updates of the dashboard"},
    {"/nginx/", kPrefix, Target::Absent, Access::Token, "other numbers"},
    {"/", kPrefix, Target::Static, Access::Open, "the dashboard's files"},
};

}  // namespace

std::span<const Route> routes() {
  return kRoutes;
}

const Route& find_route(std::string_view path) {
  const Route* best = &kRoutes[std::size(kRoutes) - 1];
  for (const Route& route : kRoutes) {
    if (route.path.size() < best->path.size()) continue;
    bool match = route.exact ? path == route.path : path.starts_with(route.path);
    if (match && (route.path.size() > best->path.size() || route.exact)) best = &route;
  }
  return *best;
}

}  // namespace admin_router
