#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>
#include <set>

#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/json_text.hpp"
#include "cli/marathon.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

namespace json = boost::json;

constexpr size_t kMaxCommand = 30;

std::string forced(const std::string& path, const Arguments& arguments) {
  return arguments.has("force") ? path + "?force=true" : path;
}

// What list shows of deployments and the launch queue: by app id.
struct AppActivity {
  std::map<std::string, std::string> deployment;  // "scale", "start", ...
  std::set<std::string> overdue;                  // waiting for an offer
};

std::string action_word(const std::string& action) {
  static const std::map<std::string, std::string> kWords = {{"StartApplication", "start"},
                                                            {"StopApplication", "stop"},
                                                            {"ScaleApplication", "scale"},
                                                            {"RestartApplication", "restart"},
                                                            {"StartPod", "start"},
                                                            {"StopPod", "stop"},
                                                            {"ScalePod", "scale"},
                                                            {"RestartPod", "restart"},
                                                            {"ResolveArtifacts", "artifacts"},
                                                            {"KillAllOldTasksOf", "kill-tasks"}};
  auto it = kWords.find(action);
  return it == kWords.end() ? action : it->second;
}

base::Result<AppActivity> read_activity(Client& client) {
  AppActivity out;
  ASSIGN_OR_RETURN(auto deployments, call_marathon(client, "GET", "/v2/deployments"));
  each_at(deployments, "", [&](const json::value& deployment) {
    each_at(deployment, "/affectedApps", [&](const json::value& app) {
      if (app.is_string()) out.deployment[std::string(app.get_string())] = "deploy";
    });
    each_at(deployment, "/currentActions", [&](const json::value& action) {
      out.deployment[text_at(action, "/app")] = action_word(text_at(action, "/action"));
    });
  });
  ASSIGN_OR_RETURN(auto queue, call_marathon(client, "GET", "/v2/queue"));
  each_at(queue, "/queue", [&](const json::value& item) {
    if (flag_at(item, "/delay/overdue")) out.overdue.insert(text_at(item, "/app/id"));
  });
  return out;
}

std::string health_of(const json::value& app) {
  const auto* checks = base::json::find(app, "/healthChecks");
  if (checks == nullptr || !checks->is_array() || checks->get_array().empty()) return "---";
  return fmt::format("{}/{}", text_at(app, "/tasksHealthy", "0"),
                     text_at(app, "/tasksRunning", "0"));
}

std::string command_of(const json::value& app) {
  std::string command = text_at(app, "/cmd");
  if (command.empty()) {
    each_at(app, "/args", [&](const json::value& word) {
      if (word.is_string())
        command += (command.empty() ? "" : " ") + std::string(word.get_string());
    });
  }
  for (char& c : command)
    if (c == '\n' || c == '\t' || c == '\r') c = ' ';
  if (command.empty()) return "N/A";
  if (display_width(command) <= kMaxCommand) return command;
  // Cut between characters, never inside one.
  size_t bytes = 0, seen = 0;
  while (bytes < command.size() && seen < kMaxCommand - 3) {
    ++bytes;
    while (bytes < command.size() && (static_cast<unsigned char>(command[bytes]) & 0xC0) == 0x80)
      ++bytes;
    ++seen;
  }
  return command.substr(0, bytes) + "...";
}

// "instances=3" and "env={...}" are JSON, "cmd=sleep 1" is text.
base::Result<json::value> property_value(const std::string& name, const std::string& text) {
  static const std::set<std::string> kTexts = {"id", "cmd", "user", "version", "role", "executor"};
  if (kTexts.find(name) != kTexts.end()) return json::value(json::string_view(text));
  auto value = base::json::parse(text);
  if (value) return value;
  if (!text.empty() && (text.front() == '{' || text.front() == '['))
    return base::invalid(
        fmt::format("the value of {} is not valid JSON: {}", name, value.error().message));
  return json::value(json::string_view(text));
}

base::Result<json::value> properties(Context& context, const Arguments& arguments) {
  if (arguments.words.size() == 1) return read_definition(context, "");
  json::object out;
  for (size_t i = 1; i < arguments.words.size(); ++i) {
    const std::string& word = arguments.words[i];
    size_t equal = word.find('=');
    if (equal == std::string::npos || equal == 0)
      return base::invalid(fmt::format("\"{}\" is not property=value, as in instances=3", word));
    std::string name = word.substr(0, equal);
    ASSIGN_OR_RETURN(json::value value, property_value(name, word.substr(equal + 1)));
    out[name] = std::move(value);
  }
  return json::value(std::move(out));
}

base::Result<int> set_instances(Context& context, Client& client, const Arguments& arguments,
                                const std::string& id, int64_t instances) {
  json::object body{{"instances", instances}};
  ASSIGN_OR_RETURN(auto answer, call_marathon(client, "PUT", forced(app_path(id), arguments),
                                              json::serialize(body)));
  print_deployment(context, answer);
  return 0;
}

// "-1" means the version before the current one.
base::Result<std::string> version_name(Client& client, const std::string& id,
                                       const std::string& wanted) {
  auto back = base::parse_int(wanted);
  if (!back) return wanted;
  if (*back > 0)
    return base::invalid("relative versions must be negative: -1 is the one before the current");
  ASSIGN_OR_RETURN(auto versions, call_marathon(client, "GET", app_path(id) + "/versions"));
  std::string name = text_at(versions, fmt::format("/versions/{}", -*back));
  if (name.empty())
    return base::not_found(fmt::format("application {} has no version {}", id, wanted));
  return name;
}

}  // namespace

base::Result<int> app_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "GET", "/v2/apps"));
  if (arguments.has("json")) {
    const auto* apps = base::json::find(answer, "/apps");
    context.line(apps != nullptr ? base::json::render_pretty(*apps, 4) : "[]");
    return 0;
  }
  if (arguments.has("quiet")) {
    each_at(answer, "/apps", [&](const json::value& app) { context.line(text_at(app, "/id")); });
    return 0;
  }
  ASSIGN_OR_RETURN(AppActivity activity, read_activity(*client));
  Table table({"ID", "MEM", "CPUS", "TASKS", "HEALTH", "DEPLOYMENT", "WAITING", "CONTAINER", "CMD",
               "ROLE"});
  table.align_left();
  each_at(answer, "/apps", [&](const json::value& app) {
    std::string id = text_at(app, "/id");
    auto deployment = activity.deployment.find(id);
    table.add(
        {id, text_at(app, "/mem", "0"), text_at(app, "/cpus", "0"),
         fmt::format("{}/{}", text_at(app, "/tasksRunning", "0"), text_at(app, "/instances", "1")),
         health_of(app), deployment == activity.deployment.end() ? "---" : deployment->second,
         activity.overdue.find(id) == activity.overdue.end() ? "false" : "true",
         text_at(app, "/container/type", "MESOS"), command_of(app), text_at(app, "/role", "*")});
  });
  context.out(table.render());
  return 0;
}

base::Result<int> app_add(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(json::value app,
                   read_definition(context, arguments.words.empty() ? "" : arguments.words[0]));
  if (!app.is_object()) return base::invalid("an application's definition is a JSON object");
  std::string given = text_at(app, "/id");
  if (!given.empty()) {
    std::string id = app_id(given);
    auto known = get_app(*client, id);
    if (known) return base::conflict(fmt::format("Application '{}' already exists", id));
    // An id that Marathon does not like is explained by its answer to the definition itself.
    bool absent =
        known.error().code == base::Code::NotFound || known.error().code == base::Code::Unavailable;
    if (!absent) return known.error();
  }
  ASSIGN_OR_RETURN(auto answer,
                   call_marathon(*client, "POST", "/v2/apps", base::json::render(app)));
  print_deployment(context, answer);
  return 0;
}

base::Result<int> app_show(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string id = app_id(arguments.words[0]);
  json::value app;
  if (arguments.has("app-version")) {
    ASSIGN_OR_RETURN(std::string version, version_name(*client, id, arguments.get("app-version")));
    ASSIGN_OR_RETURN(
        app,
        call_marathon(*client, "GET", app_path(id) + "/versions/" + base::percent_encode(version)));
  } else {
    ASSIGN_OR_RETURN(app, get_app(*client, id));
  }
  context.line(base::json::render_pretty(app, 4));
  return 0;
}

base::Result<int> app_update(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string id = app_id(arguments.words[0]);
  ASSIGN_OR_RETURN(json::value change, properties(context, arguments));
  if (!change.is_object()) return base::invalid("the change of an application is a JSON object");
  // PUT would make an app that does not exist, without what only its owner knows.
  ASSIGN_OR_RETURN([[maybe_unused]] auto known, get_app(*client, id));
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "PUT", forced(app_path(id), arguments),
                                              base::json::render(change)));
  print_deployment(context, answer);
  return 0;
}

base::Result<int> app_start(Context& context, const Arguments& arguments) {
  int64_t instances = 1;
  if (arguments.words.size() > 1) {
    auto number = base::parse_int(arguments.words[1]);
    if (!number || *number < 1) return base::invalid("the number of instances must be 1 or more");
    instances = *number;
  }
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string id = app_id(arguments.words[0]);
  ASSIGN_OR_RETURN(auto app, get_app(*client, id));
  int64_t running = static_cast<int64_t>(number_at(app, "/instances"));
  if (running > 0)
    return base::conflict(
        fmt::format("Application '{}' already started: {} instances.", id, running));
  return set_instances(context, *client, arguments, id, instances);
}

base::Result<int> app_stop(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string id = app_id(arguments.words[0]);
  ASSIGN_OR_RETURN(auto app, get_app(*client, id));
  if (number_at(app, "/instances") == 0)
    return base::conflict(fmt::format("Application '{}' already stopped: 0 instances.", id));
  return set_instances(context, *client, arguments, id, 0);
}

base::Result<int> app_restart(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string id = app_id(arguments.words[0]);
  ASSIGN_OR_RETURN(auto app, get_app(*client, id));
  if (number_at(app, "/instances") <= 0)
    return base::conflict(fmt::format(
        "Unable to perform rolling restart of application '{}' because it has no running "
        "tasks",
        id));
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "POST",
                                              forced(app_path(id) + "/restart", arguments), "{}"));
  print_deployment(context, answer);
  return 0;
}

base::Result<int> app_remove(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string id = app_id(arguments.words[0]);
  if (id == "/") return base::invalid("\"/\" is not an application");
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "DELETE", forced(app_path(id), arguments)));
  print_deployment(context, answer);
  return 0;
}

base::Result<int> app_kill(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string id = app_id(arguments.words[0]);
  ASSIGN_OR_RETURN([[maybe_unused]] auto app, get_app(*client, id));
  std::string path = app_path(id) + "/tasks?scale=" + (arguments.has("scale") ? "true" : "false");
  if (arguments.has("host")) path += "&host=" + base::percent_encode(arguments.get("host"));
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "DELETE", path));
  std::string deployment = text_at(answer, "/deploymentId");
  if (!deployment.empty()) {
    context.line("Started deployment: " + deployment);
    return 0;
  }
  std::vector<std::string> killed;
  each_at(answer, "/tasks",
          [&](const json::value& task) { killed.push_back("'" + text_at(task, "/id") + "'"); });
  if (killed.empty()) return base::not_found("Killed tasks: []");
  context.line("Killed tasks: [" + base::join(killed, ", ") + "]");
  return 0;
}

base::Result<int> app_version_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(int64_t most, arguments.number("max-count", 0));
  if (arguments.has("max-count") && most <= 0)
    return base::invalid("Maximum count must be a positive number");
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "GET",
                                              app_path(app_id(arguments.words[0])) + "/versions"));
  json::array versions;
  each_at(answer, "/versions", [&](const json::value& version) {
    if (most == 0 || versions.size() < static_cast<size_t>(most)) versions.push_back(version);
  });
  context.line(base::json::render_pretty(versions, 2));
  return 0;
}

}  // namespace cli
