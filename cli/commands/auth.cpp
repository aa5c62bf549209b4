
#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "cli/commands.hpp"
#include "cli/login.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

constexpr base::Duration kFarewell = base::seconds(3);

}  // namespace

base::Result<int> auth_login(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Cluster cluster, context.store().current(context.env("DCOS_CLUSTER")));
  auto client = context.client_for(cluster, "");
  ASSIGN_OR_RETURN(Challenge challenge, ask_for_challenge(*client));
  if (!challenge.wants_login) return base::unsupported("authentication disabled");
  ASSIGN_OR_RETURN(std::string token, log_in(context, *client, challenge, arguments));
  cluster.settings.set("core.dcos_acs_token", token);
  RETURN_IF_ERROR(context.store().save(cluster));
  return 0;
}

base::Result<int> auth_logout(Context& context, const Arguments&) {
  ASSIGN_OR_RETURN(Cluster cluster, context.store().current(context.env("DCOS_CLUSTER")));
  std::string token = cluster.token();
  cluster.settings.erase("core.dcos_acs_token");
  RETURN_IF_ERROR(context.store().save(cluster));
  // A cluster that is away learns nothing; the token is gone from here all the same.
  if (!token.empty())
    (void)context.client_for(cluster, token, kFarewell)->send("GET", "/acs/api/v1/auth/logout");
  return 0;
}

base::Result<int> auth_list_providers(Context& context, const Arguments& arguments) {
  Cluster cluster;
  if (!arguments.words.empty()) {
    cluster.settings.set("core.dcos_url", arguments.words[0]);
  } else {
    ASSIGN_OR_RETURN(cluster, context.cluster());
  }
  auto client = context.client_for(cluster, "");
  ASSIGN_OR_RETURN(Challenge challenge, ask_for_challenge(*client));
  if (!challenge.wants_login) return base::unsupported("authentication disabled");
  if (arguments.has("json")) {
    ASSIGN_OR_RETURN(auto document, client->get_json("/acs/api/v1/auth/providers"));
    context.line(base::json::render_pretty(document, 4));
    return 0;
  }
  ASSIGN_OR_RETURN(auto providers, ask_for_providers(*client, challenge));
  Table table({"PROVIDER ID", "LOGIN METHOD"});
  for (const Provider& provider : providers) table.add({provider.id, provider.description});
  context.out(table.render());
  return 0;
}

}  // namespace cli
