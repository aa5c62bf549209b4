#include "marathon/errors.hpp"

#include "base/json/writer.hpp"

namespace marathon {

void Violations::add(std::string_view path, std::string message) {
  by_path_[path.empty() ? "/" : std::string(path)].push_back(std::move(message));
}

void Violations::merge(const Violations& other, std::string_view prefix) {
  for (const auto& [path, messages] : other.by_path_) {
    const std::string full = std::string(prefix) + (path == "/" && !prefix.empty() ? "" : path);
    for (const std::string& message : messages) add(full, message);
  }
}

ApiError wrong_types(Violations details) {
  ApiError error{422, "Invalid JSON", std::move(details), {}, {}};
  return error;
}

ApiError not_valid(Violations details) {
  ApiError error{422, "Object is not valid", std::move(details), {}, {}};
  return error;
}

ApiError refuse(int status, std::string message) {
  ApiError error{status, std::move(message), {}, {}, {}};
  return error;
}

base::http::Response render(const ApiError& error) {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("message", error.message);
  if (error.details_text) {
    w.field("details", *error.details_text);
  } else if (!error.details.empty()) {
    w.key("details");
    w.begin_array();
    for (const auto& [path, messages] : error.details.by_path()) {
      w.begin_object();
      w.field("path", path);
      w.key("errors");
      w.begin_array();
      for (const std::string& message : messages) w.value(message);
      w.end_array();
      w.end_object();
    }
    w.end_array();
  }
  if (error.deployments) {
    w.key("deployments");
    w.begin_array();
    for (const std::string& id : *error.deployments) {
      w.begin_object();
      w.field("id", id);
      w.end_object();
    }
    w.end_array();
  }
  w.end_object();
  return base::http::Response::json(error.status, std::move(body));
}

}  // namespace marathon
