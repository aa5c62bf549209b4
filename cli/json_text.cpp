#include "cli/json_text.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

#include "base/json/value.hpp"

namespace cli {

std::string text_at(const boost::json::value& value, std::string_view pointer,
                    std::string fallback) {
  const auto* found = base::json::find(value, pointer);
  if (found == nullptr || found->is_null()) return fallback;
  if (found->is_string()) return std::string(found->get_string());
  double number = 0;
  if (base::json::to_double(*found, number)) return short_number(number);
  if (found->is_bool()) return found->get_bool() ? "true" : "false";
  return fallback;
}

double number_at(const boost::json::value& value, std::string_view pointer, double fallback) {
  const auto* found = base::json::find(value, pointer);
  double number = fallback;
  if (found != nullptr) base::json::to_double(*found, number);
  return number;
}

bool flag_at(const boost::json::value& value, std::string_view pointer, bool fallback) {
  const auto* found = base::json::find(value, pointer);
  return found != nullptr && found->is_bool() ? found->get_bool() : fallback;
}

void each_at(const boost::json::value& value, std::string_view pointer,
             const std::function<void(const boost::json::value&)>& call) {
  const auto* found = base::json::find(value, pointer);
  if (found == nullptr || !found->is_array()) return;
  for (const auto& item : found->get_array()) call(item);
}

std::string short_number(double value) {
  return fmt::format("{}", value);
}

}  // namespace cli
