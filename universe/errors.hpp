#pragma once

// How a request is refused: status, type, message and data that clients of the package API match on.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/http/message.hpp"
#include "universe/schema.hpp"

namespace universe {

struct Refusal {
  int status = 400;
  std::string type;
  std::string message;
  std::string data{};          // JSON text of an object; empty: none
  std::string authenticate{};  // the WWW-Authenticate header of a 401
};

/// A value or why there is none.
template <class T>
class [[nodiscard]] Tried {
 public:
  Tried(T value) : state_(std::in_place_index<0>, std::move(value)) {}              // NOLINT: implicit by design
  Tried(Refusal refusal) : state_(std::in_place_index<1>, std::move(refusal)) {}    // NOLINT

  explicit operator bool() const { return state_.index() == 0; }
  T& operator*() { return std::get<0>(state_); }
  const T& operator*() const { return std::get<0>(state_); }
  T* operator->() { return &std::get<0>(state_); }
  const T* operator->() const { return &std::get<0>(state_); }
  const Refusal& refusal() const { return std::get<1>(state_); }

 private:
  std::variant<T, Refusal> state_;
};

base::http::Response render(const Refusal& refusal);

// Requests that do not read.
Refusal not_present(std::string_view item);                          // "header 'Accept'", "body"
Refusal not_valid(std::string_view item, std::string_view rule);
Refusal not_parsed(std::string_view item, std::string_view cause);
Refusal one_or_all(std::vector<Refusal> refusals);                   // not empty; several: multiple_errors

// Packages and options.
Refusal package_not_found(const std::string& name);
Refusal version_not_found(const std::string& name, const std::string& version);
Refusal options_not_allowed();
Refusal options_not_stored();
Refusal schema_mismatch(const std::vector<Violation>& violations);
Refusal template_must_be_object();
Refusal json_parsing_error(const std::string& message, const std::string& input);
Refusal json_decoding_error(const std::string& type, const std::string& message, const std::string& input);
Refusal no_template(const std::string& name, const std::string& version);
Refusal no_v2_description();
Refusal manager_not_found(const std::string& manager);

// Installed apps.
Refusal already_installed();
Refusal not_installed(const std::string& name);
Refusal app_not_of_package(const std::string& name, const std::string& app);
Refusal ambiguous_app(const std::string& name, const std::vector<std::string>& apps);
Refusal app_not_found(const std::string& app);
Refusal app_id_changed(const std::string& now, const std::string& before);
Refusal app_delete_error(const std::string& app);
Refusal upgrade_not_possible(const std::string& requested, const std::string& actual);
Refusal several_frameworks(const std::string& name, const std::string& version, const std::string& framework,
                           const std::vector<std::string>& ids);
Refusal incomplete_uninstall(const std::string& name);

// Marathon's and the master's answers.
Refusal marathon_said(int status, const std::string& body);
Refusal service_unavailable(const std::string& service);
Refusal unauthorized(const std::string& service, const std::string& realm);
Refusal forbidden(const std::string& service);

// Repositories.
Refusal repository_present(const std::string* name, const std::string* uri);
Refusal repository_not_present(const std::string* name, const std::string* uri);
Refusal index_out_of_bounds(int64_t attempted, size_t max);
Refusal name_or_uri_missing();
Refusal unsupported_uri(const std::string& uri);
Refusal uri_syntax(const std::string& name, const std::string& uri, const std::string& cause);
Refusal cannot_reach(const std::string& name, const std::string& uri, const std::string& cause);
Refusal repository_http_error(const std::string& name, const std::string& uri, int status);
Refusal unsupported_content_type(const std::string& actual);
Refusal too_many(const std::string& what);

}  // namespace universe
