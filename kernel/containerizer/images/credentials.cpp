#include "kernel/containerizer/images/credentials.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"
#include "kernel/containerizer/images/digest.hpp"

namespace containerizer::images {
namespace {

/// "https://index.docker.io/v1/" -> the one name under which Docker's own registry is kept here.
std::string normal(std::string_view registry) {
  if (const size_t scheme = registry.find("://"); scheme != std::string_view::npos)
    registry.remove_prefix(scheme + 3);
  registry = registry.substr(0, registry.find('/'));
  std::string out = base::to_lower(registry);
  if (out == "docker.io" || out.ends_with(".docker.io")) return "docker.io";
  return out;
}

std::string text_of(const boost::json::value& value, const char* pointer) {
  const auto* found = base::json::find(value, pointer);
  return found != nullptr && found->is_string() ? std::string(found->as_string()) : std::string();
}

}  // namespace

std::string Credential::basic() const {
  return "Basic " + base::base64_encode(user + ":" + password);
}

Result<Credentials> Credentials::parse(std::string_view text) {
  ASSIGN_OR_RETURN(const boost::json::value value,
                   base::json::parse(text, {.max_bytes = 1 << 20, .max_depth = 16}));
  if (!value.is_object()) return base::invalid("docker credentials: not a JSON object");
  const auto* auths = base::json::find(value, "/auths");
  if (auths == nullptr && base::json::find(value, "/credsStore") != nullptr)
    return base::unsupported("docker credentials: a credsStore cannot be asked here; give auths");
  const auto& object = auths == nullptr ? value : *auths;
  if (!object.is_object()) return base::invalid("docker credentials: auths is not an object");
  Credentials out;
  for (const auto& entry : object.as_object()) {
    if (!entry.value().is_object()) {
      if (auths == nullptr) continue;  // config.json without auths has other members at this level
      return base::invalid("docker credentials: auths." + std::string(entry.key()) +
                           " is not an object");
    }
    Credential credential;
    credential.user = text_of(entry.value(), "/username");
    credential.password = text_of(entry.value(), "/password");
    credential.identity_token = text_of(entry.value(), "/identitytoken");
    if (const std::string encoded = text_of(entry.value(), "/auth"); !encoded.empty()) {
      std::string decoded;
      const bool valid = base::base64_decode(encoded, decoded);
      const size_t colon = decoded.find(':');
      if (!valid || colon == std::string::npos)
        return base::invalid("docker credentials: auths." + std::string(entry.key()) +
                             ".auth is not base64 of user:password");
      credential.user = decoded.substr(0, colon);
      credential.password = decoded.substr(colon + 1);
      while (!credential.password.empty() && credential.password.back() == '\0')
        credential.password.pop_back();
    }
    if (credential == Credential()) continue;
    out.by_registry_[normal(entry.key())] = std::move(credential);
  }
  return out;
}

void Credentials::merge(const Credentials& stronger) {
  for (const auto& [registry, credential] : stronger.by_registry_)
    by_registry_[registry] = credential;
}

std::optional<Credential> Credentials::find(const std::string& registry) const {
  const auto found = by_registry_.find(normal(registry));
  if (found == by_registry_.end()) return std::nullopt;
  return found->second;
}

std::string Credentials::fingerprint() const {
  std::string all;
  for (const auto& [registry, credential] : by_registry_)
    all += registry + '\0' + credential.user + '\0' + credential.password + '\0' +
           credential.identity_token + '\0';
  return by_registry_.empty() ? "" : sha256_of(all);
}

Result<Challenge> parse_challenge(std::string_view header) {
  Challenge out;
  header = base::trim(header);
  const size_t blank = header.find(' ');
  out.scheme = base::to_lower(header.substr(0, blank));
  if (out.scheme.empty()) return base::invalid("the registry wants a login but does not say how");
  std::string_view rest =
      blank == std::string_view::npos ? std::string_view() : header.substr(blank + 1);
  while (!(rest = base::trim(rest)).empty()) {
    if (rest.front() == ',') {
      rest.remove_prefix(1);
      continue;
    }
    const size_t equals = rest.find('=');
    if (equals == std::string_view::npos || out.parameters.size() > 32) break;
    const std::string name = base::to_lower(base::trim(rest.substr(0, equals)));
    rest.remove_prefix(equals + 1);
    std::string value;
    if (rest.starts_with('"')) {
      size_t at = 1;
      for (; at < rest.size() && rest[at] != '"'; ++at) {
        if (rest[at] == '\\' && at + 1 < rest.size()) ++at;
        value += rest[at];
      }
      rest.remove_prefix(std::min(at + 1, rest.size()));
    } else {
      const size_t end = rest.find(',');
      value = std::string(base::trim(rest.substr(0, end)));
      rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
    }
    out.parameters[name] = value;
  }
  return out;
}

}  // namespace containerizer::images
