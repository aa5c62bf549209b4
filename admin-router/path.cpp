#include "admin-router/path.hpp"

#include <vector>

#include "base/strings.hpp"

namespace admin_router {
namespace {

int hex(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool plain(std::string_view path) {
  for (size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%' || path[i] == '\\') return false;
    if (path[i] == '/' && i + 1 < path.size() && (path[i + 1] == '/' || path[i + 1] == '.'))
      return false;
  }
  return true;
}

// False for a bad escape or a NUL.
bool decode(std::string_view text, std::string& out) {
  out.clear();
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    if (i + 2 >= text.size() || hex(text[i + 1]) < 0 || hex(text[i + 2]) < 0) return false;
    char c = static_cast<char>(hex(text[i + 1]) * 16 + hex(text[i + 2]));
    if (c == '\0') return false;
    out += c;
    i += 2;
  }
  return true;
}

bool climbs(std::string_view decoded) {
  bool divided = decoded.find_first_of("/\\") != std::string_view::npos;
  return divided && decoded.find("..") != std::string_view::npos;
}

}  // namespace

base::Result<std::string_view> normalise_path(std::string_view path, std::string& scratch) {
  if (plain(path)) return path;
  std::vector<std::string_view> kept;
  std::string decoded;
  bool directory = path.ends_with('/');
  for (std::string_view piece : base::tokenize(path, '/')) {
    if (!decode(piece, decoded)) return base::invalid("the path holds a malformed escape");
    if (climbs(decoded)) return base::invalid("the path hides a climb in an escape");
    directory = path.ends_with('/');
    if (decoded == ".") {
      directory = true;
    } else if (decoded == "..") {
      if (kept.empty()) return base::invalid("the path climbs above the root");
      kept.pop_back();
      directory = true;
    } else {
      kept.push_back(piece);
    }
  }
  scratch.clear();
  for (std::string_view piece : kept) scratch.append("/").append(piece);
  if (directory || kept.empty()) scratch += '/';
  return std::string_view(scratch);
}

std::string normal_service_name(std::string_view name) {
  std::string out;
  auto pieces = base::tokenize(name, '/');
  for (auto it = pieces.rbegin(); it != pieces.rend(); ++it) {
    if (!out.empty()) out += '.';
    out += *it;
  }
  return out;
}

}  // namespace admin_router
