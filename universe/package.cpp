#include "universe/package.hpp"

#include <algorithm>
#include <boost/json.hpp>

#include "base/json/mapping.hpp"
#include "base/json/value.hpp"
#include "base/strings.hpp"

namespace universe {
namespace {

namespace json = boost::json;

constexpr size_t kMaxNameBytes = 128;
constexpr size_t kMaxProblems = 8;

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Reads fields of one object and notes what is wrong with them.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}

  const json::value* find(std::string_view name) const {
    const json::value* value = object_.if_contains(name);
    return value != nullptr && !value->is_null() ? value : nullptr;
  }

  void fail(const std::string& name, std::string message) {
    if (problems_.size() < kMaxProblems) problems_.push_back({"/" + name, std::move(message)});
  }

  std::string text(const std::string& name, bool required) {
    const json::value* value = find(name);
    if (value == nullptr) {
      if (required) fail(name, "is required");
      return "";
    }
    if (!value->is_string()) {
      fail(name, "must be a string, not " + std::string(base::json::kind_name(*value)));
      return "";
    }
    return std::string(value->get_string());
  }

  bool flag(const std::string& name) {
    const json::value* value = find(name);
    if (value == nullptr) return false;
    if (!value->is_bool()) fail(name, "must be a boolean, not " + std::string(base::json::kind_name(*value)));
    return value->is_bool() && value->get_bool();
  }

  std::vector<std::string> texts(const std::string& name) {
    std::vector<std::string> out;
    const json::value* value = find(name);
    if (value == nullptr) return out;
    if (!value->is_array()) {
      fail(name, "must be an array, not " + std::string(base::json::kind_name(*value)));
      return out;
    }
    for (const json::value& item : value->get_array()) {
      if (!item.is_string()) {
        fail(name, "must hold strings only");
        break;
      }
      out.emplace_back(item.get_string());
    }
    return out;
  }

  const json::object* object(const std::string& name) {
    const json::value* value = find(name);
    if (value == nullptr) return nullptr;
    if (!value->is_object()) {
      fail(name, "must be an object, not " + std::string(base::json::kind_name(*value)));
      return nullptr;
    }
    return &value->get_object();
  }

  const std::vector<base::json::Problem>& problems() const { return problems_; }

 private:
  const json::object& object_;
  std::vector<base::json::Problem> problems_;
};

void collect_links(const json::value& value, std::vector<std::string>& out) {
  if (value.is_string()) {
    const std::string_view text = value.get_string();
    if (text.starts_with("http://") || text.starts_with("https://")) out.emplace_back(text);
  } else if (value.is_array()) {
    for (const json::value& item : value.get_array()) collect_links(item, out);
  } else if (value.is_object()) {
    for (const auto& [name, item] : value.get_object()) collect_links(item, out);
  }
}

int read_format(Fields& fields) {
  const std::string text = fields.text("packagingVersion", true);
  if (text.size() == 3 && text[0] >= '2' && text[0] <= '5' && text.ends_with(".0")) return text[0] - '0';
  if (!text.empty()) fields.fail("packagingVersion", "must be 2.0, 3.0, 4.0 or 5.0");
  return 0;
}

void read_template(Fields& fields, Package& package) {
  const json::object* marathon = fields.object("marathon");
  if (marathon == nullptr) return;
  const json::value* text = marathon->if_contains("v2AppMustacheTemplate");
  std::string decoded;
  if (text == nullptr || !text->is_string()) {
    fields.fail("marathon/v2AppMustacheTemplate", "must be a string in base64");
  } else if (!base::base64_decode(text->get_string(), decoded)) {
    fields.fail("marathon/v2AppMustacheTemplate", "is not base64");
  } else if (decoded.size() > kMaxTemplateBytes) {
    fields.fail("marathon/v2AppMustacheTemplate", "is larger than 1 MiB");
  } else {
    package.has_app = true;
  }
}

void read_resource(Fields& fields, Package& package) {
  const json::object* resource = fields.object("resource");
  if (resource == nullptr) return;
  for (std::string_view part : {"assets", "images", "cli"}) {
    const json::value* value = resource->if_contains(part);
    if (value == nullptr || value->is_null()) continue;
    if (!value->is_object()) {
      fields.fail("resource/" + std::string(part), "must be an object");
      continue;
    }
    if (part == "images") package.images = base::json::render(*value);
    collect_links(*value, package.links);
  }
}

/// Fields that other members of the family default, and no nulls.
std::string render_document(const json::object& object, const Package& package) {
  json::object out;
  for (const auto& [name, value] : object) {
    if (!value.is_null()) out[name] = value;
  }
  out["tags"].emplace_array();
  for (const std::string& tag : package.tags) out["tags"].get_array().emplace_back(tag);
  out["selected"] = package.selected;
  out["framework"] = package.framework;
  return base::json::render(out);
}

}  // namespace

bool valid_package_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes || !is_lower(name.front()) || name.back() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) { return is_lower(c) || is_digit(c) || c == '-'; });
}

bool valid_package_version(std::string_view version) {
  if (version.empty() || version.size() > kMaxNameBytes) return false;
  return std::all_of(version.begin(), version.end(), [](char c) {
    return is_lower(c) || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' || c == '.';
  });
}

std::string packaging_version(int format) { return std::to_string(format) + ".0"; }

base::Result<Package> read_package(const json::value& document) {
  if (!document.is_object()) {
    return base::invalid("a package must be an object, not " + std::string(base::json::kind_name(document)));
  }
  Fields fields(document.get_object());
  Package package;
  package.format = read_format(fields);
  package.name = fields.text("name", true);
  if (!package.name.empty() && !valid_package_name(package.name)) {
    fields.fail("name", "must be lower case letters, digits and dashes, and begin with a letter");
  }
  package.version = fields.text("version", true);
  if (!package.version.empty() && !valid_package_version(package.version)) {
    fields.fail("version", "must be letters, digits, dashes and dots");
  }
  if (const json::value* release = fields.find("releaseVersion"); release == nullptr) {
    fields.fail("releaseVersion", "is required");
  } else if (!base::json::to_int(*release, package.release) || package.release < 0) {
    fields.fail("releaseVersion", "must be a whole number that is not negative");
  }
  package.description = fields.text("description", true);
  fields.text("maintainer", false);
  package.tags = fields.texts("tags");
  for (const std::string& tag : package.tags) {
    if (tag.find_first_of(" \t\r\n") != std::string::npos) fields.fail("tags", "must be words without blanks");
  }
  package.selected = fields.flag("selected");
  package.framework = fields.flag("framework");
  package.upgrades_from = fields.texts("upgradesFrom");
  package.downgrades_to = fields.texts("downgradesTo");
  package.names_upgrades = fields.find("upgradesFrom") != nullptr || fields.find("downgradesTo") != nullptr;
  package.has_options = fields.object("config") != nullptr;
  if (const json::object* manager = fields.object("manager")) {
    const json::value* name = manager->if_contains("packageName");
    if (name == nullptr || !name->is_string()) {
      fields.fail("manager/packageName", "must be a string");
    } else {
      package.manager = std::string(name->get_string());
    }
  }
  read_template(fields, package);
  read_resource(fields, package);
  if (!fields.problems().empty()) return base::json::problems_error(fields.problems());
  package.document = render_document(document.get_object(), package);
  if (package.document.size() > kMaxDocumentBytes) return base::invalid("the package is larger than 4 MiB");
  return package;
}

}  // namespace universe
