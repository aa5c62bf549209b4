#pragma once

// Reads members of a JSON object into values and collects type errors by path, in the words that the v2 API uses
// ("error.expected.jsnumber"). Null counts as absent. Internal to the readers of this folder.

#include <boost/json/fwd.hpp>

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "marathon/errors.hpp"

namespace marathon {

/// The value is the text, in capitals or not.
bool is_word(const boost::json::value& value, std::string_view word);

class Fields {
 public:
  Fields(const boost::json::object& object, std::string path, Violations& errors)
      : object_(object), path_(std::move(path)), errors_(errors) {}

  /// The member, or null when absent or null.
  const boost::json::value* find(std::string_view name) const;
  bool has(std::string_view name) const { return find(name) != nullptr; }

  bool get(std::string_view name, std::string& out) const;
  bool get(std::string_view name, std::optional<std::string>& out) const;
  bool get(std::string_view name, bool& out) const;
  bool get(std::string_view name, double& out,
           double min = -std::numeric_limits<double>::infinity(),
           double max = std::numeric_limits<double>::infinity()) const;
  bool get_int(std::string_view name, int64_t& out, int64_t min = 0,
               int64_t max = std::numeric_limits<int32_t>::max()) const;
  bool get_int(std::string_view name, int& out, int64_t min = 0,
               int64_t max = std::numeric_limits<int32_t>::max()) const;
  bool get_int(std::string_view name, std::optional<int>& out, int64_t min, int64_t max) const;

  /// One of `choices`, in capitals or not; its index goes to `out`.
  bool get_choice(std::string_view name, std::initializer_list<std::string_view> choices,
                  size_t& out) const;
  bool get(std::string_view name, std::map<std::string, std::string>& out) const;
  bool get(std::string_view name, std::vector<std::string>& out) const;

  /// Calls `read` for the member when it is an object.
  bool get_object(std::string_view name, const std::function<void(const Fields&)>& read) const;

  /// Calls `read` for each element that is an object. False when absent or not an array.
  bool get_objects(std::string_view name, const std::function<void(const Fields&)>& read) const;

  void fail(std::string_view name, std::string error) const;
  std::string path_of(std::string_view name) const { return path_ + "/" + std::string(name); }
  const std::string& path() const { return path_; }
  const boost::json::object& object() const { return object_; }

 private:
  const boost::json::object& object_;
  std::string path_;
  Violations& errors_;
};

}  // namespace marathon
