#include "marathon/json_fields.hpp"

#include <boost/json.hpp>

#include "base/json/value.hpp"
#include "base/strings.hpp"

namespace marathon {

namespace json = boost::json;

bool is_word(const json::value& value, std::string_view word) {
  return value.is_string() && base::to_lower(std::string_view(value.get_string())) == base::to_lower(word);
}

const json::value* Fields::find(std::string_view name) const {
  const auto it = object_.find(name);
  return it == object_.end() || it->value().is_null() ? nullptr : &it->value();
}

void Fields::fail(std::string_view name, std::string error) const {
  errors_.add(path_of(name), std::move(error));
}

bool Fields::get(std::string_view name, std::string& out) const {
  const json::value* value = find(name);
  if (!value) return false;
  if (!value->is_string()) return fail(name, "error.expected.jsstring"), false;
  out = std::string(value->get_string());
  return true;
}

bool Fields::get(std::string_view name, std::optional<std::string>& out) const {
  std::string text;
  if (!get(name, text)) return false;
  out = std::move(text);
  return true;
}

bool Fields::get(std::string_view name, bool& out) const {
  const json::value* value = find(name);
  if (!value) return false;
  if (!value->is_bool()) return fail(name, "error.expected.jsboolean"), false;
  out = value->get_bool();
  return true;
}

bool Fields::get(std::string_view name, double& out, double min, double max) const {
  const json::value* value = find(name);
  if (!value) return false;
  double number = 0;
  if (!base::json::to_double(*value, number)) return fail(name, "error.expected.jsnumber"), false;
  if (number < min) return fail(name, "error.min"), false;
  if (number > max) return fail(name, "error.max"), false;
  out = number;
  return true;
}

bool Fields::get_int(std::string_view name, int64_t& out, int64_t min, int64_t max) const {
  const json::value* value = find(name);
  if (!value) return false;
  if (!value->is_number()) return fail(name, "error.expected.jsnumber"), false;
  int64_t number = 0;
  if (!base::json::to_int(*value, number)) return fail(name, "error.expected.int"), false;
  if (number < min) return fail(name, "error.min"), false;
  if (number > max) return fail(name, "error.max"), false;
  out = number;
  return true;
}

bool Fields::get_int(std::string_view name, int& out, int64_t min, int64_t max) const {
  int64_t number = 0;
  if (!get_int(name, number, min, max)) return false;
  out = static_cast<int>(number);
  return true;
}

bool Fields::get_int(std::string_view name, std::optional<int>& out, int64_t min,
                     int64_t max) const {
  int number = 0;
  if (!get_int(name, number, min, max)) return false;
  out = number;
  return true;
}

bool Fields::get_choice(std::string_view name, std::initializer_list<std::string_view> choices, size_t& out) const {
  const json::value* value = find(name);
  if (!value) return false;
  size_t index = 0;
  for (std::string_view choice : choices) {
    if (is_word(*value, choice)) return out = index, true;
    ++index;
  }
  return fail(name, "error.unknown.enum.literal"), false;
}

bool Fields::get(std::string_view name, std::map<std::string, std::string>& out) const {
  const json::value* value = find(name);
  if (!value) return false;
  if (!value->is_object()) return fail(name, "error.expected.jsobject"), false;
  out.clear();
  for (const auto& member : value->get_object()) {
    if (member.value().is_null()) continue;
    if (member.value().is_string()) {
      out[std::string(member.key())] = std::string(member.value().get_string());
    } else {
      errors_.add(path_of(name) + "/" + std::string(member.key()), "error.expected.jsstring");
    }
  }
  return true;
}

bool Fields::get(std::string_view name, std::vector<std::string>& out) const {
  const json::value* value = find(name);
  if (!value) return false;
  if (!value->is_array()) return fail(name, "error.expected.jsarray"), false;
  out.clear();
  size_t index = 0;
  for (const json::value& element : value->get_array()) {
    if (element.is_string()) {
      out.emplace_back(element.get_string());
    } else {
      errors_.add(path_of(name) + "(" + std::to_string(index) + ")", "error.expected.jsstring");
    }
    ++index;
  }
  return true;
}

bool Fields::get_object(std::string_view name,
                        const std::function<void(const Fields&)>& read) const {
  const json::value* value = find(name);
  if (!value) return false;
  if (!value->is_object()) return fail(name, "error.expected.jsobject"), false;
  read(Fields(value->get_object(), path_of(name), errors_));
  return true;
}

bool Fields::get_objects(std::string_view name,
                         const std::function<void(const Fields&)>& read) const {
  const json::value* value = find(name);
  if (!value) return false;
  if (!value->is_array()) return fail(name, "error.expected.jsarray"), false;
  size_t index = 0;
  for (const json::value& element : value->get_array()) {
    const std::string path = path_of(name) + "(" + std::to_string(index++) + ")";
    if (element.is_object()) {
      read(Fields(element.get_object(), path, errors_));
    } else {
      errors_.add(path, "error.expected.jsobject");
    }
  }
  return true;
}

}  // namespace marathon
