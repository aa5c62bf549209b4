#include "universe/schema.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cmath>
#include <map>
#include <memory>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/strings.hpp"
#include "universe/pattern.hpp"

namespace universe {
namespace {

namespace json = boost::json;

constexpr size_t kMaxViolations = 100;
constexpr int kMaxDepth = 100;
constexpr size_t kMaxSteps = 1'000'000;  // schemas and values looked at

/// Holds every int64_t, uint64_t and double exactly on the machines we build for.
using Number = long double;
static_assert(std::numeric_limits<Number>::digits >= 64);

bool is_number(const json::value& value) { return value.is_number(); }

Number number_of(const json::value& value) {
  if (value.is_int64()) return static_cast<Number>(value.get_int64());
  if (value.is_uint64()) return static_cast<Number>(value.get_uint64());
  return static_cast<Number>(value.get_double());
}

/// Equal as JSON Schema has it: 1 and 1.0 are, 1 and true are not.
bool equal(const json::value& a, const json::value& b) {
  if (is_number(a) && is_number(b)) return number_of(a) == number_of(b);
  if (a.kind() != b.kind()) return false;
  if (a.is_array()) {
    const json::array &x = a.get_array(), &y = b.get_array();
    return x.size() == y.size() && std::equal(x.begin(), x.end(), y.begin(), equal);
  }
  if (a.is_object()) {
    const json::object &x = a.get_object(), &y = b.get_object();
    return x.size() == y.size() && std::all_of(x.begin(), x.end(), [&](const auto& member) {
             const json::value* other = y.if_contains(member.key());
             return other != nullptr && equal(member.value(), *other);
           });
  }
  return a == b;
}

std::string type_name(const json::value& value) {
  if (value.is_int64() || value.is_uint64()) return "integer";
  if (value.is_double()) return "number";
  if (value.is_string()) return "string";
  if (value.is_bool()) return "boolean";
  if (value.is_array()) return "array";
  if (value.is_object()) return "object";
  return "null";
}

bool is_type(const json::value& value, std::string_view name) {
  const std::string own = type_name(value);
  return own == name || (name == "number" && own == "integer") || name == "any";
}

size_t code_points(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

std::string text_list(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const std::string& name : names) {
    if (out.size() > 1) out += ", ";
    base::json::append_string(out, name);
  }
  return out + "]";
}

std::string quoted(std::string_view text) {
  std::string out;
  base::json::append_string(out, text);
  return out;
}

class Validator {
 public:
  explicit Validator(const json::value& root) : root_(root) {}

  std::vector<Violation> take() { return std::move(violations_); }

  /// One value against one schema.
  void check(const json::value& schema, const std::string& at, const json::value& value, const std::string& where) {
    if (++steps_ > kMaxSteps || depth_ >= kMaxDepth) {
      exhausted_ = true;
      return add(at, where, "$ref", "this schema takes too much work: it refers to itself or is too large", "syntax");
    }
    if (!schema.is_object()) return add(at, where, "schema", "a schema must be an object", "syntax");
    ++depth_;
    const json::object& keywords = schema.get_object();
    if (const json::value* reference = keywords.if_contains("$ref"); reference != nullptr && reference->is_string()) {
      check_reference(std::string(reference->get_string()), at, value, where);
    } else {
      Place place{keywords, at, value, where};
      check_any(place);
      if (is_number(value)) check_number(place);
      if (value.is_string()) check_string(place);
      if (value.is_array()) check_array(place);
      if (value.is_object()) check_object(place);
    }
    --depth_;
  }

  bool exhausted() const { return exhausted_; }

 private:
  struct Place {
    const json::object& schema;
    const std::string& at;
    const json::value& value;
    const std::string& where;
    const json::value* find(std::string_view keyword) const { return schema.if_contains(keyword); }
  };

  void add(const std::string& at, const std::string& where, std::string keyword, std::string message,
           std::string domain = "validation", std::vector<std::pair<std::string, std::string>> details = {}) {
    if (violations_.size() >= kMaxViolations) return;
    violations_.push_back(
        {at, where, std::move(keyword), std::move(message), std::move(domain), std::move(details)});
  }

  void add(const Place& p, std::string keyword, std::string message,
           std::vector<std::pair<std::string, std::string>> details = {}) {
    add(p.at, p.where, std::move(keyword), std::move(message), "validation", std::move(details));
  }

  static std::string below(const std::string& at, std::string_view token) {
    return at + "/" + base::json::escape_pointer(token);
  }

  /// Whether `value` meets `schema`; notes nothing.
  bool meets(const json::value& schema, const std::string& at, const json::value& value, const std::string& where) {
    auto kept = std::exchange(violations_, {});
    check(schema, at, value, where);
    const bool good = violations_.empty();
    violations_ = std::move(kept);
    return good;
  }

  void check_reference(const std::string& reference, const std::string& at, const json::value& value,
                       const std::string& where) {
    if (!reference.starts_with("#")) {
      return add(at, where, "$ref", "only references within the schema are followed, not " + quoted(reference), "syntax");
    }
    const std::string pointer = base::percent_decode(reference.substr(1));
    const json::value* target = pointer.empty() ? &root_ : base::json::find(root_, pointer);
    if (target == nullptr) {
      return add(at, where, "$ref", quoted(reference) + " leads nowhere in the schema", "syntax");
    }
    check(*target, pointer, value, where);
  }

  void check_any(const Place& p) {
    if (const json::value* type = p.find("type")) check_type(p, *type);
    if (const json::value* allowed = p.find("enum"); allowed != nullptr && allowed->is_array()) {
      const json::array& list = allowed->get_array();
      if (std::none_of(list.begin(), list.end(), [&](const json::value& item) { return equal(item, p.value); })) {
        const std::string text = base::json::render(p.value);
        add(p, "enum", "instance value (" + text + ") not found in enum (possible values: " +
                           base::json::render(*allowed) + ")",
            {{"value", text}, {"enum", base::json::render(*allowed)}});
      }
    }
    check_combined(p);
  }

  void check_type(const Place& p, const json::value& type) {
    std::vector<std::string> names;
    if (type.is_string()) {
      names.emplace_back(type.get_string());
    } else if (type.is_array()) {
      for (const json::value& item : type.get_array()) {
        if (item.is_string()) names.emplace_back(item.get_string());
      }
    }
    if (std::any_of(names.begin(), names.end(), [&](const std::string& name) { return is_type(p.value, name); })) return;
    const std::string found = type_name(p.value);
    add(p, "type",
        fmt::format("instance type ({}) does not match any allowed primitive type (allowed: {})", found,
                    text_list(names)),
        {{"found", quoted(found)}, {"expected", text_list(names)}});
  }

  void check_combined(const Place& p) {
    const auto each = [&](const char* keyword, const auto& call) {
      const json::value* list = p.find(keyword);
      if (list == nullptr || !list->is_array()) return;
      for (size_t i = 0; i < list->get_array().size() && !exhausted_; ++i) {
        call(list->get_array()[i], below(below(p.at, keyword), std::to_string(i)));
      }
    };
    each("allOf", [&](const json::value& schema, const std::string& at) { check(schema, at, p.value, p.where); });
    for (const char* keyword : {"anyOf", "oneOf"}) {
      const json::value* list = p.find(keyword);
      if (list == nullptr || !list->is_array()) continue;
      size_t matched = 0;
      each(keyword, [&](const json::value& schema, const std::string& at) {
        if (meets(schema, at, p.value, p.where)) ++matched;
      });
      const size_t count = list->get_array().size();
      if (matched == 0) {
        add(p, keyword, fmt::format("instance failed to match {} schema (matched 0 out of {})",
                                    std::string_view(keyword) == "anyOf" ? "at least one required" : "exactly one",
                                    count),
            {{"matched", "0"}, {"nrSchemas", std::to_string(count)}});
      } else if (matched > 1 && std::string_view(keyword) == "oneOf") {
        add(p, keyword, fmt::format("instance failed to match exactly one schema (matched {} out of {})", matched, count),
            {{"matched", std::to_string(matched)}, {"nrSchemas", std::to_string(count)}});
      }
    }
    if (const json::value* forbidden = p.find("not")) {
      if (meets(*forbidden, below(p.at, "not"), p.value, p.where)) {
        add(p, "not", "instance matched a schema which it should not have");
      }
    }
  }

  void check_number(const Place& p) {
    const Number own = number_of(p.value);
    const auto limit = [&](const char* keyword, const char* exclusive, bool lower) {
      const json::value* bound = p.find(keyword);
      if (bound == nullptr || !is_number(*bound)) return;
      const json::value* strict = p.find(exclusive);
      const bool is_strict = strict != nullptr && strict->is_bool() && strict->get_bool();
      const Number other = number_of(*bound);
      const bool good = lower ? (is_strict ? own > other : own >= other) : (is_strict ? own < other : own <= other);
      if (good) return;
      const std::string wanted = base::json::render(*bound), found = base::json::render(p.value);
      add(p, keyword,
          lower ? fmt::format("numeric instance {} is lower than the required minimum (minimum: {}{}, found: {})", found,
                              wanted, is_strict ? " exclusive" : "", found)
                : fmt::format("numeric instance {} is greater than the required maximum (maximum: {}{}, found: {})",
                              found, wanted, is_strict ? " exclusive" : "", found),
          {{"found", found}, {keyword, wanted}});
    };
    limit("minimum", "exclusiveMinimum", true);
    limit("maximum", "exclusiveMaximum", false);
    const json::value* step = p.find("multipleOf");
    if (step == nullptr) step = p.find("divisibleBy");
    if (step == nullptr || !is_number(*step) || number_of(*step) <= 0) return;
    if (is_multiple(p.value, *step)) return;
    add(p, "multipleOf", fmt::format("remainder of division is not zero ({} / {})", base::json::render(p.value),
                                     base::json::render(*step)));
  }

  static bool is_multiple(const json::value& value, const json::value& step) {
    const Number a = number_of(value), b = number_of(step);
    if (!value.is_double() && !step.is_double()) return std::fmod(a, b) == 0;
    const Number quotient = a / b;
    if (!std::isfinite(quotient)) return false;
    return std::fabs(quotient - std::round(quotient)) <= 1e-9L * std::max<Number>(1, std::fabs(quotient));
  }

  /// A count such as maxLength: absent or no whole number means no limit.
  void check_count(const Place& p, const char* keyword, size_t count, bool lower, const char* what) {
    const json::value* bound = p.find(keyword);
    uint64_t limit = 0;
    if (bound == nullptr || !base::json::to_uint(*bound, limit)) return;
    if (lower ? count >= limit : count <= limit) return;
    add(p, keyword, fmt::format("{} is too {} ({}: {}, found: {})", what, lower ? "small" : "large", keyword, limit, count),
        {{"found", std::to_string(count)}, {keyword, std::to_string(limit)}});
  }

  void check_string(const Place& p) {
    const std::string_view text = p.value.get_string();
    const size_t length = code_points(text);
    check_count(p, "minLength", length, true, "string length");
    check_count(p, "maxLength", length, false, "string length");
    const json::value* pattern = p.find("pattern");
    if (pattern == nullptr || !pattern->is_string()) return;
    const std::string expression(pattern->get_string());
    switch (match(p, expression, text)) {
      case Pattern::Outcome::Match: return;
      case Pattern::Outcome::NoMatch:
        return add(p, "pattern", fmt::format("ECMA 262 regex {} does not match input string {}", quoted(expression),
                                             quoted(text.substr(0, 200))),
                   {{"regex", quoted(expression)}, {"string", quoted(text.substr(0, 200))}});
      case Pattern::Outcome::TooMuchWork:
        return add(p, "pattern", fmt::format("matching {} takes too much work for this string", quoted(expression)));
    }
  }

  Pattern::Outcome match(const Place& p, const std::string& expression, std::string_view text) {
    auto it = patterns_.find(expression);
    if (it == patterns_.end()) it = patterns_.emplace(expression, Pattern::compile(expression)).first;
    if (it->second) return it->second->find_in(text);
    add(p.at, p.where, "pattern", "the schema's pattern is not a regular expression: " + it->second.error().message,
        "syntax");
    return Pattern::Outcome::Match;
  }

  void check_array(const Place& p) {
    const json::array& list = p.value.get_array();
    check_count(p, "minItems", list.size(), true, "array");
    check_count(p, "maxItems", list.size(), false, "array");
    if (const json::value* unique = p.find("uniqueItems"); unique != nullptr && unique->is_bool() && unique->get_bool()) {
      check_unique(p, list);
    }
    const json::value* items = p.find("items");
    if (items == nullptr) return;
    if (items->is_object()) {
      for (size_t i = 0; i < list.size() && !exhausted_; ++i) {
        check(*items, below(p.at, "items"), list[i], below(p.where, std::to_string(i)));
      }
    } else if (items->is_array()) {
      check_tuple(p, items->get_array(), list);
    }
  }

  void check_tuple(const Place& p, const json::array& schemas, const json::array& list) {
    const json::value* rest = p.find("additionalItems");
    for (size_t i = 0; i < list.size() && !exhausted_; ++i) {
      const std::string index = std::to_string(i);
      if (i < schemas.size()) {
        check(schemas[i], below(below(p.at, "items"), index), list[i], below(p.where, index));
      } else if (rest != nullptr && rest->is_object()) {
        check(*rest, below(p.at, "additionalItems"), list[i], below(p.where, index));
      } else if (rest != nullptr && rest->is_bool() && !rest->get_bool()) {
        return add(p, "additionalItems", fmt::format("array has {} items, at most {} are allowed", list.size(),
                                                     schemas.size()));
      }
    }
  }

  void check_unique(const Place& p, const json::array& list) {
    for (size_t i = 0; i < list.size(); ++i) {
      for (size_t k = i + 1; k < list.size(); ++k) {
        if (++steps_ > kMaxSteps) {
          exhausted_ = true;
          return add(p, "uniqueItems", "the array is too long to look for duplicates");
        }
        if (equal(list[i], list[k])) {
          return add(p, "uniqueItems", fmt::format("array must not contain duplicate elements (items {} and {})", i, k));
        }
      }
    }
  }

  void check_object(const Place& p) {
    const json::object& object = p.value.get_object();
    check_count(p, "minProperties", object.size(), true, "object");
    check_count(p, "maxProperties", object.size(), false, "object");
    check_required(p, object);
    check_members(p, object);
    check_dependencies(p, object);
  }

  void check_required(const Place& p, const json::object& object) {
    std::vector<std::string> missing, wanted;
    if (const json::value* required = p.find("required"); required != nullptr && required->is_array()) {
      for (const json::value& name : required->get_array()) {
        if (!name.is_string()) continue;
        wanted.emplace_back(name.get_string());
        if (!object.contains(name.get_string())) missing.emplace_back(name.get_string());
      }
    }
    if (missing.empty()) return;
    add(p, "required", "object has missing required properties (" + text_list(missing) + ")",
        {{"required", text_list(wanted)}, {"missing", text_list(missing)}});
  }

  void check_members(const Place& p, const json::object& object) {
    const json::value* properties = p.find("properties");
    const json::value* patterns = p.find("patternProperties");
    const json::value* rest = p.find("additionalProperties");
    std::vector<std::string> unwanted;
    for (const auto& [name, member] : object) {
      if (exhausted_) return;
      const std::string where = below(p.where, name);
      bool known = false;
      if (properties != nullptr && properties->is_object()) {
        if (const json::value* schema = properties->get_object().if_contains(name)) {
          known = true;
          check(*schema, below(below(p.at, "properties"), name), member, where);
        }
      }
      if (patterns != nullptr && patterns->is_object()) {
        for (const auto& [expression, schema] : patterns->get_object()) {
          if (match(p, std::string(expression), name) != Pattern::Outcome::Match) continue;
          known = true;
          check(schema, below(below(p.at, "patternProperties"), expression), member, where);
        }
      }
      if (known || rest == nullptr) continue;
      if (rest->is_object()) check(*rest, below(p.at, "additionalProperties"), member, where);
      if (rest->is_bool() && !rest->get_bool()) unwanted.emplace_back(name);
    }
    if (unwanted.empty()) return;
    add(p, "additionalProperties",
        "object instance has properties which are not allowed by the schema: " + text_list(unwanted),
        {{"unwanted", text_list(unwanted)}});
  }

  void check_dependencies(const Place& p, const json::object& object) {
    const json::value* dependencies = p.find("dependencies");
    if (dependencies == nullptr || !dependencies->is_object()) return;
    for (const auto& [name, need] : dependencies->get_object()) {
      if (!object.contains(name)) continue;
      if (need.is_object()) {
        check(need, below(below(p.at, "dependencies"), name), p.value, p.where);
        continue;
      }
      std::vector<std::string> missing;
      const auto want = [&](const json::value& other) {
        if (other.is_string() && !object.contains(other.get_string())) missing.emplace_back(other.get_string());
      };
      if (need.is_array()) {
        for (const json::value& other : need.get_array()) want(other);
      } else {
        want(need);
      }
      if (!missing.empty()) {
        add(p, "dependencies", fmt::format("property {} of object has missing property dependencies ({})", quoted(name),
                                           text_list(missing)),
            {{"property", quoted(name)}, {"missing", text_list(missing)}});
      }
    }
  }

  const json::value& root_;
  std::vector<Violation> violations_;
  std::map<std::string, base::Result<Pattern>> patterns_;
  size_t steps_ = 0;
  int depth_ = 0;
  bool exhausted_ = false;
};

/// The defaults below one schema; false: there are none.
bool collect_defaults(const json::value& schema, json::value& out, int depth) {
  if (!schema.is_object() || depth > kMaxDepth) return false;
  if (const json::value* own = schema.get_object().if_contains("default")) {
    out = *own;
    return true;
  }
  const json::value* properties = schema.get_object().if_contains("properties");
  if (properties == nullptr || !properties->is_object()) return false;
  json::object object;
  for (const auto& [name, member] : properties->get_object()) {
    json::value value;
    if (collect_defaults(member, value, depth + 1)) object[name] = std::move(value);
  }
  if (object.empty()) return false;
  out = std::move(object);
  return true;
}

}  // namespace

std::vector<Violation> validate(const json::value& schema, const json::value& instance) {
  Validator validator(schema);
  validator.check(schema, "", instance, "");
  // A check inside "anyOf" may have hit the limit without a trace.
  const bool exhausted = validator.exhausted();
  auto violations = validator.take();
  if (exhausted && violations.empty()) {
    violations.push_back({"", "", "$ref", "this schema takes too much work: it refers to itself or is too large",
                          "syntax"});
  }
  return violations;
}

json::object defaults_of(const json::value& schema) {
  json::object out;
  const json::value* properties = schema.is_object() ? schema.get_object().if_contains("properties") : nullptr;
  if (properties == nullptr || !properties->is_object()) return out;
  for (const auto& [name, member] : properties->get_object()) {
    json::value value;
    if (collect_defaults(member, value, 0)) out[name] = std::move(value);
  }
  return out;
}

void merge_into(json::object& under, const json::object& over) {
  for (const auto& [name, value] : over) {
    json::value* own = under.if_contains(name);
    if (own != nullptr && own->is_object() && value.is_object()) {
      merge_into(own->get_object(), value.get_object());
    } else {
      under[name] = value;
    }
  }
}

}  // namespace universe
