#include "admin-router/login/api.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include <vector>

#include "base/json/value.hpp"
#include "base/strings.hpp"

namespace admin_router {
namespace {

namespace json = boost::json;
using base::http::Response;

constexpr std::string_view kBase = "/acs/api/v1/";

Response problem(int status, std::string_view code, std::string_view description) {
  return api_response(status, render_problem(status, code, description));
}

Response not_allowed(std::string_view methods) {
  Response response = problem(405, "ERR_METHOD_NOT_ALLOWED", "this cannot be done here");
  response.headers.set("Allow", std::string(methods));
  return response;
}

bool takes_json(const base::http::Request& http) {
  std::string accept = base::to_lower(http.headers.get_or("Accept", ""));
  if (accept.empty()) return true;
  for (const char* kind : {"*/*", "application/*", "application/json"})
    if (accept.find(kind) != std::string::npos) return true;
  return false;
}

// A body in JSON, or the answer that says what is wrong with it.
std::variant<Response, json::object> read_body(const base::http::Request& http) {
  std::string type = base::to_lower(http.headers.get_or("Content-Type", ""));
  if (http.body.empty() || type.empty())
    return problem(400, "ERR_INVALID_DATA", "Request has bad Content-Type or lacks JSON data");
  if (!type.starts_with("application/json"))
    return problem(415, "ERR_UNSUPPORTED_MEDIA_TYPE", "the body must be application/json");
  base::json::ParseOptions options;
  options.max_bytes = 64 << 10;
  options.max_depth = 8;
  auto value = base::json::parse(http.body, options);
  if (!value)
    return problem(400, "ERR_INVALID_DATA", "the body is not JSON: " + value.error().message);
  if (!value->is_object())
    return problem(400, "ERR_INVALID_DATA", "the body must be a JSON object");
  return std::move(value->get_object());
}

// Collects members that are texts; the first that is not is remembered.
class Texts {
 public:
  explicit Texts(const json::object& object) : object_(object) {}
  std::optional<std::string> get(std::string_view name) {
    const auto* value = object_.if_contains(json::string_view(name.data(), name.size()));
    if (value == nullptr || value->is_null()) return std::nullopt;
    if (value->is_string()) {
      if (value->get_string().size() > 16 << 10) wrong_ = fmt::format("`{}` is too long", name);
      return std::string(value->get_string());
    }
    wrong_ = fmt::format("`{}` must be a string", name);
    return std::nullopt;
  }
  const std::string& wrong() const { return wrong_; }

 private:
  const json::object& object_;
  std::string wrong_;
};

ApiOutcome log_in(const ApiRequest& request) {
  if (request.http.method == "GET")
    return problem(400, "ERR_MISSING_QUERY_PARAMETERS",
                   "no identity provider is set up that a browser could be sent to");
  if (request.http.method != "POST") return not_allowed("GET, POST");
  auto body = read_body(request.http);
  if (auto* bad = std::get_if<Response>(&body)) return std::move(*bad);
  const json::object& object = std::get<json::object>(body);
  Texts texts(object);
  LoginAsked event;
  event.call = request.call;
  event.source = request.http.headers.get_or("X-Real-IP", "unknown");
  auto uid = texts.get("uid");
  event.password = texts.get("password");
  event.token = texts.get("token");
  if (!texts.wrong().empty()) return problem(400, "ERR_INVALID_DATA", texts.wrong());
  if (event.password.has_value() == event.token.has_value())
    return problem(400, "ERR_INVALID_DATA", "give exactly one of `password` and `token`");
  if ((uid && uid->empty()) || (event.password && event.password->empty()) ||
      (event.token && event.token->empty()))
    return problem(400, "ERR_INVALID_DATA", "`uid`, `password` and `token` must not be empty");
  if (event.password && !uid) return problem(400, "ERR_INVALID_DATA", "`password` needs `uid`");
  event.uid = uid.value_or("");
  if (const auto* exp = object.if_contains("exp")) {
    int64_t seconds = 0;
    if (!event.token || !base::json::to_int(*exp, seconds) || seconds < 0)
      return problem(400, "ERR_INVALID_DATA",
                     "`exp` is for service accounts: seconds since the epoch, or 0");
    event.exp = seconds;
  }
  return IdentityEvent(std::move(event));
}

json::object provider(std::string_view type, std::string_view method, std::string_view what) {
  return {{"authentication-type", std::string(type)},
          {"client-method", std::string(method)},
          {"config", {{"start_flow_url", "/acs/api/v1/auth/login"}}},
          {"description", std::string(what)}};
}

Response providers() {
  json::object out{
      {"dcos-users", provider("dcos-uid-password", "dcos-usercredential-post-receive-authtoken",
                              "Log in with a user ID and a password")},
      {"dcos-services",
       provider("dcos-uid-servicekey", "dcos-servicecredential-post-receive-authtoken",
                "Log in with a service account's private key")}};
  return api_response(200, json::serialize(out));
}

Response jwks(const Identity& identity) {
  base::PublicKey::Parts parts = identity.key().parts();
  json::object key{{"kid", parts.id}, {"kty", "RSA"},   {"n", parts.n},
                   {"e", parts.e},    {"alg", "RS256"}, {"use", "sig"}};
  return api_response(200, json::serialize(json::object{{"keys", json::array{key}}}));
}

ApiOutcome auth(const ApiRequest& request, const Identity& identity, std::string_view rest) {
  if (rest == "login") return log_in(request);
  bool reads = request.http.method == "GET" || request.http.method == "HEAD";
  if (rest == "logout") {
    if (!reads) return not_allowed("GET");
    return IdentityEvent(LogoutAsked{request.call, std::string(request.token)});
  }
  if (rest == "providers" || rest == "jwks") {
    if (!reads) return not_allowed("GET");
    return rest == "jwks" ? jwks(identity) : providers();
  }
  return problem(404, "ERR_NOT_FOUND", "there is no such thing");
}

Response list_users(const base::http::Request& http, const Identity& identity) {
  auto type = http.query().get("type");
  if (type && *type != "service")
    return problem(400, "ERR_INVALID_QUERY", "`type` can only be \"service\"");
  std::string out = "{\"array\":[";
  bool first = true;
  for (const auto& [uid, user] : identity.users()) {
    if (user.is_service() != type.has_value()) continue;
    out += first ? "" : ",";
    out += render_user(user);
    first = false;
  }
  return api_response(200, out + "]}");
}

ApiOutcome put_user(const ApiRequest& request, std::string uid) {
  auto body = read_body(request.http);
  if (auto* bad = std::get_if<Response>(&body)) return std::move(*bad);
  Texts texts(std::get<json::object>(body));
  UserPutAsked event;
  event.call = request.call;
  event.uid = std::move(uid);
  event.description = texts.get("description").value_or("");
  event.password = texts.get("password");
  event.public_key = texts.get("public_key");
  event.provider_type = texts.get("provider_type").value_or("");
  event.provider_id = texts.get("provider_id").value_or("");
  if (!texts.wrong().empty()) return problem(400, "ERR_INVALID_DATA", texts.wrong());
  for (std::string_view known : {"", "internal", "oidc", "saml", "ldap"})
    if (event.provider_type == known) return IdentityEvent(std::move(event));
  return problem(400, "ERR_INVALID_DATA",
                 "`provider_type` is one of internal, oidc, saml and ldap");
}

ApiOutcome patch_user(const ApiRequest& request, std::string uid) {
  auto body = read_body(request.http);
  if (auto* bad = std::get_if<Response>(&body)) return std::move(*bad);
  Texts texts(std::get<json::object>(body));
  UserPatchAsked event;
  event.call = request.call;
  event.uid = std::move(uid);
  event.description = texts.get("description");
  event.password = texts.get("password");
  if (!texts.wrong().empty()) return problem(400, "ERR_INVALID_DATA", texts.wrong());
  return IdentityEvent(std::move(event));
}

// Whoever is logged in may do everything; this is how that is said to a dashboard that asks.
Response permissions(const User& user) {
  json::object full{
      {"name", "full"},
      {"url", fmt::format("/acs/api/v1/acls/dcos:superuser/users/{}/full", user.uid)}};
  json::object entry{{"rid", "dcos:superuser"},
                     {"description", "Everything"},
                     {"aclurl", "/acs/api/v1/acls/dcos:superuser"},
                     {"actions", json::array{full}}};
  return api_response(200, json::serialize(json::object{{"direct", json::array{entry}},
                                                        {"groups", json::array()}}));
}

ApiOutcome user(const ApiRequest& request, const Identity& identity, std::string uid,
                std::string_view part) {
  const std::string& method = request.http.method;
  bool reads = method == "GET" || method == "HEAD";
  if (!part.empty() && part != "permissions" && part != "groups")
    return problem(404, "ERR_NOT_FOUND", "there is no such thing");
  if (part.empty() && method == "PUT") return put_user(request, std::move(uid));
  if (part.empty() && method == "PATCH") return patch_user(request, std::move(uid));
  if (part.empty() && method == "DELETE")
    return IdentityEvent(UserDeleteAsked{request.call, std::move(uid)});
  if (!reads) return not_allowed(part.empty() ? "GET, PUT, PATCH, DELETE" : "GET");
  const User* found = identity.find(uid);
  if (found == nullptr)
    return problem(400, "ERR_UNKNOWN_USER_ID",
                   fmt::format("the user \"{}\" does not exist", base::valid_utf8(uid)));
  if (part == "permissions") return permissions(*found);
  if (part == "groups") return api_response(200, "{\"array\":[]}");
  return api_response(200, render_user(*found));
}

Response ui_config(const Identity& identity, const ApiFacts& facts) {
  auto ui = base::json::parse(facts.ui_config.empty() ? "{}" : facts.ui_config);
  json::object cluster{{"id", facts.cluster_id}, {"firstUser", !identity.has_person()}};
  return api_response(
      200, json::serialize(json::object{{"uiConfiguration", ui ? *ui : json::value(json::object())},
                                        {"clusterConfiguration", cluster}}));
}

}  // namespace

Response api_response(int status, const std::string& compact) {
  Response response;
  response.status = status;
  response.headers.set("Cache-Control", "no-cache, no-store, must-revalidate");
  response.headers.set("Pragma", "no-cache");
  response.headers.set("Expires", "0");
  if (compact.empty()) return response;
  response.headers.set("Content-Type", "application/json; charset=utf-8");
  auto value = base::json::parse(compact);
  response.body = (value ? base::json::render_pretty(*value, 2) : compact) + "\n";
  return response;
}

ApiOutcome answer_api(const ApiRequest& request, const Identity& identity, const ApiFacts& facts) {
  std::string_view path = request.http.path;
  if (!takes_json(request.http))
    return problem(406, "ERR_NOT_ACCEPTABLE", "answers are application/json");
  if (!path.starts_with(kBase)) return problem(404, "ERR_NOT_FOUND", "there is no such thing");
  std::string_view rest = path.substr(kBase.size());
  if (rest.starts_with("auth/")) return auth(request, identity, rest.substr(5));
  bool reads = request.http.method == "GET" || request.http.method == "HEAD";
  if (rest == "uiconfig") {
    if (!reads) return not_allowed("GET");
    return ui_config(identity, facts);
  }
  // The gateway has asked already; two doors are better than one.
  if (request.caller.empty()) return problem(401, "ERR_UNAUTHENTICATED", "a login is needed");
  std::vector<std::string_view> pieces = base::split(rest, '/');
  if (pieces.back().empty()) pieces.pop_back();
  if (pieces.size() == 1 && pieces[0] == "users") {
    if (!reads) return not_allowed("GET");
    return list_users(request.http, identity);
  }
  if ((pieces.size() == 2 || pieces.size() == 3) && pieces[0] == "users")
    return user(request, identity, base::percent_decode(pieces[1]),
                pieces.size() == 3 ? pieces[2] : std::string_view());
  if (pieces.size() == 1 && (pieces[0] == "groups" || pieces[0] == "acls") && reads)
    return api_response(200, "{\"array\":[]}");
  if (!pieces.empty() && (pieces[0] == "groups" || pieces[0] == "acls" || pieces[0] == "ldap"))
    return problem(
        501, "ERR_UNSUPPORTED",
        "there are no groups and access lists here: whoever is logged in may do everything");
  return problem(404, "ERR_NOT_FOUND", "there is no such thing");
}

Response login_response(const GrantEffect& grant, const std::string& token, base::Duration life,
                        bool over_tls) {
  Response response = api_response(200, json::serialize(json::object{{"token", token}}));
  std::string info = base::base64_encode(json::serialize(json::object{
      {"uid", grant.uid}, {"description", grant.description}, {"is_remote", grant.is_remote}}));
  std::string common = fmt::format("Path=/; Max-Age={}; SameSite=Lax{}",
                                   std::chrono::duration_cast<base::seconds>(life).count(),
                                   over_tls ? "; Secure" : "");
  response.headers.add("Set-Cookie",
                       fmt::format("dcos-acs-auth-cookie={}; HttpOnly; {}", token, common));
  response.headers.add("Set-Cookie", fmt::format("dcos-acs-info-cookie={}; {}", info, common));
  return response;
}

void end_session(Response& response) {
  constexpr const char* kPast =
      "Expires=Sat, 01 Jan 2000 00:00:00 GMT; Max-Age=0; Path=/; SameSite=Lax";
  response.headers.add("Set-Cookie", fmt::format("dcos-acs-auth-cookie=; HttpOnly; {}", kPast));
  response.headers.add("Set-Cookie", fmt::format("dcos-acs-info-cookie=; {}", kPast));
}

}  // namespace admin_router
