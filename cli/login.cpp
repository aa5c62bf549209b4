#include "cli/login.hpp"

#include <fmt/format.h>
#include <sys/stat.h>

#include <boost/json.hpp>

#include <algorithm>

#include "base/crypto.hpp"
#include "base/file.hpp"
#include "base/json/value.hpp"
#include "base/loop.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"
#include "cli/json_text.hpp"

namespace cli {
namespace {

namespace json = boost::json;

constexpr int kAttempts = 3;
constexpr int64_t kProofSeconds = 300;

// A secret that others can read is none.
base::Result<std::string> read_secret_file(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return base::errno_error(path, errno);
  if ((info.st_mode & 0177) != 0)
    return base::forbidden(
        fmt::format("permissions {:04o} for '{}' are too open, expected 0400 or 0600",
                    info.st_mode & 0777, path));
  ASSIGN_OR_RETURN(std::string text, base::read_file(path, 1 << 16));
  return std::string(base::trim(text));
}

// What was given, and what must be asked for.
struct Credentials {
  std::string user, password, key;
  bool ask_user = false, ask_password = false;
};

base::Result<Credentials> given(const Context& context, const Arguments& arguments) {
  Credentials out;
  out.user = arguments.has("username") ? arguments.get("username") : context.env("DCOS_USERNAME");
  out.password =
      arguments.has("password") ? arguments.get("password") : context.env("DCOS_PASSWORD");
  if (arguments.has("password-file")) {
    ASSIGN_OR_RETURN(out.password, read_secret_file(arguments.get("password-file")));
  }
  if (arguments.has("private-key")) {
    ASSIGN_OR_RETURN(out.key, read_secret_file(arguments.get("private-key")));
  }
  return out;
}

base::Error no_way() {
  return base::unavailable("couldn't determine a login provider");
}

base::Result<Provider> choose(Context& context, const std::vector<Provider>& providers) {
  if (providers.empty()) return no_way();
  if (providers.size() == 1) return providers.front();
  if (!context.io().input_is_terminal)
    return base::invalid("there are several ways to log in: choose one with --provider");
  context.note("Please select a login method:");
  for (size_t i = 0; i < providers.size(); ++i)
    context.note(fmt::format("  {}. {} ({})", i + 1, providers[i].description, providers[i].id));
  ASSIGN_OR_RETURN(std::string answer, context.io().read_input());
  auto number = base::parse_uint(base::trim(answer));
  if (!number || *number < 1 || *number > providers.size()) return no_way();
  return providers[*number - 1];
}

base::Result<Provider> select(Context& context, const std::vector<Provider>& providers,
                              const Credentials& credentials, const Arguments& arguments) {
  if (arguments.has("provider")) {
    for (const Provider& provider : providers) {
      if (provider.id != arguments.get("provider")) continue;
      if (provider.takes_password() || provider.takes_key()) return provider;
      return base::unsupported(fmt::format(
          "the provider \"{}\" needs a browser, which is not supported: get a token elsewhere and "
          "set DCOS_CLUSTER_SETUP_ACS_TOKEN",
          provider.id));
    }
    return base::not_found(
        fmt::format("the cluster has no login provider \"{}\". See `dcos auth list-providers`",
                    arguments.get("provider")));
  }
  if (!credentials.user.empty() && !credentials.password.empty() && credentials.key.empty())
    for (const Provider& provider : providers)
      if (provider.type == "dcos-uid-password") return provider;
  std::vector<Provider> fitting;
  for (const Provider& provider : providers)
    if (credentials.key.empty() ? provider.takes_password() : provider.takes_key())
      fitting.push_back(provider);
  return choose(context, fitting);
}

// Asks for what was not given. An empty answer is the end of the input.
base::Status complete(Context& context, const Provider& provider, Credentials& out) {
  bool missing = out.user.empty() || (provider.takes_password() && out.password.empty()) ||
                 (provider.takes_key() && out.key.empty());
  if (!missing && !out.ask_user && !out.ask_password) return {};
  if (provider.takes_key() && out.key.empty())
    return base::invalid("this login needs --private-key, a file with the service account's key");
  if (!context.io().input_is_terminal || !context.io().read_secret)
    return base::Error{
        base::Code::Unauthenticated,
        provider.takes_key()
            ? "this cluster wants a login: give --username"
            : "this cluster wants a login: give --username and --password-file, or set "
              "DCOS_USERNAME and DCOS_PASSWORD"};
  if (out.user.empty() || out.ask_user) {
    out.ask_user = true;
    context.prompt("Username: ");
    ASSIGN_OR_RETURN(std::string answer, context.io().read_input());
    out.user = base::trim(answer);
    if (out.user.empty()) return base::Error{base::Code::Cancelled, "no username was given"};
  }
  if (provider.takes_password() && (out.password.empty() || out.ask_password)) {
    out.ask_password = true;
    context.prompt("Password: ");
    ASSIGN_OR_RETURN(out.password, context.io().read_secret());
    if (out.password.empty()) return base::Error{base::Code::Cancelled, "no password was given"};
  }
  return {};
}

base::Result<std::string> try_once(Client& client, const Provider& provider,
                                   const Credentials& credentials) {
  json::object body{{"uid", credentials.user}};
  if (provider.takes_key()) {
    int64_t now =
        std::chrono::duration_cast<base::seconds>(base::system_clock().now().time.since_epoch)
            .count();
    ASSIGN_OR_RETURN(std::string proof,
                     service_login_token(credentials.user, credentials.key, now));
    body["token"] = proof;
  } else {
    body["password"] = credentials.password;
  }
  base::http::Headers headers{{"Content-Type", "application/json"}, {"Accept", "application/json"}};
  ASSIGN_OR_RETURN(auto response,
                   client.send("POST", provider.login_url, json::serialize(body), headers));
  auto answer = base::json::parse(response.body);
  if (response.status == 200 && answer) {
    std::string token = text_at(*answer, "/token");
    if (!token.empty()) return token;
    return base::Error{base::Code::BadGateway, "the cluster's answer to the login has no token"};
  }
  std::string reason = answer ? text_at(*answer, "/description") : "";
  if (reason.empty()) reason = fmt::format("HTTP {} error", response.status);
  return base::Error{response.status == 401 ? base::Code::Unauthenticated : base::Code::Unavailable,
                     reason};
}

}  // namespace

base::Result<Challenge> ask_for_challenge(Client& client) {
  ASSIGN_OR_RETURN(auto response, client.send("HEAD", "/pkgpanda/active.buildinfo.full.json"));
  if (response.status == 200) return Challenge{};
  if (response.status != 401)
    return base::unavailable(fmt::format("expected status code 401, got {}", response.status));
  Challenge out{true, base::to_lower(response.headers.get_or("WWW-Authenticate", ""))};
  out.scheme = out.scheme.substr(0, out.scheme.find(' '));
  return out;
}

base::Result<std::vector<Provider>> ask_for_providers(Client& client, const Challenge& challenge) {
  ASSIGN_OR_RETURN(auto response, client.send("GET", "/acs/api/v1/auth/providers", "",
                                              {{"Accept", "application/json"}}));
  std::vector<Provider> out;
  auto listed = base::json::parse(response.body);
  if (response.status == 200 && listed && listed->is_object()) {
    for (const auto& [id, value] : listed->get_object()) {
      Provider provider;
      provider.id = id;
      provider.type = text_at(value, "/authentication-type");
      provider.method = text_at(value, "/client-method");
      provider.description = text_at(value, "/description");
      std::string url = text_at(value, "/config/start_flow_url");
      // A password goes to the cluster that was named, and nowhere else.
      if (url.starts_with('/') && !url.starts_with("//")) provider.login_url = url;
      out.push_back(std::move(provider));
    }
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
    return out;
  }
  Provider only;
  if (challenge.scheme == "acsjwt") {
    only.id = "dcos-users";
    only.type = "dcos-uid-password";
    only.method = "dcos-usercredential-post-receive-authtoken";
    only.description = "Log in with a user ID and a password";
  } else if (challenge.scheme == "oauthjwt") {
    only.id = "dcos-oidc-auth0";
    only.type = "oidc-implicit-flow";
    only.method = "browser-prompt-oidcidtoken-get-authtoken";
    only.description = "Log in with a browser";
  } else {
    return no_way();
  }
  out.push_back(std::move(only));
  return out;
}

base::Result<std::string> log_in(Context& context, Client& client, const Challenge& challenge,
                                 const Arguments& arguments) {
  if (std::string token = context.env("DCOS_CLUSTER_SETUP_ACS_TOKEN"); !token.empty()) return token;
  ASSIGN_OR_RETURN(Credentials credentials, given(context, arguments));
  ASSIGN_OR_RETURN(auto providers, ask_for_providers(client, challenge));
  ASSIGN_OR_RETURN(Provider provider, select(context, providers, credentials, arguments));
  for (int attempt = 1;; ++attempt) {
    RETURN_IF_ERROR(complete(context, provider, credentials));
    auto token = try_once(client, provider, credentials);
    bool again = !token && token.error().code == base::Code::Unauthenticated &&
                 attempt < kAttempts && (credentials.ask_user || credentials.ask_password);
    if (!again) return token;
    context.note(token.error().message);
  }
}

base::Result<std::string> service_login_token(const std::string& uid, const std::string& pem,
                                              int64_t now_seconds) {
  auto key = base::PrivateKey::parse(pem);
  if (!key) return key.error().with_context("the private key");
  std::string text =
      base::base64url_encode(json::serialize(json::object{{"typ", "JWT"}, {"alg", "RS256"}})) +
      "." +
      base::base64url_encode(
          json::serialize(json::object{{"uid", uid}, {"exp", now_seconds + kProofSeconds}}));
  ASSIGN_OR_RETURN(std::string signature, key->sign(text));
  return text + "." + base::base64url_encode(signature);
}

}  // namespace cli
