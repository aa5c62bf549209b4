#pragma once

// Routes as one table (pure): method and path pattern to handler. "/v2/apps/{id...}/restart": {name} is one component,
// {name...} is one or more; the most specific pattern wins (literal before {name} before {name...}, longer before
// shorter). A trailing slash is ignored. Unknown path: 404; known path, other method: 405 with Allow.

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/http/server.hpp"

namespace base::http {

class Router {
 public:
  struct Route {
    std::string method;       // "*" takes every method
    std::string pattern;
    std::string description;  // one sentence for /help and docs
    Handler handler;
    bool streams_body = false;
  };

  void add(std::string method, std::string pattern, std::string description, Handler handler,
           bool streams_body = false);

  /// Finds the route, fills parameters and rest, calls the handler or answers 404/405 itself.
  void handle(Request request, Responder responder) const;

  /// For ServerOptions::streams_body.
  bool streams_body(const Request& head) const;

  const std::vector<Route>& routes() const { return routes_; }

  /// Replaces the plain-text answers for 404 and 405.
  void set_fallback(Handler handler) { fallback_ = std::move(handler); }

 private:
  struct Table;
  struct Match;
  Match find(std::string_view method, std::string_view path) const;

  std::vector<Route> routes_;
  std::shared_ptr<Table> table_;  // the patterns taken apart, most specific first
  Handler fallback_;
};

}  // namespace base::http
