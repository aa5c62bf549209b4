#pragma once

// Small readers for answers whose fields may be missing.

#include <boost/json/fwd.hpp>

#include <functional>
#include <string>
#include <string_view>

namespace cli {

/// The string (or number, as text) at `pointer`, or `fallback`.
std::string text_at(const boost::json::value& value, std::string_view pointer,
                    std::string fallback = "");
double number_at(const boost::json::value& value, std::string_view pointer, double fallback = 0);
bool flag_at(const boost::json::value& value, std::string_view pointer, bool fallback = false);

/// Calls `call` for each element of the array at `pointer`, if there is one.
void each_at(const boost::json::value& value, std::string_view pointer,
             const std::function<void(const boost::json::value&)>& call);

/// "1", "0.5": as short as it reads back.
std::string short_number(double value);

}  // namespace cli
