#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/json_text.hpp"
#include "cli/login.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

// A secret that others can read is none.
base::Result<std::string> read_secret(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) == 0 && (info.st_mode & 0177) != 0)
    return base::forbidden(
        fmt::format("permissions {:04o} for '{}' are too open, expected 0400 or 0600",
                    info.st_mode & 0777, path));
  ASSIGN_OR_RETURN(std::string text, base::read_file(path, 1 << 16));
  return std::string(base::trim(text));
}

}  // namespace

base::Result<bool> needs_login(Client& client) {
  ASSIGN_OR_RETURN(auto response, client.send("HEAD", "/pkgpanda/active.buildinfo.full.json"));
  if (response.status == 200) return false;
  if (response.status == 401) return true;
  return base::unavailable(fmt::format("expected status code 401, got {}", response.status));
}

base::Result<std::string> log_in(Context& context, Client& client, const Arguments& arguments) {
  if (std::string token = context.env("DCOS_CLUSTER_SETUP_ACS_TOKEN"); !token.empty()) return token;
  std::string user =
      arguments.has("username") ? arguments.get("username") : context.env("DCOS_USERNAME");
  std::string password =
      arguments.has("password") ? arguments.get("password") : context.env("DCOS_PASSWORD");
  if (arguments.has("password-file")) {
    ASSIGN_OR_RETURN(password, read_secret(arguments.get("password-file")));
  }
  if (user.empty() || password.empty())
    return base::Error{
        base::Code::Unauthenticated,
        "this cluster wants a login: give --username and --password-file, or set DCOS_USERNAME and "
        "DCOS_PASSWORD"};
  boost::json::object body{{"uid", user}, {"password", password}};
  base::http::Headers headers{{"Content-Type", "application/json"}};
  ASSIGN_OR_RETURN(auto response, client.send("POST", "/acs/api/v1/auth/login",
                                              boost::json::serialize(body), headers));
  auto answer = base::json::parse(response.body);
  if (response.status == 200 && answer) {
    std::string token = text_at(*answer, "/token");
    if (!token.empty()) return token;
  }
  std::string reason = answer ? text_at(*answer, "/description") : "";
  if (reason.empty()) reason = fmt::format("HTTP {} error", response.status);
  return base::Error{base::Code::Unauthenticated, reason};
}

base::Result<int> auth_login(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Cluster cluster, context.store().current(context.env("DCOS_CLUSTER")));
  auto client = context.client_for(cluster.url(), "");
  ASSIGN_OR_RETURN(bool needed, needs_login(*client));
  if (!needed) return base::unsupported("authentication disabled");
  ASSIGN_OR_RETURN(std::string token, log_in(context, *client, arguments));
  cluster.settings.set("core.dcos_acs_token", token);
  RETURN_IF_ERROR(context.store().save(cluster));
  return 0;
}

base::Result<int> auth_logout(Context& context, const Arguments&) {
  ASSIGN_OR_RETURN(Cluster cluster, context.store().current(context.env("DCOS_CLUSTER")));
  cluster.settings.erase("core.dcos_acs_token");
  RETURN_IF_ERROR(context.store().save(cluster));
  return 0;
}

base::Result<int> auth_list_providers(Context& context, const Arguments& arguments) {
  std::string url;
  if (!arguments.words.empty()) {
    url = arguments.words[0];
  } else {
    ASSIGN_OR_RETURN(Cluster cluster, context.cluster());
    url = cluster.url();
  }
  auto client = context.client_for(url, "");
  ASSIGN_OR_RETURN(bool needed, needs_login(*client));
  if (!needed) return base::unsupported("authentication disabled");
  ASSIGN_OR_RETURN(auto providers, client->get_json("/acs/api/v1/auth/providers"));
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(providers, 4));
    return 0;
  }
  Table table({"PROVIDER ID", "LOGIN METHOD"});
  if (providers.is_object())
    for (const auto& [id, provider] : providers.get_object())
      table.add({std::string(id), text_at(provider, "/description")});
  context.out(table.render());
  return 0;
}

}  // namespace cli
