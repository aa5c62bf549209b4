#pragma once

// Requests of the package API: read, dispatched, answered. One file per group of endpoints.

#include <boost/json/fwd.hpp>

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "universe/errors.hpp"
#include "universe/state.hpp"

namespace universe {

/// Who asked, and how the answer must look. Copied into what waits for others.
struct Caller {
  CallId id = 0;
  std::string type;           // the media type of the answer
  int version = 1;            // its version
  std::string authorization;  // passed on
  std::string origin;         // "http://host": where the caller reached us
};

/// The fields of a request. Reading notes what is missing or wrong; ask for `problem` once, at the end.
class Body {
 public:
  explicit Body(const boost::json::object& object) : object_(object) {}

  std::string text(std::string_view name);                 // required
  std::optional<std::string> maybe_text(std::string_view name);
  std::optional<std::string> maybe_app_id(std::string_view name);  // absolute
  bool flag(std::string_view name);                        // required
  std::optional<bool> maybe_flag(std::string_view name);
  std::optional<int64_t> maybe_int(std::string_view name);
  const boost::json::object* maybe_object(std::string_view name);

  std::optional<Refusal> problem() const;

 private:
  const boost::json::value* find(std::string_view name, bool required);
  void wrong(std::string_view name, std::string_view wanted, const boost::json::value& value);

  const boost::json::object& object_;
  std::vector<std::string> problems_;
};

/// Answers a request, now or when others have answered.
void on_request(Turn& turn, const HttpRequested& event);

using Handler = void (*)(Turn& turn, const Caller& caller, const boost::json::object& body);

void answer(Turn& turn, const Caller& caller, const boost::json::value& body);
void refuse(Turn& turn, const Caller& caller, const Refusal& refusal);

// Reading packages.
void describe_package(Turn&, const Caller&, const boost::json::object&);
void search_packages(Turn&, const Caller&, const boost::json::object&);
void list_versions(Turn&, const Caller&, const boost::json::object&);
void render_package(Turn&, const Caller&, const boost::json::object&);

// Installed packages.
void install_package(Turn&, const Caller&, const boost::json::object&);
void list_installed(Turn&, const Caller&, const boost::json::object&);
void uninstall_package(Turn&, const Caller&, const boost::json::object&);
void describe_service(Turn&, const Caller&, const boost::json::object&);
void update_service(Turn&, const Caller&, const boost::json::object&);

// Repositories.
void list_repositories(Turn&, const Caller&, const boost::json::object&);
void add_repository(Turn&, const Caller&, const boost::json::object&);
void delete_repository(Turn&, const Caller&, const boost::json::object&);

/// What state the copies are in, and what is set aside: JSON.
std::string render_source_status(const State& state);

/// "http://host/package/resource?url=..." for each http(s) URL of a resource's assets, images and command lines.
void rewrite_links(boost::json::value& resource, const std::string& origin);
std::string rewritten(std::string_view url, const std::string& origin);

/// Asks Marathon or the master, with the caller's credentials. No answer: the caller is refused and `then` not called.
void ask(Turn& turn, const Caller& caller, Upstream upstream, std::string method, std::string path, std::string body,
         std::function<void(Turn&, const base::http::Response&)> then);

}  // namespace universe
