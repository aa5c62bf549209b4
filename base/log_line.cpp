#include "base/log_line.hpp"

#include <fmt/format.h>

namespace base::log {

std::string render_line(std::string_view component, std::string_view message) {
  std::string line;
  line.reserve(component.size() + message.size() + 1);
  line.append(component).append(" ");
  for (char c : message) {
    // What others sent us must not be able to forge lines or move the cursor.
    auto byte = static_cast<unsigned char>(c);
    if (c == '\n') {
      line += "\\n";
    } else if (byte < 0x20 || byte == 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  return line;
}

}  // namespace base::log
