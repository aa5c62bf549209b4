#include <algorithm>

#include "base/http/client.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace base::http {

namespace {

Result<Url> parse_unix(std::string_view rest, std::string_view text) {
  Url url;
  url.scheme = "unix";
  url.port = 0;
  size_t colon = rest.find(':');
  url.host = std::string(rest.substr(0, colon));
  if (!url.host.starts_with('/') || url.host.size() > 107) {
    return invalid("'" + std::string(text) + "' has no socket path");
  }
  if (colon != std::string_view::npos) url.target = std::string(rest.substr(colon + 1));
  if (!url.target.starts_with('/')) url.target.insert(0, "/");
  return url;
}

bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 &&
         std::all_of(host.begin(), host.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '_';
         });
}

bool is_address(std::string_view host) {
  return !host.empty() && host.size() <= 64 &&
         host.find_first_not_of("0123456789abcdefABCDEF:.%") == std::string_view::npos;
}

}  // namespace

Result<Url> Url::parse(std::string_view text) {
  auto bad = [&](std::string_view why) {
    return invalid("'" + valid_utf8(text) + "' is not a URL: " + std::string(why));
  };
  for (char c : text) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return bad("it has blanks or control characters");
  }
  if (text.starts_with("unix:")) return parse_unix(text.substr(5), text);
  size_t end_of_scheme = text.find("://");
  if (end_of_scheme == std::string_view::npos) return bad("it does not begin with http:// or https://");
  Url url;
  url.scheme = to_lower(text.substr(0, end_of_scheme));
  if (url.scheme == "https") {
    url.port = 443;
  } else if (url.scheme != "http") {
    return bad("it does not begin with http:// or https://");
  }
  std::string_view rest = text.substr(end_of_scheme + 3);
  rest = rest.substr(0, rest.find('#'));
  size_t end = rest.find_first_of("/?");
  std::string_view authority = rest.substr(0, end);
  std::string_view port;
  if (authority.find('@') != std::string_view::npos) return bad("it has a user name");
  if (authority.starts_with('[')) {
    size_t close = authority.find(']');
    if (close == std::string_view::npos) return bad("a ']' is missing");
    url.host = std::string(authority.substr(1, close - 1));
    if (!is_address(url.host)) return bad("its address is malformed");
    port = authority.substr(close + 1);
    if (!port.empty() && !port.starts_with(':')) return bad("its port is malformed");
  } else {
    size_t colon = authority.find(':');
    url.host = std::string(authority.substr(0, colon));
    if (!is_host(url.host)) return bad("its host is malformed");
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (port.size() > 1) {
    auto number = parse_uint(port.substr(1));
    if (!number || *number == 0 || *number > 65535) return bad("its port is malformed");
    url.port = static_cast<uint16_t>(*number);
  }
  if (end != std::string_view::npos) url.target = std::string(rest.substr(end));
  if (url.target.starts_with('?')) url.target.insert(0, "/");
  return url;
}

std::string Url::render() const {
  if (scheme == "unix") return "unix:" + host + ":" + target;
  std::string out = scheme + "://";
  out += host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != (scheme == "https" ? 443 : 80)) out += ":" + std::to_string(port);
  return out + target;
}

}  // namespace base::http
