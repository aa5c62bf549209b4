#pragma once

#include <string>
#include <string_view>

namespace base::log {

/// The text of one line after the time and the level, on one line whatever the message contains.
std::string render_line(std::string_view component, std::string_view message);

}  // namespace base::log
