#include "metronome/problems.hpp"

#include <algorithm>

#include "base/json/writer.hpp"

namespace metronome {

void Problems::add(std::string_view path, std::string error) {
  const std::string where = path.empty() ? "/" : std::string(path);
  auto it = std::find_if(list_.begin(), list_.end(), [&](const auto& entry) { return entry.first == where; });
  if (it == list_.end()) it = list_.insert(list_.end(), {where, {}});
  it->second.push_back(std::move(error));
}

std::string Problems::render() const {
  std::string body;
  base::json::Writer w(body);
  w.begin_object();
  w.field("message", "Object is not valid");
  w.key("details");
  w.begin_array();
  for (const auto& [path, errors] : list_) {
    w.begin_object();
    w.field("path", path);
    w.key("errors");
    w.begin_array();
    for (const std::string& error : errors) w.value(error);
    w.end_array();
    w.end_object();
  }
  w.end_array();
  w.end_object();
  return body;
}

std::string Problems::summary() const {
  return list_.empty() ? std::string() : list_.front().first + ": " + list_.front().second.front();
}

}  // namespace metronome
