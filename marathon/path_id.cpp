#include "marathon/path_id.hpp"

#include <algorithm>
#include <vector>

#include "base/strings.hpp"

namespace marathon {
namespace {

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

/// One dot-separated label: letters and digits, hyphens inside.
bool is_valid_label(std::string_view label) {
  if (label.empty() || !is_alphanumeric(label.front()) || !is_alphanumeric(label.back())) {
    return false;
  }
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-'; });
}

}  // namespace

PathId resolve_path(std::string_view text, std::string_view base) {
  std::vector<std::string> elements;
  const auto append = [&](std::string_view path) {
    for (std::string_view element : base::tokenize(path, '/')) {
      if (element == ".") continue;
      if (element == "..") {
        if (!elements.empty()) elements.pop_back();
      } else {
        elements.push_back(base::to_lower(element));
      }
    }
  };
  if (text.empty() || text.front() != '/') append(base);
  append(text);
  PathId id;
  for (const std::string& element : elements) id += "/" + element;
  return id.empty() ? "/" : id;
}

bool is_valid_path(std::string_view id) {
  for (std::string_view element : base::tokenize(id, '/')) {
    for (std::string_view label : base::split(element, '.')) {
      if (!is_valid_label(label)) return false;
    }
  }
  return true;
}

PathId parent_of(std::string_view id) {
  const size_t slash = id.rfind('/');
  return slash == 0 || slash == std::string_view::npos ? "/" : PathId(id.substr(0, slash));
}

std::string_view leaf_of(std::string_view id) { return id.substr(id.rfind('/') + 1); }

bool is_within(std::string_view id, std::string_view group) {
  if (group == "/") return true;
  return id.starts_with(group) && (id.size() == group.size() || id[group.size()] == '/');
}

std::string safe_id(std::string_view id) {
  std::string safe(id.substr(id.starts_with('/') ? 1 : 0));
  std::replace(safe.begin(), safe.end(), '/', '_');
  return safe;
}

PathId path_of_safe_id(std::string_view safe) {
  PathId id = "/" + std::string(safe);
  std::replace(id.begin(), id.end(), '_', '/');
  return id;
}

std::string host_name(std::string_view id) {
  std::vector<std::string> elements;
  for (std::string_view element : base::tokenize(id, '/')) elements.emplace_back(element);
  std::reverse(elements.begin(), elements.end());
  return base::join(elements, ".");
}

}  // namespace marathon
