#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/commands.hpp"
#include "cli/json_text.hpp"
#include "cli/mesos.hpp"
#include "cli/table.hpp"

namespace cli {
namespace {

namespace json = boost::json;

constexpr int64_t kDefaultLines = 10;
constexpr uint64_t kPiece = 256 << 10;
constexpr base::Duration kLook = base::milliseconds(300);
constexpr int kMaxDepth = 64;

// One file of a sandbox, read in pieces through its agent.
class RemoteFile {
 public:
  RemoteFile(Client& client, const std::string& agent, const std::string& path)
      : client_(&client),
        base_(fmt::format("/agent/{}/files/read?path={}", agent, base::percent_encode(path))) {}

  /// The file's length.
  base::Result<uint64_t> size() {
    ASSIGN_OR_RETURN(auto answer, client_->get_json(base_ + "&offset=-1"));
    return static_cast<uint64_t>(number_at(answer, "/offset"));
  }

  /// Up to `length` bytes from `offset`; fewer at the end.
  base::Result<std::string> read(uint64_t offset, uint64_t length) {
    ASSIGN_OR_RETURN(auto answer, client_->get_json(fmt::format("{}&offset={}&length={}", base_,
                                                                offset, length)));
    return text_at(answer, "/data");
  }

 private:
  Client* client_;
  std::string base_;
};

// Where the last `lines` lines begin.
base::Result<uint64_t> start_of_tail(RemoteFile& file, uint64_t size, int64_t lines) {
  uint64_t at = size;
  int64_t left = lines;
  bool last_byte = true;
  while (at > 0) {
    uint64_t from = at > kPiece ? at - kPiece : 0;
    ASSIGN_OR_RETURN(std::string piece, file.read(from, at - from));
    for (size_t i = piece.size(); i > 0; --i) {
      if (piece[i - 1] == '\n' && !last_byte && --left == 0) return from + i;
      last_byte = false;
    }
    at = from;
  }
  return uint64_t{0};
}

std::string join_path(const std::string& directory, std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  return path.empty() ? directory : directory + "/" + std::string(path);
}

// A log that is being printed. When it reaches its limit, the agent renames it to `older` and begins anew.
struct Followed {
  std::string task;
  RemoteFile file, older;
  uint64_t at = 0;
  bool announced = false;
};

base::Result<Followed> open_log(Client& client, const TaskRow& task, const std::string& name,
                                int64_t lines) {
  ASSIGN_OR_RETURN(std::string sandbox, sandbox_of(client, task));
  const std::string path = join_path(sandbox, name);
  Followed out{task.id(), RemoteFile(client, task.agent_id(), path), RemoteFile(client, task.agent_id(), path + ".1")};
  auto size = out.file.size();
  if (!size && size.error().code == base::Code::NotFound)
    return base::not_found(fmt::format("task {} has no file \"{}\". Please run `dcos task ls {}`",
                                       task.id(), name, task.id()));
  if (!size) return size.error();
  out.at = *size;
  if (lines > 0) {
    ASSIGN_OR_RETURN(out.at, start_of_tail(out.file, *size, lines));
  }
  return out;
}

base::Result<TaskRow> chosen_task(Client& client, const Arguments& arguments, json::value& state) {
  ASSIGN_OR_RETURN(state, client.get_json(client.mesos("/state")));
  return find_task(state, arguments.words[0], task_choice(arguments));
}

base::Result<json::value> browse(Client& client, const std::string& agent,
                                 const std::string& path) {
  auto files = client.get_json(
      fmt::format("/agent/{}/files/browse?path={}", agent, base::percent_encode(path)));
  if (!files && files.error().code == base::Code::NotFound)
    return base::not_found("no such file or directory in the sandbox");
  return files;
}

base::Status download_file(Context& context, Client& client, const std::string& agent,
                           const std::string& path, const std::string& target) {
  base::Fd out(::open(target.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644));
  if (!out) return base::errno_error(target, errno);
  auto answer = client.send(
      "GET", fmt::format("/agent/{}/files/download?path={}", agent, base::percent_encode(path)));
  if (!answer) return answer.error();
  if (answer->status != 200) return http_error(*answer);
  std::string_view rest = answer->body;
  while (!rest.empty()) {
    ssize_t wrote = ::write(out.get(), rest.data(), rest.size());
    if (wrote < 0) return base::errno_error(target, errno);
    rest.remove_prefix(static_cast<size_t>(wrote));
  }
  context.note(target);
  return {};
}

// Names come from the cluster: one that would leave the target directory is refused.
base::Status download_tree(Context& context, Client& client, const std::string& agent,
                           const std::string& path, const std::string& target, int depth) {
  if (depth > kMaxDepth) return base::invalid("the directories are nested too deeply");
  ASSIGN_OR_RETURN(auto files, browse(client, agent, path));
  RETURN_IF_ERROR(base::make_directories(target));
  if (!files.is_array()) return base::invalid("the agent's list of files is malformed");
  for (const json::value& file : files.get_array()) {
    std::string full = text_at(file, "/path");
    std::string name = full.substr(full.rfind('/') + 1);
    if (name.empty() || name == "." || name == "..")
      return base::invalid("the agent names a file \"" + full + "\"");
    bool directory = text_at(file, "/mode").starts_with('d');
    base::Status done =
        directory ? download_tree(context, client, agent, full, target + "/" + name, depth + 1)
                  : download_file(context, client, agent, full, target + "/" + name);
    RETURN_IF_ERROR(std::move(done));
  }
  return {};
}

// What comes next of a log: of the file that it was before it was turned over, then of the new one.
base::Result<std::string> next_piece(Followed& log) {
  ASSIGN_OR_RETURN(std::string piece, log.file.read(log.at, kPiece));
  if (piece.empty() && log.at > 0) {
    ASSIGN_OR_RETURN(const uint64_t size, log.file.size());
    if (size < log.at) {
      auto rest = log.older.read(log.at, kPiece);
      if (rest && !rest->empty()) {
        log.at += rest->size();
        return rest;
      }
      log.at = 0;
      return log.file.read(0, kPiece);
    }
  }
  return piece;
}

}  // namespace

base::Result<int> task_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(auto state, client->get_json(client->mesos("/state")));
  std::map<std::string, const json::value*> agents;
  each_at(state, "/slaves",
          [&](const json::value& agent) { agents[text_at(agent, "/id")] = &agent; });
  json::array list;
  Table table({"NAME", "HOST", "USER", "STATE", "ID", "AGENT ID", "REGION", "ZONE"});
  std::string filter = arguments.words.empty() ? "" : arguments.words[0];
  for (const TaskRow& row : find_tasks(state, filter, task_choice(arguments))) {
    if (arguments.has("agent-id") && row.agent_id() != arguments.get("agent-id")) continue;
    if (arguments.has("quiet")) {
      context.line(row.id());
      continue;
    }
    list.push_back(*row.task);
    auto agent = agents.find(row.agent_id());
    bool known = agent != agents.end();
    std::string user = text_at(*row.task, "/user", text_at(*row.framework, "/user", "N/A"));
    table.add({row.name(), known ? text_at(*agent->second, "/hostname") : "N/A", user, row.state(),
               row.id(), row.agent_id(), known ? region_of(*agent->second) : "N/A",
               known ? zone_of(*agent->second) : "N/A"});
  }
  if (arguments.has("quiet")) return 0;
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(list, 4));
  } else {
    context.out(table.render());
  }
  return 0;
}

base::Result<int> task_log(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(int64_t lines, arguments.number("lines", kDefaultLines));
  ASSIGN_OR_RETURN(Client * client, context.client());
  ASSIGN_OR_RETURN(json::value state, client->get_json(client->mesos("/state")));
  ASSIGN_OR_RETURN(auto tasks, matching_tasks(state, arguments.words[0], task_choice(arguments)));
  std::string name = arguments.words.size() > 1 ? arguments.words[1] : "stdout";
  std::vector<Followed> files;
  for (const TaskRow& task : tasks) {
    ASSIGN_OR_RETURN(Followed file, open_log(*client, task, name, lines));
    files.push_back(std::move(file));
  }
  std::string shown = files.size() == 1 ? files[0].task : "";
  while (true) {
    bool any = false;
    for (Followed& file : files) {
      ASSIGN_OR_RETURN(std::string piece, next_piece(file));
      file.at += piece.size();
      any = any || !piece.empty();
      if (file.task != shown && (!piece.empty() || !file.announced)) {
        context.out(fmt::format("===> {} <===\n", file.task));
        shown = file.task;
      }
      file.announced = true;
      context.out(piece);
    }
    if (any) continue;
    if (!arguments.has("follow")) return 0;
    client->pause(kLook);
  }
}

base::Result<int> task_ls(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  json::value state;
  ASSIGN_OR_RETURN(TaskRow task, chosen_task(*client, arguments, state));
  ASSIGN_OR_RETURN(std::string sandbox, sandbox_of(*client, task));
  std::string path = join_path(sandbox, arguments.words.size() > 1 ? arguments.words[1] : "");
  ASSIGN_OR_RETURN(auto files, browse(*client, task.agent_id(), path));
  Table table({"MODE", "LINKS", "UID", "GID", "SIZE", "DATE", "NAME"});
  std::string names;
  each_at(files, "", [&](const json::value& file) {
    std::string full = text_at(file, "/path");
    std::string name = full.substr(full.rfind('/') + 1);
    if (!names.empty()) names += "  ";
    names += name;
    auto when = static_cast<std::time_t>(number_at(file, "/mtime"));
    table.add({text_at(file, "/mode"), text_at(file, "/nlink"), text_at(file, "/uid"),
               text_at(file, "/gid"), fmt::format("{:.0f}", number_at(file, "/size")),
               fmt::format("{:%d %b %y %H:%M %Z}", fmt::gmtime(when)), name});
  });
  if (arguments.has("long")) {
    context.out(table.render());
  } else if (!names.empty()) {
    context.line(names);
  }
  return 0;
}

base::Result<int> task_download(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  json::value state;
  ASSIGN_OR_RETURN(TaskRow task, chosen_task(*client, arguments, state));
  ASSIGN_OR_RETURN(std::string sandbox, sandbox_of(*client, task));
  std::string target = arguments.has("target-dir") ? arguments.get("target-dir") : ".";
  std::string wanted = arguments.words.size() > 1 ? arguments.words[1] : "";
  if (wanted.empty() || wanted == "/") {
    RETURN_IF_ERROR(download_tree(context, *client, task.agent_id(), sandbox, target, 0));
    return 0;
  }
  // A name of a file or directory, or a pattern for the names at the top.
  RETURN_IF_ERROR(base::make_directories(target));
  ASSIGN_OR_RETURN(auto files, browse(*client, task.agent_id(), sandbox));
  bool any = false;
  if (!files.is_array()) return base::invalid("the agent's list of files is malformed");
  for (const json::value& file : files.get_array()) {
    std::string full = text_at(file, "/path");
    std::string name = full.substr(full.rfind('/') + 1);
    if (!glob_match(wanted, name) || name.empty() || name == "." || name == "..") continue;
    any = true;
    bool directory = text_at(file, "/mode").starts_with('d');
    base::Status done =
        directory ? download_tree(context, *client, task.agent_id(), full, target + "/" + name, 1)
                  : download_file(context, *client, task.agent_id(), full, target + "/" + name);
    RETURN_IF_ERROR(std::move(done));
  }
  if (!any) {
    std::string name = wanted.substr(wanted.rfind('/') + 1);
    if (wanted.find("..") != std::string::npos || name.empty())
      return base::invalid("\"" + wanted + "\" is no path in the sandbox");
    RETURN_IF_ERROR(download_file(context, *client, task.agent_id(), join_path(sandbox, wanted),
                                  target + "/" + name));
  }
  return 0;
}

}  // namespace cli
