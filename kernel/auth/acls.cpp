#include "kernel/auth/acls.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "base/json/value.hpp"

namespace auth {

namespace json = boost::json;

namespace {

struct Row {
  const char* list;
  const char* objects;
};

constexpr Row kRows[] = {
#define ACTION(name, list, objects) {#list, #objects},
#include "kernel/auth/actions.def"
#undef ACTION
};

constexpr size_t kMostEntries = 100'000;

/// The only paths that get_endpoints can be about; anything else in a file is a mistake that would protect nothing.
const std::set<std::string>& known_endpoints() {
  static const std::set<std::string> paths = {
      "/containers",      "/files/debug",        "/files/debug.json", "/logging/toggle",    "/metrics/snapshot",
      "/monitor/statistics", "/monitor/statistics.json", "/registrar(1)/registry", "/system/stats.json"};
  return paths;
}

bool is_roles(size_t action) { return std::string_view(kRows[action].objects) == "roles"; }

/// "a/%" stands for every role below a.
bool covers(const std::string& value, const std::string& request, bool roles) {
  if (roles && value.size() >= 2 && value.ends_with("/%")) {
    const std::string_view parent = std::string_view(value).substr(0, value.size() - 1);
    return request.size() > parent.size() && request.starts_with(parent);
  }
  return value == request;
}

}  // namespace

const char* action_name(Action action) { return kRows[static_cast<size_t>(action)].list; }

bool Acls::is_endpoint(const std::string& path) { return known_endpoints().contains(path); }

/// Reads the document; knows where it is for its errors.
struct AclReader {
  Acls acls;

  static base::Error wrong(const std::string& where, const std::string& what) {
    return base::invalid("acls: " + where + ": " + what);
  }

  base::Status read_entity(const json::value& value, const std::string& where, Acls::Entity& out) {
    if (!value.is_object()) return wrong(where, "must be an object with 'type' or 'values'");
    for (const auto& member : value.get_object()) {
      if (member.key() == "type") {
        if (member.value() == "ANY") out.type = Acls::Entity::Type::Any;
        else if (member.value() == "NONE") out.type = Acls::Entity::Type::None;
        else if (member.value() != "SOME") return wrong(where + "/type", "must be SOME, ANY or NONE");
      } else if (member.key() == "values") {
        if (!member.value().is_array()) return wrong(where + "/values", "must be an array of strings");
        for (const json::value& element : member.value().get_array()) {
          if (!element.is_string()) return wrong(where + "/values", "must be an array of strings");
          out.values.emplace_back(element.get_string());
        }
      } else {
        return wrong(where, "unknown field '" + std::string(member.key()) + "'");
      }
    }
    if (out.type == Acls::Entity::Type::Some && out.values.empty()) {
      return wrong(where, "names nobody: give 'values', or 'type' ANY or NONE");
    }
    return {};
  }

  base::Status read_entry(const json::value& value, size_t action, const std::string& where) {
    if (!value.is_object()) return wrong(where, "must be an object");
    const json::object& object = value.get_object();
    const Row& row = kRows[action];
    for (const auto& member : object) {
      if (member.key() != "principals" && member.key() != row.objects) {
        return wrong(where, "unknown field '" + std::string(member.key()) + "': it has 'principals' and '" + row.objects + "'");
      }
    }
    Acls::Entry entry;
    for (const auto& [name, entity] : {std::pair("principals", &entry.principals), std::pair(row.objects, &entry.objects)}) {
      const json::value* found = object.if_contains(name);
      if (found == nullptr) return wrong(where, std::string("'") + name + "' is missing");
      RETURN_IF_ERROR(read_entity(*found, where + "/" + name, *entity));
    }
    if (static_cast<Action>(action) == Action::GetEndpoints) {
      for (const std::string& path : entry.objects.values) {
        if (!known_endpoints().contains(path)) return wrong(where + "/paths", "'" + path + "' cannot be protected by get_endpoints");
      }
    }
    acls.entries_[action].push_back(std::move(entry));
    return {};
  }

  base::Status read(const json::object& document) {
    size_t entries = 0;
    for (const auto& member : document) {
      const std::string name(member.key());
      if (name == "permissive") {
        if (!member.value().is_bool()) return wrong("/permissive", "must be true or false");
        acls.permissive_ = member.value().get_bool();
        continue;
      }
      const auto row = std::find_if(std::begin(kRows), std::end(kRows), [&](const Row& r) { return name == r.list; });
      if (row == std::end(kRows)) return wrong("/" + name, "is no known action");
      if (!member.value().is_array()) return wrong("/" + name, "must be an array");
      size_t index = 0;
      for (const json::value& entry : member.value().get_array()) {
        if (++entries > kMostEntries) return wrong("/" + name, "more than " + std::to_string(kMostEntries) + " entries");
        RETURN_IF_ERROR(read_entry(entry, static_cast<size_t>(row - std::begin(kRows)),
                                   "/" + name + "/" + std::to_string(index++)));
      }
    }
    return {};
  }
};

base::Result<Acls> Acls::parse(std::string_view text) {
  ASSIGN_OR_RETURN(const json::value document, base::json::parse(text));
  if (!document.is_object()) return AclReader::wrong("/", "must be an object");
  AclReader reader;
  RETURN_IF_ERROR(reader.read(document.get_object()));
  return std::move(reader.acls);
}

bool Acls::matches(const Entity& entity, const std::optional<std::string>& request, bool roles) {
  if (entity.type != Entity::Type::Some) return true;
  return request && std::any_of(entity.values.begin(), entity.values.end(),
                                [&](const std::string& value) { return covers(value, *request, roles); });
}

bool Acls::permits(const Entity& entity, const std::optional<std::string>& request, bool roles) {
  return entity.type != Entity::Type::None && matches(entity, request, roles);
}

bool Acls::allows(Action action, const std::optional<std::string>& principal,
                  const std::optional<std::string>& object) const {
  const auto index = static_cast<size_t>(action);
  const bool roles = is_roles(index);
  for (const Entry& entry : entries_[index]) {
    if (!matches(entry.principals, principal, false) || !matches(entry.objects, object, roles)) continue;
    return permits(entry.principals, principal, false) && permits(entry.objects, object, roles);
  }
  return permissive_;
}

bool Acls::allows_all(Action action, const std::optional<std::string>& principal) const {
  // Entries before the first one about any object may forbid some object; that one, or `permissive`, decides the rest.
  for (const Entry& entry : entries_[static_cast<size_t>(action)]) {
    if (!matches(entry.principals, principal, false)) continue;
    const bool allowed = entry.principals.type != Entity::Type::None && entry.objects.type != Entity::Type::None;
    if (!allowed) return false;
    if (entry.objects.type == Entity::Type::Any) return true;
  }
  return permissive_;
}

}  // namespace auth
