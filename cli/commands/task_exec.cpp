#include <unistd.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "cli/commands.hpp"
#include "cli/container_session.hpp"
#include "cli/json_text.hpp"
#include "cli/mesos.hpp"

namespace cli {
namespace {

namespace json = boost::json;

/// The container of a running task, as JSON.
base::Result<std::string> container_of(const TaskRow& task) {
  std::string found;
  each_at(*task.task, "/statuses", [&](const json::value& status) {
    const auto* id = base::json::find(status, "/container_status/container_id");
    if (id != nullptr) found = base::json::render(*id);
  });
  if (found.empty())
    return base::not_found("the container of task " + task.id() + " is not known; does the task run?");
  return found;
}

base::Result<int> session(Context& context, const Arguments& arguments, SessionRequest request) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(json::value state, client->get_json(client->mesos("/state")));
  ASSIGN_OR_RETURN(TaskRow task, find_task(state, arguments.words[0], TaskChoice::Running));
  request.agent_id = task.agent_id();
  ASSIGN_OR_RETURN(request.container, container_of(task));
  return run_session(client->settings(), request, {context.io().out, context.io().err});
}

}  // namespace

base::Result<int> task_exec(Context& context, const Arguments& arguments) {
  SessionRequest request;
  request.command.assign(arguments.words.begin() + 1, arguments.words.end());
  request.input = arguments.has("interactive");
  request.terminal = arguments.has("tty");
  request.user = arguments.get("user");
  if (request.terminal && request.input && isatty(STDIN_FILENO) == 0)
    return base::invalid("the input device is not a terminal: leave --tty away");
  return session(context, arguments, std::move(request));
}

base::Result<int> task_attach(Context& context, const Arguments& arguments) {
  SessionRequest request;
  request.input = !arguments.has("no-stdin");
  request.terminal = isatty(STDIN_FILENO) != 0;
  return session(context, arguments, std::move(request));
}

}  // namespace cli
