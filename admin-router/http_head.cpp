#include "admin-router/http_head.hpp"

#include <array>
#include <cstring>

namespace admin_router {
namespace {

constexpr size_t kMaxFields = 128;

// RFC 9110 5.6.2 token characters.
constexpr std::array<bool, 256> token_table() {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[static_cast<size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) table[static_cast<size_t>(c)] = true;
  for (char c : std::string_view("!#$%&'*+-.^_`|~")) table[static_cast<unsigned char>(c)] = true;
  return table;
}
constexpr auto kToken = token_table();

bool is_token(std::string_view text) {
  if (text.empty()) return false;
  for (char c : text)
    if (!kToken[static_cast<unsigned char>(c)]) return false;
  return true;
}

bool has_control(std::string_view text) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && byte != '\t') || byte == 0x7f) return true;
  }
  return false;
}

bool is_target(std::string_view text) {
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7f) return false;
  }
  return !text.empty();
}

char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

std::string_view strip(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

bool parse_length(std::string_view text, uint64_t& out) {
  if (text.empty() || text.size() > 18) return false;
  out = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return false;
    out = out * 10 + static_cast<uint64_t>(c - '0');
  }
  return true;
}

// Reads "name: value" lines until the blank one.
Fault parse_fields(std::string_view lines, std::vector<Field>& out) {
  out.clear();
  while (lines.size() > 2) {
    size_t end = lines.find("\r\n");
    if (end == 0 || end == std::string_view::npos)
      return {400, "the header does not end with a blank line"};
    std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end + 2);
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return {400, "a header line has no colon"};
    // A blank before the colon, or a folded line, is where readers disagree: neither is accepted.
    std::string_view name = line.substr(0, colon);
    if (!is_token(name)) return {400, "a header name holds a character it may not hold"};
    std::string_view value = strip(line.substr(colon + 1));
    if (has_control(value)) return {400, "a header value holds a control character"};
    if (out.size() == kMaxFields) return {431, "more than 128 header fields"};
    out.push_back({name, value, known_name(name)});
  }
  return {};
}

struct Facts {
  bool has_length = false, has_encoding = false, chunked = false, bad_encoding = false,
       bad_length = false;
  bool close = false, keep = false, upgrade = false;
  uint64_t length = 0;
};

Facts collect(const std::vector<Field>& fields) {
  Facts facts;
  for (const Field& field : fields) {
    if (field.known == Name::ContentLength) {
      uint64_t length = 0;
      if (!parse_length(field.value, length)) facts.bad_length = true;
      if (facts.has_length && facts.length != length) facts.bad_length = true;
      facts.has_length = true;
      facts.length = length;
    } else if (field.known == Name::TransferEncoding) {
      if (facts.has_encoding || !same_text(field.value, "chunked")) facts.bad_encoding = true;
      facts.has_encoding = true;
      facts.chunked = !facts.bad_encoding;
    } else if (field.known == Name::Connection) {
      facts.close = facts.close || has_token(field.value, "close");
      facts.keep = facts.keep || has_token(field.value, "keep-alive");
      facts.upgrade = facts.upgrade || has_token(field.value, "upgrade");
    }
  }
  return facts;
}

std::string_view find_field(const std::vector<Field>& fields, Name name) {
  for (const Field& field : fields)
    if (field.known == name) return field.value;
  return {};
}

bool is_host(std::string_view host) {
  for (char c : host) {
    auto byte = static_cast<unsigned char>(c);
    bool good = (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
                (byte >= 'A' && byte <= 'Z') || std::strchr("-._~:[]%", c) != nullptr;
    if (!good || c == '\0') return false;
  }
  return true;
}

Fault parse_target(std::string_view target, RequestHead& out, std::string_view& authority) {
  if (!is_target(target)) return {400, "the request target holds a control character or is empty"};
  if (target.front() != '/') {
    size_t scheme = target.find("://");
    if (scheme == std::string_view::npos || scheme > 5)
      return {400, "the request target is not a path"};
    size_t slash = target.find('/', scheme + 3);
    authority =
        target.substr(scheme + 3, slash == std::string_view::npos ? slash : slash - scheme - 3);
    target = slash == std::string_view::npos ? std::string_view("/") : target.substr(slash);
  }
  size_t fragment = target.find('#');
  if (fragment != std::string_view::npos) return {400, "the request target holds a fragment"};
  out.target = target;
  size_t question = target.find('?');
  out.path = target.substr(0, question);
  out.query = question == std::string_view::npos ? std::string_view() : target.substr(question);
  return {};
}

Fault parse_request_line(std::string_view line, RequestHead& out, std::string_view& authority) {
  size_t first = line.find(' ');
  size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return {400, "the request line is malformed"};
  out.method = line.substr(0, first);
  if (!is_token(out.method) || out.method.size() > 32) return {400, "the method is malformed"};
  if (out.method == "CONNECT") return {405, "this is a gateway, not a forward proxy"};
  std::string_view version = line.substr(last + 1);
  if (version == "HTTP/1.1") {
    out.minor = 1;
  } else if (version == "HTTP/1.0") {
    out.minor = 0;
  } else {
    return {505, "only HTTP/1.0 and HTTP/1.1 are understood"};
  }
  return parse_target(line.substr(first + 1, last - first - 1), out, authority);
}

}  // namespace

bool same_text(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

bool has_token(std::string_view value, std::string_view token) {
  while (true) {
    size_t comma = value.find(',');
    if (same_text(strip(value.substr(0, comma)), token)) return true;
    if (comma == std::string_view::npos) return false;
    value.remove_prefix(comma + 1);
  }
}

Name known_name(std::string_view name) {
  struct Row {
    std::string_view text;
    Name known;
  };
  static constexpr Row kRows[] = {
      {"te", Name::Te},
      {"host", Name::Host},
      {"accept", Name::Accept},
      {"cookie", Name::Cookie},
      {"expect", Name::Expect},
      {"upgrade", Name::Upgrade},
      {"trailer", Name::Trailer},
      {"location", Name::Location},
      {"x-real-ip", Name::XRealIp},
      {"connection", Name::Connection},
      {"keep-alive", Name::KeepAlive},
      {"authorization", Name::Authorization},
      {"if-none-match", Name::IfNoneMatch},
      {"content-length", Name::ContentLength},
      {"accept-encoding", Name::AcceptEncoding},
      {"x-forwarded-for", Name::XForwardedFor},
      {"x-forwarded-host", Name::XForwardedHost},
      {"proxy-connection", Name::ProxyConnection},
      {"transfer-encoding", Name::TransferEncoding},
      {"x-forwarded-proto", Name::XForwardedProto},
      {"proxy-authenticate", Name::ProxyAuthenticate},
      {"proxy-authorization", Name::ProxyAuthorization},
  };
  if (name.size() < 2 || name.size() > 19) return Name::Other;
  char first = lower(name.front());
  char last = lower(name.back());
  for (const Row& row : kRows)
    if (row.text.size() == name.size() && row.text.front() == first && row.text.back() == last &&
        same_text(row.text, name))
      return row.known;
  return Name::Other;
}

std::string_view RequestHead::get(Name name) const {
  return find_field(fields, name);
}
std::string_view ResponseHead::get(Name name) const {
  return find_field(fields, name);
}

size_t find_head_end(std::string_view bytes, size_t from) {
  from = from > 3 ? from - 3 : 0;
  if (bytes.size() < from + 4) return std::string_view::npos;
  const void* at = memmem(bytes.data() + from, bytes.size() - from, "\r\n\r\n", 4);
  if (at == nullptr) return std::string_view::npos;
  return static_cast<size_t>(static_cast<const char*>(at) - bytes.data()) + 4;
}

Fault parse_request(std::string_view head, RequestHead& out) {
  size_t line_end = head.find("\r\n");
  std::string_view authority;
  if (Fault fault = parse_request_line(head.substr(0, line_end), out, authority)) return fault;
  if (Fault fault = parse_fields(head.substr(line_end + 2), out.fields)) return fault;

  size_t hosts = 0;
  out.host = {};
  out.expects_continue = false;
  for (const Field& field : out.fields) {
    if (field.known == Name::Host) {
      ++hosts;
      out.host = field.value;
    } else if (field.known == Name::Expect) {
      if (!same_text(field.value, "100-continue"))
        return {417, "the only expectation known is 100-continue"};
      out.expects_continue = out.minor == 1;
    }
  }
  if (hosts > 1 || (hosts == 0 && out.minor == 1))
    return {400, "there must be exactly one Host header"};
  if (!authority.empty()) out.host = authority;
  if (!is_host(out.host)) return {400, "the Host header is malformed"};

  Facts facts = collect(out.fields);
  if (facts.bad_length) return {400, "Content-Length is malformed or contradicts itself"};
  if (facts.bad_encoding) return {501, "the only transfer encoding known is chunked"};
  if (facts.has_encoding && (facts.has_length || out.minor == 0))
    return {400, "Transfer-Encoding together with Content-Length or HTTP/1.0"};
  out.body = {};
  if (facts.chunked) out.body.kind = Framing::Kind::Chunked;
  if (facts.has_length && facts.length > 0) out.body = {Framing::Kind::Length, facts.length};
  out.keep_alive = out.minor == 1 ? !facts.close : facts.keep && !facts.close;
  out.upgrade = {};
  if (facts.upgrade && out.minor == 1) out.upgrade = out.get(Name::Upgrade);
  return {};
}

Fault parse_response(std::string_view head, bool to_head, ResponseHead& out) {
  size_t line_end = head.find("\r\n");
  std::string_view line = head.substr(0, line_end);
  if (line.size() < 12 || line.substr(0, 7) != "HTTP/1." || (line[7] != '0' && line[7] != '1') ||
      line[8] != ' ')
    return {502, "the answer is not HTTP/1"};
  out.minor = line[7] - '0';
  out.status = 0;
  for (size_t i = 9; i < 12; ++i) {
    if (line[i] < '0' || line[i] > '9') return {502, "the answer has no status"};
    out.status = out.status * 10 + (line[i] - '0');
  }
  if (out.status < 100 || (line.size() > 12 && line[12] != ' '))
    return {502, "the answer has no status"};
  out.reason = line.size() > 13 ? line.substr(13) : std::string_view();
  if (has_control(out.reason)) return {502, "the answer's status line holds a control character"};
  if (Fault fault = parse_fields(head.substr(line_end + 2), out.fields))
    return {502, fault.sentence};

  Facts facts = collect(out.fields);
  if (facts.bad_length)
    return {502, "the answer's Content-Length is malformed or contradicts itself"};
  if (facts.bad_encoding) return {502, "the answer's transfer encoding is not chunked"};
  out.keep_alive = out.minor == 1 ? !facts.close : facts.keep && !facts.close;
  if (to_head || out.status < 200 || out.status == 204 || out.status == 304) {
    out.body = {};
  } else if (facts.chunked) {
    out.body = {Framing::Kind::Chunked, 0};
  } else if (facts.has_length) {
    out.body = {facts.length == 0 ? Framing::Kind::None : Framing::Kind::Length, facts.length};
  } else {
    out.body = {Framing::Kind::UntilClose, 0};
    out.keep_alive = false;
  }
  return {};
}

}  // namespace admin_router
