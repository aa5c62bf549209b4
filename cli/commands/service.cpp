#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/json_text.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

namespace json = boost::json;

std::string one_decimal(double value) {
  return fmt::format("{:.1f}", value);
}

}  // namespace

base::Result<int> service_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(auto state, client->get_json(client->mesos("/state")));
  bool completed = arguments.has("completed");
  bool inactive = arguments.has("inactive");
  json::array list;
  Table table({"NAME", "HOST", "ACTIVE", "TASKS", "CPU", "MEM", "DISK", "ID"});
  each_at(state, completed ? "/completed_frameworks" : "/frameworks",
          [&](const json::value& framework) {
            bool active = flag_at(framework, "/active");
            if (!completed && !active && !inactive) return;
            if (arguments.has("quiet")) return context.line(text_at(framework, "/id"));
            list.push_back(framework);
            const auto* tasks = base::json::find(framework, "/tasks");
            size_t count = tasks != nullptr && tasks->is_array() ? tasks->get_array().size() : 0;
            table.add({text_at(framework, "/name"), text_at(framework, "/hostname"),
                       active ? "True" : "False", std::to_string(count),
                       one_decimal(number_at(framework, "/used_resources/cpus")),
                       one_decimal(number_at(framework, "/used_resources/mem")),
                       one_decimal(number_at(framework, "/used_resources/disk")),
                       text_at(framework, "/id")});
          });
  if (arguments.has("quiet")) return 0;
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(list, 4));
  } else {
    context.out(table.render());
  }
  return 0;
}

base::Result<int> service_shutdown(Context& context, const Arguments& arguments) {
  const std::string& id = arguments.words[0];
  ASSIGN_OR_RETURN(Client * client, context.client());
  if (!arguments.has("yes")) {
    if (!context.io().input_is_terminal)
      return base::invalid("shutting down a service ends all its tasks: add --yes");
    context.out(fmt::format(
        "WARNING: This will end all tasks of service {} for ever. Continue? [yes/no] ", id));
    ASSIGN_OR_RETURN(std::string answer, context.io().read_input());
    std::string_view word = base::trim(answer);
    if (word != "yes" && word != "y") return base::invalid("nothing was shut down");
  }
  json::object call{{"type", "TEARDOWN"}, {"teardown", {{"framework_id", {{"value", id}}}}}};
  base::http::Headers headers{{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  ASSIGN_OR_RETURN(auto response,
                   client->send("POST", client->mesos("/api/v1"), json::serialize(call), headers));
  if (response.status != 200 && response.status != 202) return http_error(response);
  return 0;
}

}  // namespace cli
