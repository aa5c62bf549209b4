#pragma once

// Access control lists: who may do what to what. A JSON document with one list per action (actions.def); the first entry
// that matches a request decides, `permissive` when none does. Pure and immutable: share one between threads.
// Source: the original's authorization documentation and its ACLs message.

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace auth {

enum class Action {
#define ACTION(name, list, objects) name,
#include "kernel/auth/actions.def"
#undef ACTION
  Count
};

/// The name of the action's list in the document.
const char* action_name(Action action);

class Acls {
 public:
  /// Everyone may do everything.
  Acls() = default;

  /// InvalidArgument names the entry and what is wrong with it; unknown lists and fields are errors, since a misspelled
  /// prohibition would permit.
  static base::Result<Acls> parse(std::string_view json);

  /// The paths that get_endpoints can be about.
  static bool is_endpoint(const std::string& path);

  /// Whether `principal` (absent: nobody in particular) may act on `object` (absent: on anything of its kind).
  bool allows(Action action, const std::optional<std::string>& principal,
              const std::optional<std::string>& object = std::nullopt) const;

  /// The action is never refused to this principal, whatever the object: no need to look at each.
  bool allows_all(Action action, const std::optional<std::string>& principal) const;

 private:
  struct Entity {
    enum class Type { Some, Any, None } type = Type::Some;
    std::vector<std::string> values;
  };
  struct Entry {
    Entity principals, objects;
  };
  friend struct AclReader;

  static bool matches(const Entity& entity, const std::optional<std::string>& request, bool roles);
  static bool permits(const Entity& entity, const std::optional<std::string>& request, bool roles);

  bool permissive_ = true;
  std::array<std::vector<Entry>, static_cast<size_t>(Action::Count)> entries_{};
};

}  // namespace auth
