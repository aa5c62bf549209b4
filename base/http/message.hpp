#pragma once

// HTTP messages as values (tier pure).

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace base::http {

/// Header fields in order; names compare without case.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string, std::string>> fields) : fields_(fields) {}

  /// The first value of that name.
  std::optional<std::string_view> get(std::string_view name) const;
  std::string_view get_or(std::string_view name, std::string_view fallback) const;
  bool has(std::string_view name) const { return get(name).has_value(); }
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }

  /// Replaces every field of that name.
  void set(std::string name, std::string value);
  void remove(std::string_view name);
  void reserve(size_t fields) { fields_.reserve(fields); }

  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

/// Decoded key=value pairs of a query string or form body, in order.
class Query {
 public:
  static Query parse(std::string_view text);
  std::optional<std::string> get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  bool has(std::string_view name) const { return get(name).has_value(); }
  const std::vector<std::pair<std::string, std::string>>& pairs() const { return pairs_; }

 private:
  std::vector<std::pair<std::string, std::string>> pairs_;
};

struct Request {
  std::string method;          // "GET"
  std::string target;          // as received: "/v2/apps/a%2Fb?x=1"
  std::string path;            // up to '?', still encoded
  std::string query_text;      // after '?', undecoded
  Headers headers;
  std::string body;
  std::string remote_address;  // "127.0.0.1:41234", or "unix"
  std::map<std::string, std::string> parameters;  // filled by the router: decoded {name} pieces
  std::string rest;            // filled by the router: decoded text matched by a final {rest...}
  std::string principal;       // filled by the daemon's authentication; empty: nobody in particular

  Query query() const { return Query::parse(query_text); }
};

struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  static Response text(int status, std::string body);                     // text/plain; charset=utf-8
  static Response json(int status, std::string body);                     // application/json
  static Response from(const Error& error);                               // status by code, message as text
};

std::string_view reason_phrase(int status);

}  // namespace base::http
