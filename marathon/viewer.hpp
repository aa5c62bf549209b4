#pragma once

// What a caller may see of the tree, when not all of it: lists and event streams leave the rest out. Pure and immutable once
// made; who asks without a viewer sees everything, and pays nothing for it.

#include <string_view>
#include <vector>

#include "marathon/app.hpp"

namespace marathon {

/// What an event is about.
struct Subject {
  enum class Kind { App, Pod, Group } kind = Kind::App;
  PathId id;
};

class Viewer {
 public:
  /// Everything below the path of the API may be read: "/v2/groups/team" is that group with all that is in it, "/v2/apps"
  /// every app, "/" everything.
  void may_read(std::string_view path);

  bool sees(const Subject& subject) const;
  bool sees(const App& app) const { return sees({app.pod ? Subject::Kind::Pod : Subject::Kind::App, app.id}); }
  bool sees_group(const PathId& id) const { return sees({Subject::Kind::Group, id}); }

  bool sees_everything() const;
  bool sees_nothing() const { return apps_.empty() && pods_.empty() && groups_.empty(); }

 private:
  std::vector<PathId> apps_{}, pods_{}, groups_{};  // what is below one of these
};

}  // namespace marathon
