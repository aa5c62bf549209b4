#include "base/http/router.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "base/check.hpp"
#include "base/strings.hpp"

namespace base::http {

namespace {

struct Piece {
  enum class Kind { Literal, One, Many };
  Kind kind = Kind::Literal;
  std::string text;  // literal, or the parameter's name
};

struct Pattern {
  std::vector<Piece> pieces;
  size_t many = std::string::npos;  // index of the {name...} piece
  size_t route = 0;
};

Pattern take_apart(const std::string& text) {
  Pattern pattern;
  for (std::string_view component : tokenize(text, '/')) {
    Piece piece{Piece::Kind::Literal, std::string(component)};
    if (component.size() > 2 && component.front() == '{' && component.back() == '}') {
      component = component.substr(1, component.size() - 2);
      piece.kind = Piece::Kind::One;
      if (component.ends_with("...")) {
        component.remove_suffix(3);
        piece.kind = Piece::Kind::Many;
        CHECK_MSG(pattern.many == std::string::npos, "two {...} in the pattern " + text);
        pattern.many = pattern.pieces.size();
      }
      piece.text = std::string(component);
    }
    pattern.pieces.push_back(std::move(piece));
  }
  return pattern;
}

bool more_specific(const Pattern& a, const Pattern& b) {
  for (size_t i = 0; i < a.pieces.size() && i < b.pieces.size(); ++i) {
    if (a.pieces[i].kind != b.pieces[i].kind) return a.pieces[i].kind < b.pieces[i].kind;
  }
  return a.pieces.size() > b.pieces.size();
}

bool method_fits(const std::string& route, std::string_view method) {
  return route == method || route == "*" || (method == "HEAD" && route == "GET");
}

bool literal_fits(const Piece& piece, std::string_view component) {
  if (piece.kind != Piece::Kind::Literal) return true;
  if (piece.text == component) return true;
  // The same path may be written with escapes: /v2/%61pps.
  return component.find('%') != std::string_view::npos && percent_decode(component) == piece.text;
}

bool path_fits(const Pattern& pattern, const std::vector<std::string_view>& components) {
  const size_t count = pattern.pieces.size();
  if (pattern.many == std::string::npos) {
    if (components.size() != count) return false;
    for (size_t i = 0; i < count; ++i) {
      if (!literal_fits(pattern.pieces[i], components[i])) return false;
    }
    return true;
  }
  if (components.size() < count) return false;
  for (size_t i = 0; i < pattern.many; ++i) {
    if (!literal_fits(pattern.pieces[i], components[i])) return false;
  }
  for (size_t i = pattern.many + 1; i < count; ++i) {
    if (!literal_fits(pattern.pieces[i], components[components.size() - count + i])) return false;
  }
  return true;
}

}  // namespace

struct Router::Table {
  std::vector<Pattern> patterns;  // most specific first, those without parameters left out
  std::unordered_map<std::string, std::vector<size_t>> literal;  // normal path -> routes
};

struct Router::Match {
  const Route* route = nullptr;
  const Pattern* pattern = nullptr;        // null for a path without parameters
  std::vector<std::string_view> components;
  std::vector<std::string> allowed;        // methods of the routes that have this path
};

void Router::add(std::string method, std::string pattern, std::string description, Handler handler,
                 bool streams_body) {
  // Copies of a router share no table: one may grow.
  table_ = table_ ? std::make_shared<Table>(*table_) : std::make_shared<Table>();
  Pattern parts = take_apart(pattern);
  parts.route = routes_.size();
  routes_.push_back(Route{std::move(method), std::move(pattern), std::move(description),
                          std::move(handler), streams_body});
  bool literal = std::all_of(parts.pieces.begin(), parts.pieces.end(), [](const Piece& piece) {
    return piece.kind == Piece::Kind::Literal;
  });
  if (literal) {
    std::string path;
    for (const Piece& piece : parts.pieces) path.append("/").append(piece.text);
    table_->literal[path].push_back(parts.route);
    return;
  }
  auto place = std::find_if(table_->patterns.begin(), table_->patterns.end(),
                            [&](const Pattern& other) { return more_specific(parts, other); });
  table_->patterns.insert(place, std::move(parts));
}

Router::Match Router::find(std::string_view method, std::string_view path) const {
  Match match;
  if (!table_) return match;
  match.components = tokenize(path, '/');
  std::string normal;
  normal.reserve(path.size());
  for (std::string_view component : match.components) {
    normal += '/';
    if (component.find('%') == std::string_view::npos) {
      normal.append(component);
    } else {
      std::string plain = percent_decode(component);
      normal.append(plain.find('/') == std::string::npos ? plain : std::string(component));
    }
  }
  if (auto found = table_->literal.find(normal); found != table_->literal.end()) {
    const Route* wildcard = nullptr;
    for (size_t index : found->second) {
      const Route& route = routes_[index];
      if (route.method == method) {
        match.route = &route;
        return match;
      }
      if (!wildcard && method_fits(route.method, method)) wildcard = &route;
      match.allowed.push_back(route.method);
    }
    if (wildcard) {
      match.route = wildcard;
      return match;
    }
  }
  const Pattern* fallback = nullptr;
  for (const Pattern& pattern : table_->patterns) {
    if (!path_fits(pattern, match.components)) continue;
    const Route& route = routes_[pattern.route];
    if (route.method == method) {
      // "GET /a/{x}" after "* /a/{x}": the named method wins only over an equally specific one.
      if (fallback && more_specific(*fallback, pattern)) break;
      match.route = &route;
      match.pattern = &pattern;
      return match;
    }
    if (method_fits(route.method, method)) {
      if (!fallback) fallback = &pattern;
    } else if (!fallback) {
      match.allowed.push_back(route.method);
    }
  }
  if (fallback) {
    match.route = &routes_[fallback->route];
    match.pattern = fallback;
  }
  return match;
}

bool Router::streams_body(const Request& head) const {
  Match match = find(head.method, head.path);
  return match.route && match.route->streams_body;
}

void Router::handle(Request request, Responder responder) const {
  Match match = find(request.method, request.path);
  if (!match.route) {
    if (fallback_) return fallback_(std::move(request), std::move(responder));
    if (match.allowed.empty()) {
      return responder.reply(Response::text(404, "Nothing at " + request.path + "\n"));
    }
    if (std::count(match.allowed.begin(), match.allowed.end(), "GET") != 0) {
      match.allowed.push_back("HEAD");
    }
    std::sort(match.allowed.begin(), match.allowed.end());
    match.allowed.erase(std::unique(match.allowed.begin(), match.allowed.end()),
                        match.allowed.end());
    std::string allowed = join(match.allowed, ", ");
    Response response = Response::text(
        405, request.method + " is not possible on " + request.path + "; it takes " + allowed + "\n");
    response.headers.add("Allow", allowed);
    return responder.reply(std::move(response));
  }
  if (match.pattern) {
    const auto& components = match.components;
    const size_t count = match.pattern->pieces.size();
    const size_t extra = components.size() - count;  // components beyond one per piece
    for (size_t i = 0; i < count; ++i) {
      const Piece& piece = match.pattern->pieces[i];
      if (piece.kind == Piece::Kind::Literal) continue;
      size_t at = i > match.pattern->many ? i + extra : i;
      std::string_view text = components[at];
      if (piece.kind == Piece::Kind::Many) {
        const std::string_view& last = components[at + extra];
        text = std::string_view(text.data(),
                                static_cast<size_t>(last.data() + last.size() - text.data()));
        if (i + 1 == count) request.rest = percent_decode(text);
      }
      request.parameters[piece.text] = percent_decode(text);
    }
  }
  match.route->handler(std::move(request), std::move(responder));
}

}  // namespace base::http
