#include "base/zk/url.hpp"

#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace base::zk {

namespace {

Result<std::string> parse_server(std::string_view server) {
  const size_t colon = server.rfind(':');
  const bool bare_ipv6 = server.ends_with(']');
  if (colon == std::string_view::npos || bare_ipv6) {
    if (server.empty()) return invalid("a ZooKeeper URL has an empty server name: expected zk://host:port,host:port/path");
    return std::string(server) + ":2181";
  }
  const auto port = parse_uint(server.substr(colon + 1));
  if (colon == 0 || !port || *port == 0 || *port > 65'535) {
    return invalid("a ZooKeeper URL has a server that is not host:port: expected zk://host:port,host:port/path");
  }
  return std::string(server);
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  text = trim(text);
  if (!is_url(text)) return invalid("not a ZooKeeper URL: expected zk://host:port,host:port/path");
  text.remove_prefix(5);
  Url url;
  const size_t slash = text.find('/', text.rfind('@') == std::string_view::npos ? 0 : text.rfind('@'));
  std::string_view authority = text.substr(0, slash);
  std::string_view path = slash == std::string_view::npos ? std::string_view() : text.substr(slash);
  if (const size_t at = authority.rfind('@'); at != std::string_view::npos) {
    url.credentials = std::string(authority.substr(0, at));
    authority.remove_prefix(at + 1);
    if (url.credentials.find(':') == std::string::npos || url.credentials.front() == ':') {
      return invalid("the credentials of a ZooKeeper URL are user:password, as in zk://user:password@host:port/path");
    }
  }
  for (std::string_view server : split(authority, ',')) {
    ASSIGN_OR_RETURN(const std::string parsed, parse_server(trim(server)));
    url.servers += (url.servers.empty() ? "" : ",") + parsed;
  }
  for (std::string_view part : tokenize(path, '/')) {
    if (part == "." || part == "..") return invalid("the path of a ZooKeeper URL may not contain '.' or '..'");
    for (const char c : part) {
      if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
        return invalid("the path of a ZooKeeper URL may not contain control characters");
      }
    }
    url.path += "/" + std::string(part);
  }
  if (url.path.empty()) return invalid("a ZooKeeper URL needs a path other than '/', as in zk://host:port/mesos");
  if (url.path == "/zookeeper" || url.path.starts_with("/zookeeper/")) {
    return invalid("the path of a ZooKeeper URL may not be below /zookeeper, which belongs to ZooKeeper itself");
  }
  return url;
}

std::string Url::redacted() const {
  const std::string user = credentials.substr(0, credentials.find(':'));
  return "zk://" + (credentials.empty() ? "" : user + ":***@") + servers + path;
}

}  // namespace base::zk
