#include "marathon/viewer.hpp"

#include <algorithm>

namespace marathon {
namespace {

bool any_above(const std::vector<PathId>& prefixes, const PathId& id) {
  return std::any_of(prefixes.begin(), prefixes.end(), [&](const PathId& prefix) { return is_within(id, prefix); });
}

void add(std::string_view path, std::string_view resource, std::vector<PathId>& prefixes) {
  if (is_within(resource, path)) {
    prefixes.push_back("/");
  } else if (is_within(path, resource)) {
    prefixes.push_back(resolve_path(path.substr(resource.size())));
  }
}

}  // namespace

void Viewer::may_read(std::string_view path) {
  add(path, "/v2/apps", apps_);
  add(path, "/v2/pods", pods_);
  add(path, "/v2/groups", groups_);
}

bool Viewer::sees(const Subject& subject) const {
  if (any_above(groups_, subject.id)) return true;
  if (subject.kind == Subject::Kind::App) return any_above(apps_, subject.id);
  return subject.kind == Subject::Kind::Pod && any_above(pods_, subject.id);
}

bool Viewer::sees_everything() const { return any_above(groups_, "/"); }

}  // namespace marathon
