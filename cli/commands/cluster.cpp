#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/json_text.hpp"
#include "cli/login.hpp"
#include "cli/table.hpp"
#include "cli/version.hpp"

namespace cli {
namespace {

namespace json = boost::json;

constexpr base::Duration kProbe = base::seconds(3);

// The cluster's version, absent when it does not answer.
std::optional<json::value> version_of(Context& context, const Cluster& cluster) {
  ClientSettings settings;
  settings.url = cluster.url();
  settings.token = cluster.token();
  settings.timeout = kProbe;
  set_tls(cluster, settings);
  if (context.verbosity > 0)
    settings.trace = [&context](std::string_view text) { context.note(text); };
  Client client(std::move(settings));
  auto version = client.get_json("/dcos-metadata/dcos-version.json");
  if (!version) return std::nullopt;
  return *version;
}

std::string normal_url(std::string url) {
  if (url.find("://") == std::string::npos) url = "https://" + url;
  size_t host = url.find("://") + 3;
  size_t end = url.find('/', host);
  std::string lower = base::to_lower(url.substr(0, end));
  url = lower + (end == std::string::npos ? "" : url.substr(end));
  while (url.ends_with('/')) url.pop_back();
  return url;
}

base::Result<std::string> cluster_id_of(Client& client) {
  ASSIGN_OR_RETURN(auto metadata, client.get_json("/metadata"));
  std::string id = text_at(metadata, "/CLUSTER_ID");
  if (id.empty())
    return base::unavailable(
        "the cluster tells no id at /metadata; its gateway needs --data_dir or --cluster_id");
  // The id names a directory of ours.
  for (char c : id)
    if ((c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && c != '-' &&
        c != '_')
      return base::unavailable("the cluster's id holds characters that it should not hold");
  return id;
}

void say_what_next(Context& context, const Cluster& cluster) {
  context.note(fmt::format("{} is attached: {}", cluster.name(), cluster.url()));
}

}  // namespace

base::Result<int> print_version(Context& context) {
  context.line(fmt::format("dcoscli.version={}", kVersion));
  auto cluster = context.cluster();
  if (!cluster || cluster->url().empty()) return 0;
  auto version = version_of(context, *cluster);
  auto field = [&](std::string_view pointer) {
    return version ? text_at(*version, pointer, "N/A") : std::string("N/A");
  };
  context.line("dcos.version=" + field("/version"));
  context.line("dcos.variant=" + field("/dcos-variant"));
  context.line("dcos.commit=" + field("/dcos-image-commit"));
  context.line("dcos.bootstrap-id=" + field("/bootstrap-id"));
  return 0;
}

base::Result<int> cluster_setup(Context& context, const Arguments& arguments) {
  std::string url = normal_url(arguments.words[0]);
  ClientSettings settings;
  settings.url = url;
  settings.verify_tls = !arguments.has("insecure");
  settings.ca_file = arguments.get("ca-certs");
  if (context.verbosity > 0)
    settings.trace = [&context](std::string_view text) { context.note(text); };
  auto client = std::make_unique<Client>(settings);
  ASSIGN_OR_RETURN(auto front, client->send("HEAD", "/"));
  if (front.status != 200)
    return base::unavailable(fmt::format(
        "couldn't detect a canonical cluster URL: {} answers HTTP {}", url, front.status));

  ASSIGN_OR_RETURN(Challenge challenge, ask_for_challenge(*client));
  if (challenge.wants_login) {
    ASSIGN_OR_RETURN(settings.token, log_in(context, *client, challenge, arguments));
    client = std::make_unique<Client>(settings);
  } else {
    context.note("This cluster does not require authenticated requests. Skipping login.");
  }
  Cluster cluster;
  ASSIGN_OR_RETURN(cluster.id, cluster_id_of(*client));
  std::string name = arguments.get("name");
  if (name.empty()) {
    auto summary = client->get_json(client->mesos("/state-summary"));
    if (summary) name = text_at(*summary, "/cluster");
    if (name.empty()) name = cluster.id;
  }
  // A cluster that is known already keeps what else was set for it.
  if (auto known = context.store().find(cluster.id, true); known && known->id == cluster.id)
    cluster = *known;
  cluster.settings.set("core.dcos_url", url);
  if (challenge.wants_login) {
    cluster.settings.set("core.dcos_acs_token", settings.token);
  } else {
    cluster.settings.erase("core.dcos_acs_token");
  }
  if (arguments.has("insecure")) cluster.settings.set("core.ssl_verify", "false");
  if (arguments.has("ca-certs")) cluster.settings.set("core.ssl_verify", arguments.get("ca-certs"));
  if (arguments.has("no-timeout")) cluster.settings.set("core.timeout", "0", false);
  cluster.settings.set("cluster.name", name);
  RETURN_IF_ERROR(context.store().save(cluster));
  RETURN_IF_ERROR(context.store().attach(cluster.id));
  say_what_next(context, cluster);
  return 0;
}

base::Result<int> cluster_attach(Context& context, const Arguments& arguments) {
  auto found = context.store().find(arguments.words[0], false);
  if (!found)
    return base::Error{found.error().code, fmt::format("{}: \"{}\". Please run `dcos cluster list`",
                                                       found.error().message, arguments.words[0])};
  RETURN_IF_ERROR(context.store().attach(found->id));
  return 0;
}

base::Result<int> cluster_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(auto clusters, context.store().clusters());
  json::array list;
  Table table({"", "NAME", "ID", "STATUS", "VERSION", "URL"});
  for (const Cluster& cluster : clusters) {
    if (arguments.has("attached") && !cluster.attached) continue;
    if (arguments.has("names")) {
      context.line(cluster.name());
      continue;
    }
    auto version = version_of(context, cluster);
    std::string status = version ? "AVAILABLE" : "UNAVAILABLE";
    std::string number = version ? text_at(*version, "/version", "UNKNOWN") : "UNKNOWN";
    list.push_back(json::object{{"attached", cluster.attached},
                                {"cluster_id", cluster.id},
                                {"name", cluster.name()},
                                {"status", status},
                                {"url", cluster.url()},
                                {"version", number}});
    table.add(
        {cluster.attached ? "*" : "", cluster.name(), cluster.id, status, number, cluster.url()});
  }
  if (arguments.has("names")) return 0;
  if (arguments.has("attached") && list.empty())
    return base::not_found(
        "no cluster is attached. Please run `dcos cluster attach <cluster-name>`");
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(list, 4));
  } else {
    context.out(table.render());
  }
  return 0;
}

base::Result<int> cluster_remove(Context& context, const Arguments& arguments) {
  bool many = arguments.has("all") || arguments.has("unavailable");
  if (many && !arguments.words.empty())
    return base::invalid("cannot accept both a cluster name and the --all / --unavailable option");
  if (!many && arguments.words.empty())
    return base::invalid(
        "either a cluster name or one of the --all / --unavailable option must be passed");
  if (!many) {
    ASSIGN_OR_RETURN(Cluster cluster, context.store().find(arguments.words[0], false));
    RETURN_IF_ERROR(context.store().remove(cluster));
    return 0;
  }
  ASSIGN_OR_RETURN(auto clusters, context.store().clusters());
  for (const Cluster& cluster : clusters) {
    if (arguments.has("unavailable") && version_of(context, cluster)) continue;
    RETURN_IF_ERROR(context.store().remove(cluster));
  }
  return 0;
}

base::Result<int> cluster_rename(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Cluster cluster, context.store().find(arguments.words[0], false));
  auto taken = context.store().find(arguments.words[1], true);
  if (taken && taken->id != cluster.id)
    return base::conflict(fmt::format("a cluster named \"{}\" exists already", arguments.words[1]));
  cluster.settings.set("cluster.name", arguments.words[1]);
  RETURN_IF_ERROR(context.store().save(cluster));
  return 0;
}

}  // namespace cli
