// Deployments and tasks of Marathon, and Marathon itself.

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/json_text.hpp"
#include "cli/marathon.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

namespace json = boost::json;

std::string lines_of(const json::value& value, std::string_view pointer) {
  std::string out;
  each_at(value, pointer, [&](const json::value& item) {
    if (item.is_string()) out += (out.empty() ? "" : "\n") + std::string(item.get_string());
  });
  return out.empty() ? "-" : out;
}

std::string actions_of(const json::value& deployment) {
  std::string out;
  each_at(deployment, "/currentActions", [&](const json::value& action) {
    std::string word = base::to_lower(text_at(action, "/action"));
    for (const char* ending : {"application", "pod"})
      if (word.ends_with(ending)) word.resize(word.size() - std::string_view(ending).size());
    out += (out.empty() ? "" : "\n") + word;
  });
  return out.empty() ? "-" : out;
}

bool touches(const json::value& deployment, const std::string& id) {
  bool found = false;
  for (const char* list : {"/affectedApps", "/affectedPods"})
    each_at(deployment, list, [&](const json::value& item) {
      found = found || (item.is_string() && item.get_string() == id);
    });
  return found;
}

base::Result<json::array> deployments(Client& client) {
  ASSIGN_OR_RETURN(auto answer, call_marathon(client, "GET", "/v2/deployments"));
  if (!answer.is_array()) return base::unavailable("Marathon's list of deployments is malformed");
  return answer.get_array();
}

// The deployment, or null when it has ended.
base::Result<json::value> find_deployment(Client& client, const std::string& id) {
  ASSIGN_OR_RETURN(json::array all, deployments(client));
  for (const json::value& deployment : all)
    if (text_at(deployment, "/id") == id) return json::value(deployment);
  return json::value(nullptr);
}

base::Result<json::array> marathon_tasks(Client& client) {
  ASSIGN_OR_RETURN(auto answer, call_marathon(client, "GET", "/v2/tasks"));
  const auto* tasks = base::json::find(answer, "/tasks");
  if (tasks == nullptr || !tasks->is_array())
    return base::unavailable("Marathon's list of tasks is malformed");
  return tasks->get_array();
}

// By exact id, or by an unambiguous beginning of it.
base::Result<json::value> find_marathon_task(Client& client, const std::string& id) {
  ASSIGN_OR_RETURN(json::array tasks, marathon_tasks(client));
  std::vector<const json::value*> found;
  for (const json::value& task : tasks) {
    std::string known = text_at(task, "/id");
    if (known == id) return json::value(task);
    if (known.starts_with(id)) found.push_back(&task);
  }
  if (found.empty()) return base::not_found(fmt::format("Task '{}' does not exist", id));
  if (found.size() > 1)
    return base::conflict(
        fmt::format("{} tasks begin with '{}'; give more of the id", found.size(), id));
  return json::value(*found.front());
}

std::string healthy(const json::value& task) {
  bool good = true;
  each_at(task, "/healthCheckResults",
          [&](const json::value& result) { good = good && flag_at(result, "/alive"); });
  return good ? "True" : "False";
}

}  // namespace

base::Result<int> marathon_about(Context& context, const Arguments&) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(auto info, call_marathon(*client, "GET", "/v2/info"));
  context.line(base::json::render_pretty(info, 4));
  return 0;
}

base::Result<int> marathon_ping(Context& context, const Arguments&) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(auto response, client->send("GET", client->marathon("/ping")));
  if (response.status != 200) return http_error(response);
  std::string answer(base::trim(response.body));
  if (!answer.starts_with('"')) answer = "\"" + answer + "\"";
  context.line("Marathon ping response[1x]: " + answer);
  return 0;
}

base::Result<int> deployment_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(json::array all, deployments(*client));
  std::string wanted = arguments.words.empty() ? "" : app_id(arguments.words[0]);
  json::array list;
  for (const json::value& deployment : all)
    if (wanted.empty() || touches(deployment, wanted)) list.push_back(deployment);
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(list, 4));
    return 0;
  }
  if (arguments.has("quiet")) {
    for (const json::value& deployment : list) context.line(text_at(deployment, "/id"));
    return 0;
  }
  if (list.empty())
    return base::not_found(wanted.empty()
                               ? "There are no deployments"
                               : fmt::format("There are no deployments for '{}'", wanted));
  Table table({"APP", "POD", "ACTION", "PROGRESS", "ID"}, Table::Style::Plain);
  for (const json::value& deployment : list)
    table.add({lines_of(deployment, "/affectedApps"), lines_of(deployment, "/affectedPods"),
               actions_of(deployment),
               fmt::format("{}/{}", text_at(deployment, "/currentStep", "0"),
                           text_at(deployment, "/totalSteps", "0")),
               text_at(deployment, "/id")});
  context.out(table.render());
  return 0;
}

base::Result<int> deployment_rollback(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string path = "/v2/deployments/" + base::percent_encode(arguments.words[0]);
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "DELETE", path));
  context.line(base::json::render_pretty(answer, 4));
  return 0;
}

base::Result<int> deployment_stop(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string path = "/v2/deployments/" + base::percent_encode(arguments.words[0]) + "?force=true";
  ASSIGN_OR_RETURN([[maybe_unused]] auto answer, call_marathon(*client, "DELETE", path));
  return 0;
}

base::Result<int> deployment_watch(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(int64_t most, arguments.number("max-count", 300));
  ASSIGN_OR_RETURN(int64_t interval, arguments.number("interval", 1));
  ASSIGN_OR_RETURN(Client * client, context.client());
  std::string shown;
  for (int64_t looks = 0; looks < most; ++looks) {
    ASSIGN_OR_RETURN(json::value deployment, find_deployment(*client, arguments.words[0]));
    if (deployment.is_null()) return 0;
    std::string now = fmt::format("{}/{} {}", text_at(deployment, "/currentStep"),
                                  text_at(deployment, "/totalSteps"),
                                  base::replace_all(actions_of(deployment), "\n", ", "));
    if (now != shown) context.note("Deployment update: " + now);
    shown = now;
    client->pause(base::seconds(std::max<int64_t>(interval, 0)));
  }
  return base::Error{base::Code::Timeout,
                     fmt::format("deployment {} still runs", arguments.words[0])};
}

base::Result<int> marathon_task_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(json::array all, marathon_tasks(*client));
  std::string wanted = arguments.words.empty() ? "" : app_id(arguments.words[0]);
  json::array list;
  Table table({"APP", "HEALTHY", "STARTED", "HOST", "ID", "ROLE"}, Table::Style::Plain);
  for (const json::value& task : all) {
    std::string app = text_at(task, "/appId");
    if (!wanted.empty() && app != wanted) continue;
    list.push_back(task);
    table.add({app, healthy(task), text_at(task, "/startedAt", "N/A"), text_at(task, "/host"),
               text_at(task, "/id"), text_at(task, "/role", "*")});
    if (arguments.has("quiet")) context.line(text_at(task, "/id"));
  }
  if (arguments.has("quiet")) return 0;
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(list, 4));
  } else {
    context.out(table.render());
  }
  return 0;
}

base::Result<int> marathon_task_show(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(json::value task, find_marathon_task(*client, arguments.words[0]));
  context.line(base::json::render_pretty(task, 4));
  return 0;
}

base::Result<int> marathon_task_stop(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(json::value task, find_marathon_task(*client, arguments.words[0]));
  std::string path =
      app_path(text_at(task, "/appId")) + "/tasks/" + base::percent_encode(text_at(task, "/id"));
  if (arguments.has("wipe")) path += "?wipe=true";
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "DELETE", path));
  const json::value* stopped = base::json::find(answer, "/task");
  context.line(base::json::render_pretty(stopped != nullptr ? *stopped : task, 4));
  return 0;
}

base::Result<int> marathon_task_kill(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  json::array ids;
  for (const std::string& word : arguments.words) {
    ASSIGN_OR_RETURN(json::value task, find_marathon_task(*client, word));
    ids.push_back(json::string_view(text_at(task, "/id")));
  }
  std::string path = fmt::format("/v2/tasks/delete?scale={}&wipe={}", arguments.has("scale"),
                                 arguments.has("wipe"));
  ASSIGN_OR_RETURN(auto answer, call_marathon(*client, "POST", path,
                                              json::serialize(json::object{{"ids", ids}})));
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(answer, 4));
    return 0;
  }
  std::string deployment = text_at(answer, "/deploymentId");
  if (!deployment.empty()) {
    context.line("Started deployment: " + deployment);
    return 0;
  }
  std::vector<std::string> killed;
  each_at(answer, "/tasks",
          [&](const json::value& task) { killed.push_back("'" + text_at(task, "/id") + "'"); });
  context.line("Killed tasks: [" + base::join(killed, ", ") + "]");
  return 0;
}

}  // namespace cli
