#include "kernel/containerizer/images/reference.hpp"

#include <algorithm>

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace containerizer::images {
namespace {

constexpr size_t kMaxRepository = 255;
constexpr size_t kMaxTag = 128;

bool is_lower_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}
bool is_word(char c) {
  return is_lower_or_digit(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/// Letters and digits, with single '.', one or two '_' or any number of '-' between them.
bool is_path_component(std::string_view text) {
  if (text.empty() || !is_lower_or_digit(text.front()) || !is_lower_or_digit(text.back()))
    return false;
  for (size_t at = 0; at < text.size();) {
    if (is_lower_or_digit(text[at])) {
      ++at;
      continue;
    }
    const char separator = text[at];
    size_t run = 0;
    while (at < text.size() && text[at] == separator) ++at, ++run;
    if (at < text.size() && !is_lower_or_digit(text[at])) return false;
    const size_t allowed = separator == '.'   ? 1
                           : separator == '_' ? 2
                           : separator == '-' ? kMaxRepository
                                              : 0;
    if (run > allowed) return false;
  }
  return true;
}

bool is_tag(std::string_view text) {
  if (text.empty() || text.size() > kMaxTag || !is_word(text.front())) return false;
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_port(std::string_view text) {
  const auto number = base::parse_uint(text);
  return number && *number > 0 && *number <= 65535;
}

bool is_registry(std::string_view text) {
  if (text.starts_with('[')) {
    const size_t close = text.find(']');
    if (close == std::string_view::npos || close < 3) return false;
    const auto address = text.substr(1, close - 1);
    if (address.find_first_not_of("0123456789abcdefABCDEF:.") != std::string_view::npos)
      return false;
    const auto rest = text.substr(close + 1);
    return rest.empty() || (rest[0] == ':' && is_port(rest.substr(1)));
  }
  const size_t colon = text.find(':');
  const auto host = text.substr(0, colon);
  if (host.empty() || host.size() > 253 || host.front() == '-' || host.front() == '.') return false;
  if (!std::all_of(host.begin(), host.end(),
                   [](char c) { return is_word(c) || c == '.' || c == '-'; }))
    return false;
  return colon == std::string_view::npos || is_port(text.substr(colon + 1));
}

bool looks_like_registry(std::string_view component) {
  return component == "localhost" || component.find_first_of(".:") != std::string_view::npos;
}

std::string_view host_of(std::string_view registry) {
  if (registry.starts_with('[')) return registry.substr(1, registry.find(']') - 1);
  return registry.substr(0, registry.find(':'));
}

std::string_view port_of(std::string_view registry) {
  const size_t from = registry.starts_with('[') ? registry.find(']') : 0;
  const size_t colon = registry.find(':', from);
  return colon == std::string_view::npos ? std::string_view() : registry.substr(colon + 1);
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "::1" ||
         (host.starts_with("127.") &&
          host.find_first_not_of("0123456789.") == std::string_view::npos);
}

bool is_docker_hub(std::string_view registry) {
  return registry == "docker.io" || registry == "index.docker.io" ||
         registry == "registry-1.docker.io";
}

struct Place {
  std::string scheme, registry;  // scheme empty: to be chosen
};

Place place_of(const Reference& reference, const RegistrySettings& settings) {
  if (!reference.registry.empty() && !is_docker_hub(reference.registry))
    return {"", reference.registry};
  if (!reference.registry.empty()) return {"https", "registry-1.docker.io"};
  const std::string& url = settings.default_registry;
  const size_t scheme = url.find("://");
  std::string rest = scheme == std::string::npos ? url : url.substr(scheme + 3);
  rest = rest.substr(0, rest.find('/'));
  if (is_docker_hub(rest)) rest = "registry-1.docker.io";
  return {scheme == std::string::npos ? "" : url.substr(0, scheme), rest};
}

}  // namespace

bool is_digest(std::string_view text) {
  const size_t length = text.starts_with("sha256:") ? 64 : text.starts_with("sha512:") ? 128 : 0;
  if (length == 0 || text.size() != 7 + length) return false;
  return std::all_of(text.begin() + 7, text.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

std::string Reference::render() const {
  std::string out = registry.empty() ? repository : registry + "/" + repository;
  if (!tag.empty()) out += ":" + tag;
  if (!digest.empty()) out += "@" + digest;
  return out;
}

Result<Reference> parse_reference(std::string_view text) {
  const auto bad = [text](const std::string& why) {
    return base::invalid("'" + base::valid_utf8(text.substr(0, 300)) +
                         "' is not the name of an image: " + why);
  };
  Reference out;
  std::string_view rest = text;
  if (const size_t at = rest.find('@'); at != std::string_view::npos) {
    out.digest = std::string(rest.substr(at + 1));
    if (!is_digest(out.digest)) return bad("the digest is not sha256: and 64 hexadecimal digits");
    rest = rest.substr(0, at);
  }
  if (const size_t slash = rest.find('/');
      slash != std::string_view::npos && looks_like_registry(rest.substr(0, slash))) {
    out.registry = std::string(rest.substr(0, slash));
    if (!is_registry(out.registry)) return bad("the registry is not a host, or a host and a port");
    rest = rest.substr(slash + 1);
  }
  if (const size_t colon = rest.rfind(':');
      colon != std::string_view::npos && rest.find('/', colon) == std::string_view::npos) {
    out.tag = std::string(rest.substr(colon + 1));
    if (!is_tag(out.tag))
      return bad("the tag may have letters, digits, '_', '.' and '-', 128 at most");
    rest = rest.substr(0, colon);
  } else if (out.digest.empty()) {
    out.tag = "latest";
  }
  out.repository = std::string(rest);
  if (rest.empty()) return bad("there is no repository");
  if (rest.size() > kMaxRepository) return bad("the repository is longer than 255 characters");
  for (const auto component : base::split(rest, '/'))
    if (!is_path_component(component))
      return bad(
          "a component of the repository may have lower case letters and digits, with '.', '_' or "
          "'-' between them");
  return out;
}

std::vector<Endpoint> plan_endpoints(const Reference& reference, const RegistrySettings& settings) {
  const Place place = place_of(reference, settings);
  std::string repository = reference.repository;
  if (place.registry.find("docker.io") != std::string::npos &&
      repository.find('/') == std::string::npos)
    repository = "library/" + repository;
  const auto listed = [&settings](const std::string& registry) {
    return std::find(settings.insecure.begin(), settings.insecure.end(), registry) !=
               settings.insecure.end() ||
           std::find(settings.insecure.begin(), settings.insecure.end(),
                     std::string(host_of(registry))) != settings.insecure.end();
  };
  std::vector<Endpoint> out;
  for (const auto& mirror : settings.mirrors) {
    const bool stands_for =
        mirror.registry.empty()
            ? reference.registry.empty() || is_docker_hub(reference.registry)
            : mirror.registry == place.registry || mirror.registry == reference.registry;
    if (!stands_for) continue;
    const std::string host = mirror.url.substr(mirror.url.find("://") + 3);
    out.push_back({mirror.url, host, repository, !listed(host)});
  }
  const auto add = [&](const std::string& scheme, bool verify) {
    out.push_back({scheme + "://" + place.registry, place.registry, repository, verify});
  };
  const auto port = port_of(place.registry);
  if (!place.scheme.empty()) {
    add(place.scheme, !listed(place.registry));
  } else if (listed(place.registry)) {
    if (port != "80") add("https", false);
    if (port != "443") add("http", true);
  } else {
    // Plain HTTP only where nobody can listen in: on this machine, or when the port says so.
    const bool plain = port == "80" || (port != "443" && is_loopback(host_of(place.registry)));
    add(plain ? "http" : "https", true);
  }
  return out;
}

std::string canonical_name(const Reference& reference, const RegistrySettings& settings) {
  const Endpoint main = plan_endpoints(reference, settings).back();
  return main.registry + "/" + main.repository +
         (reference.digest.empty() ? ":" + reference.tag : "@" + reference.digest);
}

Result<std::vector<RegistrySettings::Mirror>> parse_mirrors(std::string_view text) {
  std::vector<RegistrySettings::Mirror> out;
  for (const auto item : base::tokenize(text, ',')) {
    RegistrySettings::Mirror mirror;
    std::string_view url = base::trim(item);
    if (const size_t equals = url.find('='); equals != std::string_view::npos) {
      mirror.registry = std::string(url.substr(0, equals));
      url = url.substr(equals + 1);
    }
    while (url.ends_with('/')) url.remove_suffix(1);
    const size_t scheme = url.find("://");
    if ((!url.starts_with("https://") && !url.starts_with("http://")) ||
        !is_registry(url.substr(scheme + 3)))
      return base::invalid("the mirror '" + std::string(item) +
                           "' is not [registry=]http(s)://host[:port]");
    mirror.url = std::string(url);
    out.push_back(std::move(mirror));
  }
  return out;
}

}  // namespace containerizer::images
