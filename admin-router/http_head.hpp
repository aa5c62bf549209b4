#pragma once

// Heads of HTTP/1 messages read in place (pure): nothing is copied, every view points into the
// bytes that were parsed. Strict where a lenient reader could be made to disagree with the next one
// about where a message ends.

#include <cstdint>
#include <string_view>
#include <vector>

namespace admin_router {

/// The header names that a relay has an opinion on; everything else is copied as it came.
enum class Name : uint8_t {
  Other,
  AcceptEncoding,
  Accept,
  Authorization,
  Connection,
  ContentLength,
  Cookie,
  Expect,
  Host,
  KeepAlive,
  Location,
  ProxyAuthenticate,
  ProxyAuthorization,
  ProxyConnection,
  Te,
  Trailer,
  TransferEncoding,
  Upgrade,
  XForwardedFor,
  XForwardedHost,
  XForwardedProto,
  XRealIp,
  IfNoneMatch,
};

Name known_name(std::string_view name);

struct Field {
  std::string_view name;
  std::string_view value;  // without blanks around it
  Name known = Name::Other;
};

/// Where a body ends.
struct Framing {
  enum class Kind : uint8_t { None, Length, Chunked, UntilClose };
  Kind kind = Kind::None;
  uint64_t length = 0;
};

struct RequestHead {
  std::string_view method;
  std::string_view target;  // origin form: path and query
  std::string_view path;    // up to '?', as sent
  std::string_view query;   // with its '?', or empty
  std::string_view host;
  int minor = 1;  // HTTP/1.minor
  std::vector<Field> fields;
  Framing body;
  bool keep_alive = true;
  bool expects_continue = false;
  std::string_view upgrade;  // the protocol asked for, only when Connection names it

  std::string_view get(Name name) const;
  bool is_head() const { return method == "HEAD"; }
};

struct ResponseHead {
  int status = 0;
  std::string_view reason;
  int minor = 1;
  std::vector<Field> fields;
  Framing body;
  bool keep_alive = true;

  std::string_view get(Name name) const;
};

/// Offset just behind the blank line that ends a head, or npos. Looks from `from` on (what an
/// earlier call has seen).
size_t find_head_end(std::string_view bytes, size_t from);

/// What is wrong with a message: the status to answer with and a sentence. Status 0: nothing.
struct Fault {
  int status = 0;
  const char* sentence = "";
  explicit operator bool() const { return status != 0; }
};

/// `head` includes the final blank line. Fills `out`, whose vector is reused.
Fault parse_request(std::string_view head, RequestHead& out);

/// `to_head`: the answer to a HEAD request, which has no body whatever its fields say.
Fault parse_response(std::string_view head, bool to_head, ResponseHead& out);

/// Whether a comma-separated field value holds `token` (without case).
bool has_token(std::string_view value, std::string_view token);

bool same_text(std::string_view a, std::string_view b);  // ASCII, without case

}  // namespace admin_router
