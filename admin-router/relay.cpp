#include "admin-router/relay.hpp"

#include <fmt/compile.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/http/message.hpp"
#include "base/strings.hpp"

namespace admin_router {
namespace {

constexpr size_t kMaxConnectionTokens = 32;

void append_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

// Fields that speak of one connection only, plus the ones the Connection field names.
bool hop_by_hop(const Field& field, const std::vector<std::string_view>& named) {
  switch (field.known) {
    case Name::Connection:
    case Name::KeepAlive:
    case Name::ProxyAuthenticate:
    case Name::ProxyAuthorization:
    case Name::ProxyConnection:
    case Name::Te:
    case Name::TransferEncoding:
    case Name::Upgrade:
      return true;
    default:
      break;
  }
  for (std::string_view name : named)
    if (same_text(name, field.name)) return true;
  return false;
}

// Names listed in Connection that must not travel. Names that frame or route the message are not
// taken from there: a client must not be able to remove them.
void connection_names(const std::vector<Field>& fields, std::vector<std::string_view>& out) {
  out.clear();
  for (const Field& field : fields) {
    if (field.known != Name::Connection) continue;
    for (std::string_view piece : base::split(field.value, ',')) {
      std::string_view name = base::trim(piece);
      if (name.empty() || same_text(name, "close") || same_text(name, "keep-alive")) continue;
      Name known = known_name(name);
      bool needed = known == Name::Host || known == Name::ContentLength ||
                    known == Name::Authorization || known == Name::Cookie ||
                    known == Name::XForwardedFor || known == Name::XForwardedProto ||
                    known == Name::XForwardedHost || known == Name::XRealIp;
      if (!needed && out.size() < kMaxConnectionTokens) out.push_back(name);
    }
  }
}

}  // namespace

bool may_upgrade(const RequestHead& head) {
  if (head.upgrade.empty() || head.body.kind != Framing::Kind::None || head.method != "GET")
    return false;
  if (head.upgrade.find(',') != std::string_view::npos) return false;
  return !(head.upgrade.size() >= 2 && same_text(head.upgrade.substr(0, 2), "h2")) &&
         !same_text(head.upgrade.substr(0, std::min<size_t>(4, head.upgrade.size())), "http");
}

std::string foreign_cookies(std::string_view cookies) {
  std::string out;
  while (!cookies.empty()) {
    size_t end = std::min(cookies.find(';'), cookies.size());
    std::string_view cookie = base::trim(cookies.substr(0, end));
    cookies.remove_prefix(std::min(end + 1, cookies.size()));
    if (cookie.empty() || cookie.starts_with("dcos-acs-auth-cookie=") ||
        cookie.starts_with("dcos-acs-info-cookie="))
      continue;
    if (!out.empty()) out += "; ";
    out += cookie;
  }
  return out;
}

void write_upstream_head(const RequestHead& head, const Forward& forward, const Peer& peer,
                         std::string& out) {
  static thread_local std::vector<std::string_view> named;
  connection_names(head.fields, named);
  out.append(head.method).append(" ").append(forward.target).append(" HTTP/1.1\r\n");
  std::string_view forwarded_for;
  std::string joined;
  for (const Field& field : head.fields) {
    if (hop_by_hop(field, named)) continue;
    switch (field.known) {
      case Name::Host:
      case Name::Expect:
      case Name::Trailer:
      case Name::XRealIp:
      case Name::XForwardedProto:
      case Name::XForwardedHost:
      case Name::ContentLength:
        break;
      case Name::XForwardedFor:
        joined.append(joined.empty() ? "" : ", ").append(field.value);
        break;
      case Name::AcceptEncoding:
        if (!forward.drop_accept_encoding) append_field(out, field.name, field.value);
        break;
      case Name::Authorization:
        if (forward.authorization.empty() && !forward.drop_authorization)
          append_field(out, field.name, field.value);
        break;
      case Name::Cookie: {
        std::string kept = foreign_cookies(field.value);
        if (!kept.empty()) append_field(out, field.name, kept);
        break;
      }
      default:
        append_field(out, field.name, field.value);
    }
  }
  append_field(out, "Host", head.host.empty() ? std::string_view(forward.address.host) : head.host);
  if (!joined.empty()) joined.append(", ");
  joined.append(peer.address);
  append_field(out, "X-Forwarded-For", joined);
  append_field(out, "X-Real-IP", peer.address);
  append_field(out, "X-Forwarded-Proto", peer.tls ? "https" : "http");
  if (!forward.authorization.empty() && !forward.drop_authorization)
    append_field(out, "Authorization", forward.authorization);
  bool has_length =
      head.body.kind == Framing::Kind::Length || !head.get(Name::ContentLength).empty();
  if (has_length)
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("Content-Length: {}\r\n"),
                   head.body.length);
  if (head.body.kind == Framing::Kind::Chunked) out.append("Transfer-Encoding: chunked\r\n");
  if (may_upgrade(head)) {
    append_field(out, "Upgrade", head.upgrade);
    out.append("Connection: upgrade\r\n");
  }
  out.append("\r\n");
}

std::string public_location(std::string_view location, const Forward& forward,
                            std::string_view public_host) {
  std::string_view path = location;
  if (location.starts_with("//") || location.find("://") < location.find('/')) {
    size_t start = location.find("//");
    std::string_view scheme = location.substr(0, start);
    if (!scheme.empty() && scheme != (forward.address.tls ? "https:" : "http:"))
      return std::string(location);
    std::string_view rest = location.substr(start + 2);
    size_t slash = rest.find_first_of("/?#");
    std::string_view authority = rest.substr(0, slash);
    bool ours = same_text(authority, public_host) || same_text(authority, forward.address.text());
    if (!ours && forward.address.port == (forward.address.tls ? 443 : 80))
      ours = same_text(authority, forward.address.host);
    if (!ours) return std::string(location);
    path = slash == std::string_view::npos ? std::string_view("/") : rest.substr(slash);
  }
  if (!path.starts_with('/')) return std::string(location);
  auto below = [](std::string_view text, std::string_view prefix) {
    return text.starts_with(prefix) &&
           (text.size() == prefix.size() ||
            std::string_view("/?#").find(text[prefix.size()]) != std::string_view::npos);
  };
  if (below(path, forward.public_prefix)) return std::string(path);
  if (!forward.upstream_base.empty() && below(path, forward.upstream_base))
    path.remove_prefix(forward.upstream_base.size());
  return forward.public_prefix + std::string(path);
}

void write_client_head(const ResponseHead& head, const Forward& forward,
                       std::string_view public_host, const ClientFraming& framing,
                       std::string& out) {
  static thread_local std::vector<std::string_view> named;
  connection_names(head.fields, named);
  fmt::format_to(std::back_inserter(out), FMT_COMPILE("HTTP/1.1 {} "), head.status);
  out.append(head.reason).append("\r\n");
  bool switching = head.status == 101;
  bool length_written = false;
  for (const Field& field : head.fields) {
    if (switching && field.known == Name::Upgrade) {
      append_field(out, field.name, field.value);
      continue;
    }
    if (hop_by_hop(field, named)) continue;
    if (field.known == Name::ContentLength) {
      if (framing.chunked || length_written) continue;
      length_written = true;
    }
    if (field.known == Name::Location) {
      append_field(out, field.name, public_location(field.value, forward, public_host));
    } else {
      append_field(out, field.name, field.value);
    }
  }
  if (framing.chunked) out.append("Transfer-Encoding: chunked\r\n");
  if (forward.stale_seconds > 0)
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("X-Route-Age: {}\r\n"),
                   forward.stale_seconds);
  if (switching) {
    out.append("Connection: upgrade\r\n");
  } else if (!framing.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (framing.minor == 0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

void write_local(const LocalAnswer& answer, bool to_head, int minor, bool keep_alive,
                 std::string& out) {
  size_t size = answer.body ? answer.body->size() : 0;
  fmt::format_to(std::back_inserter(out), "HTTP/1.1 {} {}\r\n{}", answer.status,
                 base::http::reason_phrase(answer.status), answer.fields);
  if (answer.status != 304 && answer.status != 204)
    fmt::format_to(std::back_inserter(out), "Content-Length: {}\r\n", size);
  if (!keep_alive) {
    out.append("Connection: close\r\n");
  } else if (minor == 0) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
  if (!to_head && answer.status != 304 && answer.body) out.append(*answer.body);
}

}  // namespace admin_router
