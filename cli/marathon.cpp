#include "cli/marathon.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "cli/json_text.hpp"

namespace cli {
namespace {

namespace json = boost::json;

constexpr uint64_t kMaxDefinition = 16 << 20;

base::Result<json::value> parse_definition(const std::string& text, const std::string& from) {
  base::json::ParseOptions options;
  options.reject_duplicate_keys = true;
  auto value = base::json::parse(text, options);
  if (!value)
    return base::invalid(fmt::format("{} is not valid JSON: {}", from, value.error().message));
  return value;
}

}  // namespace

std::string app_id(const std::string& word) {
  std::string id;
  for (std::string_view piece : base::tokenize(word, '/')) id.append("/").append(piece);
  return id.empty() ? "/" : id;
}

std::string app_path(const std::string& id) {
  std::string path = "/v2/apps";
  for (std::string_view piece : base::tokenize(id, '/')) path += "/" + base::percent_encode(piece);
  return path;
}

base::Result<json::value> call_marathon(Client& client, const std::string& method,
                                        const std::string& path, const std::string& body) {
  base::http::Headers headers{{"Accept", "application/json"}};
  if (!body.empty()) headers.set("Content-Type", "application/json");
  ASSIGN_OR_RETURN(auto response,
                   client.send(method, client.marathon(path), body, std::move(headers)));
  if (response.status < 200 || response.status > 299) return http_error(response);
  if (base::trim(response.body).empty()) return json::value(nullptr);
  auto value = base::json::parse(response.body);
  if (!value) return json::value(json::string_view(response.body));
  return value;
}

base::Result<json::value> get_app(Client& client, const std::string& id) {
  ASSIGN_OR_RETURN(auto answer, call_marathon(client, "GET", app_path(id)));
  const json::value* app = base::json::find(answer, "/app");
  if (app == nullptr) return base::unavailable("Marathon's answer holds no app");
  return json::value(*app);
}

void print_deployment(Context& context, const json::value& answer) {
  std::string id = text_at(answer, "/deploymentId");
  if (id.empty()) id = text_at(answer, "/deployments/0/id");
  if (!id.empty()) context.line("Created deployment " + id);
}

base::Result<json::value> read_definition(Context& context, const std::string& resource) {
  if (resource.empty() || resource == "-") {
    if (context.io().input_is_terminal && resource.empty())
      return base::invalid(
          "no definition given: name a file or a URL, or write JSON to standard input");
    ASSIGN_OR_RETURN(std::string text, context.io().read_input());
    return parse_definition(text, "standard input");
  }
  if (resource.starts_with("http://") || resource.starts_with("https://")) {
    size_t host = resource.find("://") + 3;
    auto client = context.client_for(resource.substr(0, resource.find('/', host)), "");
    ASSIGN_OR_RETURN(auto response, client->send("GET", resource));
    if (response.status != 200)
      return base::unavailable(fmt::format("{} answers HTTP {}", resource, response.status));
    return parse_definition(response.body, resource);
  }
  auto text = base::read_file(resource, kMaxDefinition);
  if (!text) return text.error().with_context("can't read from resource " + resource);
  return parse_definition(*text, resource);
}

}  // namespace cli
