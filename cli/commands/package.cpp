#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>

#include "base/file.hpp"
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

constexpr size_t kSearchWidth = 80, kListWidth = 70;

/// Lines that the user types, or that come through a pipe.
class Prompt {
 public:
  explicit Prompt(Context& context) : context_(context) {}

  /// The next line; absent: there is no more.
  std::optional<std::string> ask(std::string_view question) {
    context_.out(question);
    if (next_ >= lines_.size()) {
      auto text = context_.io().read_input();
      if (!text || text->empty()) return std::nullopt;
      if (text->ends_with('\n')) text->pop_back();
      lines_.clear();
      for (std::string_view line : base::split(*text, '\n')) lines_.emplace_back(line.substr(0, line.find('\r')));
      next_ = 0;
    }
    return lines_[next_++];
  }

 private:
  Context& context_;
  std::vector<std::string> lines_;
  size_t next_ = 0;
};

std::string media_type(std::string_view name, int version) {
  return fmt::format("application/vnd.dcos.package.{}+json;charset=utf-8;version=v{}", name, version);
}

/// What the package service said, with every violation of the options' schema on a line of its own.
base::Error package_error(const base::http::Response& response) {
  auto parsed = base::json::parse(response.body);
  if (response.status == 401 || response.status == 403 || !parsed) return http_error(response);
  std::string message = text_at(*parsed, "/message");
  if (message.empty()) return http_error(response);
  if (text_at(*parsed, "/type") == "JsonSchemaMismatch") {
    each_at(*parsed, "/data/errors", [&](const json::value& error) {
      const std::string pointer = text_at(error, "/instance/pointer");
      message += fmt::format("\n  {}: {}", pointer.empty() ? "/" : pointer, text_at(error, "/message"));
    });
  } else {
    const std::string cause = text_at(*parsed, "/data/cause");
    if (!cause.empty()) message += ": " + cause;
    each_at(*parsed, "/data/errors", [&](const json::value& error) {
      const std::string path = text_at(error, "/path"), text = text_at(error, "/message");
      if (!text.empty()) message += "\n  " + text;
      each_at(error, "/errors", [&](const json::value& item) {
        if (item.is_string()) message += fmt::format("\n  {}: {}", path, std::string_view(item.get_string()));
      });
    });
  }
  const auto code = response.status == 409 ? base::Code::Conflict : base::Code::InvalidArgument;
  return {code, message};
}

base::Result<json::value> call(Context& context, std::string_view name, const std::string& path, int version,
                               const json::value& body) {
  ASSIGN_OR_RETURN(Client * client, context.client());
  base::http::Headers headers{
      {"Content-Type", media_type(std::string(name) + "-request", 1)},
      {"Accept", media_type(std::string(name) + "-response", version) + "," + media_type("error", 1)}};
  ASSIGN_OR_RETURN(auto response, client->send("POST", path, base::json::render(body), headers));
  if (response.status != 200) return package_error(response);
  auto value = base::json::parse(response.body);
  if (!value) return value.error().with_context("the answer of " + path + " is not JSON");
  return value;
}

base::Result<json::object> read_options(const std::string& path) {
  if (!base::exists(path)) return base::not_found(fmt::format("couldn't find options file '{}'", path));
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path));
  auto value = base::json::parse(text);
  if (!value) return value.error().with_context(path);
  if (!value->is_object()) return base::invalid(path + ": options are a JSON object");
  return std::move(value->get_object());
}

/// packageName and what the options --package-version, --app-id and --options say.
base::Result<json::object> request_for(const Arguments& arguments) {
  json::object body{{"packageName", arguments.words[0]}};
  if (arguments.has("package-version")) body["packageVersion"] = arguments.get("package-version");
  if (arguments.has("app-id")) body["appId"] = app_id(arguments.get("app-id"));
  if (arguments.has("options")) {
    ASSIGN_OR_RETURN(body["options"], read_options(arguments.get("options")));
  }
  return body;
}

base::Result<json::value> describe(Context& context, const Arguments& arguments) {
  json::object body{{"packageName", arguments.words[0]}};
  if (arguments.has("package-version")) body["packageVersion"] = arguments.get("package-version");
  return call(context, "describe", "/package/describe", 3, body);
}

/// At most `width` characters; more are cut and marked.
std::string cut(const std::string& text, size_t width, size_t kept) {
  if (display_width(text) < width) return text;
  size_t bytes = 0;
  for (size_t seen = 0; seen < kept && bytes < text.size(); ++seen) {
    ++bytes;
    while (bytes < text.size() && (static_cast<unsigned char>(text[bytes]) & 0xC0) == 0x80) ++bytes;
  }
  return text.substr(0, bytes) + "...";
}

const char* truth(const json::value& value, std::string_view pointer) { return flag_at(value, pointer) ? "true" : "false"; }

bool has(const json::value& value, std::string_view pointer) { return base::json::find(value, pointer) != nullptr; }

/// Packages as `package list` shows them: one per name and version, with all its apps.
json::array group_by_package(const json::value& answer) {
  static constexpr std::string_view kFields[] = {
      "description", "framework", "licenses", "maintainer", "name", "packagingVersion", "postInstallNotes",
      "postUninstallNotes", "preInstallNotes", "scm", "selected", "tags", "version", "website"};
  std::map<std::string, json::object> by_id;
  each_at(answer, "/packages", [&](const json::value& item) {
    const json::value* definition = base::json::find(item, "/packageInformation/packageDefinition");
    if (definition == nullptr || !definition->is_object()) return;
    json::object& row = by_id[text_at(*definition, "/name") + text_at(*definition, "/version")];
    if (row.empty()) {
      row["apps"].emplace_array();
      for (std::string_view field : kFields) {
        if (const json::value* value = definition->get_object().if_contains(field)) row[field] = *value;
      }
    }
    row["apps"].get_array().emplace_back(text_at(item, "/appId"));
  });
  json::array list;
  for (auto& [id, row] : by_id) list.push_back(std::move(row));
  return list;
}

bool matches(const json::value& package, const std::string& part, const std::string& app) {
  if (part.empty() && app.empty()) return true;
  bool found = !part.empty() && text_at(package, "/name").find(part) != std::string::npos;
  each_at(package, "/apps", [&](const json::value& id) {
    const std::string_view text = id.get_string();
    if (!part.empty() && text.find(part) != std::string_view::npos) found = true;
    if (!app.empty() && text == app) found = true;
  });
  return found;
}

bool confirmed(Context& context) {
  Prompt prompt(context);
  for (int i = 0; i < 3; ++i) {
    const auto line = prompt.ask("Continue installing? [yes/no] ");
    if (!line) return false;
    if (line->empty() || *line == "y" || *line == "yes" || *line == "Y" || *line == "Yes") return true;
    if (*line == "n" || *line == "no" || *line == "N" || *line == "No") return false;
  }
  return false;
}

bool removal_confirmed(Context& context, const std::string& expected, const std::string& question) {
  Prompt prompt(context);
  for (int i = 0; i < 3; ++i) {
    const std::string line = prompt.ask(question).value_or("");
    if (line == expected) return true;
    context.note(fmt::format("Expected '{}'. You supplied '{}'.", expected, line));
  }
  return false;
}

void note_text(Context& context, const json::value& value, std::string_view pointer) {
  const std::string text = text_at(value, pointer);
  if (!text.empty()) context.note(text);
}

/// "./dir" -> "file:///abs/dir"; what has a scheme stays.
base::Result<std::string> repository_uri(const std::string& word) {
  if (word.find("://") != std::string::npos) return word;
  if (!base::exists(word)) {
    return base::invalid(fmt::format("'{}' is neither a URL nor a file or directory here", word));
  }
  char* path = ::realpath(word.c_str(), nullptr);
  if (path == nullptr) return base::errno_error(word, errno);
  std::string uri = "file://" + std::string(path);
  ::free(path);
  return uri;
}

base::Result<json::value> add_repository(Context& context, const std::string& name, const std::string& uri,
                                         std::optional<int64_t> index) {
  json::object body{{"name", name}, {"uri", uri}};
  if (index) body["index"] = *index;
  return call(context, "repository.add", "/package/repository/add", 1, body);
}

}  // namespace

base::Result<int> package_describe(Context& context, const Arguments& arguments) {
  if (arguments.has("package-versions")) {
    const json::object body{{"packageName", arguments.words[0]}, {"includePackageVersions", true}};
    ASSIGN_OR_RETURN(auto answer, call(context, "list-versions", "/package/list-versions", 1, body));
    std::vector<std::string> versions;
    if (const json::value* results = base::json::find(answer, "/results"); results != nullptr && results->is_object()) {
      for (const auto& [version, release] : results->get_object()) versions.emplace_back(version);
    }
    std::sort(versions.begin(), versions.end());
    context.line(base::json::render_pretty(json::value_from(versions)));
    return 0;
  }
  ASSIGN_OR_RETURN(auto answer, describe(context, arguments));
  if (arguments.has("app") || arguments.has("render")) {
    if (arguments.has("render") || arguments.has("options")) {
      ASSIGN_OR_RETURN(auto body, request_for(arguments));
      ASSIGN_OR_RETURN(auto rendered, call(context, "render", "/package/render", 1, body));
      const json::value* app = base::json::find(rendered, "/marathonJson");
      context.line(base::json::render_pretty(app != nullptr ? *app : rendered));
      return 0;
    }
    std::string text;
    base::base64_decode(text_at(answer, "/package/marathon/v2AppMustacheTemplate"), text);
    context.out(text);
    return 0;
  }
  if (arguments.has("cli")) {
    for (const char* pointer : {"/package/resource/cli", "/package/command"}) {
      const json::value* value = base::json::find(answer, pointer);
      if (value == nullptr) continue;
      context.line(base::json::render_pretty(*value));
      break;
    }
    return 0;
  }
  if (arguments.has("config")) {
    const json::value* config = base::json::find(answer, "/package/config");
    context.line(config != nullptr ? base::json::render_pretty(*config) : "{}");
    return 0;
  }
  context.line(base::json::render_pretty(answer));
  return 0;
}

base::Result<int> package_search(Context& context, const Arguments& arguments) {
  const std::string query = arguments.words.empty() ? "" : arguments.words[0];
  json::object body;
  if (!query.empty()) body["query"] = query;
  ASSIGN_OR_RETURN(auto answer, call(context, "search", "/package/search", 1, body));
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(answer, 4));
    return 0;
  }
  Table table({"NAME", "VERSION", "CERTIFIED", "FRAMEWORK", "DESCRIPTION"});
  bool any = false;
  each_at(answer, "/packages", [&](const json::value& package) {
    any = true;
    table.add({text_at(package, "/name"), text_at(package, "/currentVersion"), truth(package, "/selected"),
               truth(package, "/framework"), cut(text_at(package, "/description"), kSearchWidth, kSearchWidth - 4)});
  });
  if (!query.empty() && !any) return base::not_found("no packages found");
  context.out(table.render());
  return 0;
}

base::Result<int> package_list(Context& context, const Arguments& arguments) {
  const std::string part = arguments.words.empty() ? "" : arguments.words[0];
  if (arguments.has("app-id") && !part.empty()) {
    return base::invalid("cannot use the flags `--app-id` and an argument at the same time");
  }
  if (arguments.has("app-id") && arguments.has("cli") && !arguments.has("json")) {
    return base::invalid("cannot use the flags `--app-id` and `--cli` at the same time");
  }
  json::array list;
  if (!arguments.has("cli")) {
    ASSIGN_OR_RETURN(auto answer, call(context, "list", "/package/list", 1, json::object()));
    const std::string app = arguments.has("app-id") ? app_id(arguments.get("app-id")) : "";
    for (json::value& package : group_by_package(answer)) {
      if (matches(package, part, app)) list.push_back(std::move(package));
    }
  }
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(list, 4));
    return 0;
  }
  if (list.empty()) return base::not_found("cannot find packages matching the provided filter");
  Table table({"NAME", "VERSION", "CERTIFIED", "APP", "COMMAND", "DESCRIPTION"});
  for (const json::value& package : list) {
    std::string apps, description = text_at(package, "/description");
    each_at(package, "/apps",
            [&](const json::value& id) { apps += (apps.empty() ? "" : "\n") + std::string(id.get_string()); });
    if (const size_t line = description.find('\n'); line != std::string::npos) {
      description = description.substr(0, line) + "...";
    }
    table.add({text_at(package, "/name"), text_at(package, "/version"), truth(package, "/selected"),
               apps.empty() ? "---" : apps, "---", cut(description, kListWidth + 1, kListWidth - 4)});
  }
  context.out(table.render());
  return 0;
}

base::Result<int> package_install(Context& context, const Arguments& arguments) {
  if (arguments.has("cli") && arguments.has("app")) return base::invalid("--app and --cli are mutually exclusive");
  const bool app = !arguments.has("cli"), cli = !arguments.has("app");
  ASSIGN_OR_RETURN(auto body, request_for(arguments));
  ASSIGN_OR_RETURN(auto answer, describe(context, arguments));
  const std::string& name = arguments.words[0];
  const std::string version = text_at(answer, "/package/version");
  if (!flag_at(answer, "/package/selected")) {
    context.note("This is a Community service. Community services are not tested for production environments. There "
                 "may be bugs, incomplete features, incorrect documentation, or other discrepancies.");
  }
  if (app) note_text(context, answer, "/package/preInstallNotes");
  if (!arguments.has("yes") && !confirmed(context)) return base::invalid("couldn't get confirmation");
  if (app && has(answer, "/package/marathon/v2AppMustacheTemplate")) {
    context.note(fmt::format("Installing Marathon app for package [{}] version [{}]", name, version));
    body["packageVersion"] = version;
    auto installed = call(context, "install", "/package/install", 2, body);
    if (!installed) return installed.error();
  }
  if (cli && (has(answer, "/package/resource/cli") || has(answer, "/package/command"))) {
    const std::string what = fmt::format("the CLI subcommand of package [{}] is not installed: this command line takes "
                                         "no plugins",
                                         name);
    if (!app) return base::unsupported(what);
    context.note("Note: " + what);
  }
  if (app) note_text(context, answer, "/package/postInstallNotes");
  return 0;
}

base::Result<int> package_uninstall(Context& context, const Arguments& arguments) {
  const std::string& package = arguments.words[0];
  const bool all = arguments.has("all"), one = arguments.has("app-id");
  if (arguments.has("cli")) {
    if (all || one || arguments.has("app")) {
      return base::invalid("--cli cannot be used with --app, --app-id, or --all");
    }
    return base::unsupported("this command line takes no plugins: there is no subcommand to remove");
  }
  ASSIGN_OR_RETURN(auto installed, call(context, "list", "/package/list", 1, json::object{{"packageName", package}}));
  const json::value* apps = base::json::find(installed, "/packages");
  if (apps == nullptr || !apps->is_array() || apps->get_array().empty()) {
    return base::not_found(fmt::format("Package [{}] is not installed", package));
  }
  const std::string name = one ? arguments.get("app-id") : package;
  if (!arguments.has("yes")) {
    context.note(all ? fmt::format("WARNING: This action cannot be undone. This will uninstall all instances of the "
                                   "[{0}] package, and delete all data for all {0} instances.",
                                   name)
                     : fmt::format("WARNING: This action cannot be undone. This will uninstall [{}] and delete all of "
                                   "its persistent data (logs, configurations, database artifacts, everything).",
                                   name));
    const std::string expected = all ? "uninstall all " + name : name;
    const std::string question = all   ? fmt::format("Please type 'uninstall all {}': ", name)
                                 : one ? "Please type the full name of the app ID to confirm: "
                                       : "Please type the name of the service to confirm: ";
    if (!removal_confirmed(context, expected, question)) return base::invalid("cancelling uninstall");
  }
  json::object body{{"packageName", package}};
  if (all) body["all"] = true;
  if (one) body["appId"] = app_id(arguments.get("app-id"));
  ASSIGN_OR_RETURN(auto answer, call(context, "uninstall", "/package/uninstall", 1, body));
  each_at(answer, "/results", [&](const json::value& result) {
    context.note(fmt::format("Uninstalled package [{}] version [{}]", text_at(result, "/packageName"),
                             text_at(result, "/packageVersion")));
    note_text(context, result, "/postUninstallNotes");
  });
  return 0;
}

base::Result<int> package_repo_list(Context& context, const Arguments& arguments) {
  ASSIGN_OR_RETURN(auto answer, call(context, "repository.list", "/package/repository/list", 1, json::object()));
  if (arguments.has("json")) {
    context.line(base::json::render_pretty(answer, 4));
    return 0;
  }
  each_at(answer, "/repositories", [&](const json::value& repository) {
    context.line(text_at(repository, "/name") + ": " + text_at(repository, "/uri"));
  });
  return 0;
}

base::Result<int> package_repo_add(Context& context, const Arguments& arguments) {
  std::optional<int64_t> index;
  if (arguments.has("index")) {
    ASSIGN_OR_RETURN(index, arguments.number("index", 0));
  }
  ASSIGN_OR_RETURN(const std::string uri, repository_uri(arguments.words[1]));
  auto added = add_repository(context, arguments.words[0], uri, index);
  if (!added) return added.error();
  return 0;
}

base::Result<int> package_repo_remove(Context& context, const Arguments& arguments) {
  for (const std::string& name : arguments.words) {
    auto removed =
        call(context, "repository.delete", "/package/repository/delete", 1, json::object{{"name", name}});
    if (!removed) return removed.error();
  }
  return 0;
}

base::Result<int> package_repo_import(Context& context, const Arguments& arguments) {
  const std::string& path = arguments.words[0];
  if (!base::exists(path)) return base::not_found(fmt::format("path '{}' does not exist", path));
  ASSIGN_OR_RETURN(const std::string text, base::read_file(path));
  auto list = base::json::parse(text);
  if (!list) return list.error().with_context(path);
  const json::value* repositories = base::json::find(*list, "/repositories");
  if (repositories == nullptr || !repositories->is_array() || repositories->get_array().empty()) {
    return base::not_found("no repositories found to import");
  }
  int64_t index = -1;
  int code = 0;
  for (const json::value& repository : repositories->get_array()) {
    ++index;
    const std::string name = text_at(repository, "/name"), uri = text_at(repository, "/uri");
    if (name.empty() || uri.empty()) {
      context.note("Repo missing name or uri. Skipping.");
      continue;
    }
    const auto added = add_repository(context, name, uri, index);
    if (added) {
      context.note(fmt::format("Added repo '{}' ({}) at index {}", name, uri, index));
    } else {
      context.note(fmt::format("Error ({}) while adding repo '{}' ({}). Skipping.", added.error().message, name, uri));
      code = 1;
    }
  }
  return code;
}

}  // namespace cli
