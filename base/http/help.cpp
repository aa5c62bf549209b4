#include "base/http/help.hpp"

#include <algorithm>

#include "base/strings.hpp"

namespace base::http {

namespace {

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '&': out += "&amp;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  }
  return out;
}

bool prefers_html(const Request& request) {
  const std::string accept = to_lower(request.headers.get_or("Accept", ""));
  const size_t html = accept.find("text/html"), plain = accept.find("text/plain");
  return html != std::string::npos && html < plain;
}

bool is_below(std::string_view pattern, std::string_view path) {
  return pattern.starts_with(path) && (pattern.size() == path.size() || path == "/" || pattern[path.size()] == '/');
}

}  // namespace

Response help_page(const Router& router, const Request& request, std::string_view title) {
  std::string path = percent_decode(request.path);
  path = path.starts_with("/help/") ? path.substr(5) : "/";
  if (path.size() > 1 && path.ends_with('/')) path.pop_back();
  std::vector<const Router::Route*> routes;
  for (const auto& route : router.routes())
    if (is_below(route.pattern, path)) routes.push_back(&route);
  if (routes.empty()) return Response::text(404, "There is no endpoint '" + path + "': see /help\n");
  std::sort(routes.begin(), routes.end(), [](const auto* a, const auto* b) { return a->pattern < b->pattern; });

  std::string text;
  if (!prefers_html(request)) {
    text = std::string(title) + "\n\n";
    for (const auto* route : routes) {
      text += (route->method == "*" ? "" : route->method + " ") + route->pattern + "\n    " + route->description + "\n";
    }
    return Response::text(200, std::move(text));
  }
  text = "<!DOCTYPE html>\n<html><head><meta charset=\"utf-8\"><title>" + escape_html(title) + "</title></head>\n<body><h1>" +
         escape_html(title) + "</h1>\n<dl>\n";
  for (const auto* route : routes) {
    const std::string pattern = escape_html(route->pattern);
    text += "<dt><a href=\"/help" + pattern + "\"><code>" + (route->method == "*" ? "" : route->method + " ") + pattern +
            "</code></a></dt><dd>" + escape_html(route->description) + "</dd>\n";
  }
  text += "</dl></body></html>\n";
  Response response;
  response.headers.set("Content-Type", "text/html; charset=utf-8");
  response.body = std::move(text);
  return response;
}

}  // namespace base::http
