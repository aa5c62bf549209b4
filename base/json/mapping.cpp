#include "base/json/mapping.hpp"

#include <boost/json.hpp>

#include <algorithm>

namespace base::json {

namespace {

std::string_view view(const boost::json::string_view text) {
  return {text.data(), text.size()};
}

std::string camel(std::string_view snake) {
  std::string out;
  bool upper = false;
  for (const char c : snake) {
    if (c == '_') {
      upper = true;
      continue;
    }
    out += upper && c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    upper = false;
  }
  return out;
}

// "ReadOnly" -> "READ_ONLY" or "read_only"; an underscore stands before each capital that follows
// something else.
std::string snake(std::string_view name, bool upper) {
  std::string out;
  for (size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    const bool capital = c >= 'A' && c <= 'Z';
    const bool after_capital = i > 0 && name[i - 1] >= 'A' && name[i - 1] <= 'Z';
    if (capital && i > 0 && !after_capital && name[i - 1] != '_') out += '_';
    if (upper) {
      out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    } else {
      out += capital ? static_cast<char>(c - 'A' + 'a') : c;
    }
  }
  return out;
}

}  // namespace

Error problems_error(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!text.empty()) text += "; ";
    text += (problem.pointer.empty() ? std::string("the document") : problem.pointer) + " " +
            problem.message;
  }
  return {Code::Unprocessable, text};
}

bool Cursor::is_null() const {
  return value_->is_null();
}

std::string Cursor::pointer() const {
  if (parent_ == nullptr) return {};
  const bool element = index_ != static_cast<size_t>(-1);
  return parent_->pointer() + "/" + (element ? std::to_string(index_) : escape_pointer(name_));
}

void Cursor::fail(std::string message) const {
  problems_->push_back({pointer(), std::move(message)});
}

void Cursor::fail_missing(std::string_view name) const {
  problems_->push_back({pointer() + "/" + escape_pointer(name), "is required"});
}

bool Cursor::wrong_kind(std::string_view expected) const {
  const std::string found = value_->is_number() ? render(*value_) : std::string(kind_name(*value_));
  fail("must be " + std::string(expected) + ", not " + found);
  return false;
}

bool Cursor::read_bool(bool& out) const {
  if (!value_->is_bool()) return wrong_kind("a boolean");
  out = value_->get_bool();
  return true;
}

bool Cursor::read_string(std::string& out) const {
  if (!value_->is_string()) return wrong_kind("a string");
  out = view(value_->get_string());
  return true;
}

bool Cursor::read_double(double& out) const {
  return to_double(*value_, out) || wrong_kind("a number");
}

bool Cursor::read_signed(int64_t& out, int64_t min, int64_t max) const {
  int64_t number = 0;
  if (to_int(*value_, number) && number >= min && number <= max) {
    out = number;
    return true;
  }
  if (min == std::numeric_limits<int64_t>::min()) return wrong_kind("a whole number");
  return wrong_kind("a whole number from " + std::to_string(min) + " to " + std::to_string(max));
}

bool Cursor::read_unsigned(uint64_t& out, uint64_t max) const {
  uint64_t number = 0;
  if (to_uint(*value_, number) && number <= max) {
    out = number;
    return true;
  }
  if (max == std::numeric_limits<uint64_t>::max())
    return wrong_kind("a whole number that is not negative");
  return wrong_kind("a whole number from 0 to " + std::to_string(max));
}

bool Cursor::each_element(const std::function<void(const Cursor&)>& visit) const {
  const boost::json::array* array = value_->if_array();
  if (array == nullptr) return wrong_kind("an array");
  for (size_t i = 0; i < array->size(); ++i) visit(Cursor((*array)[i], *this, {}, i));
  return true;
}

bool Cursor::each_member(const std::function<void(std::string_view, const Cursor&)>& visit) const {
  const boost::json::object* object = value_->if_object();
  if (object == nullptr) return wrong_kind("an object");
  for (const auto& member : *object) {
    const std::string_view name = view(member.key());
    visit(name, Cursor(member.value(), *this, name, static_cast<size_t>(-1)));
  }
  return true;
}

Status parse_and_visit(std::string_view text, const ParseOptions& options,
                       std::vector<Problem>& problems,
                       const std::function<void(const Cursor&)>& visit) {
  boost::json::monotonic_resource memory;
  ASSIGN_OR_RETURN(const Value value, parse(text, options, &memory));
  visit(Cursor(value, problems));
  return {};
}

namespace internal {

StructPlan make_struct_plan(std::vector<MemberPlan> members, const StructOptions& options) {
  for (MemberPlan& member : members) {
    member.name = options.naming == Naming::Camel ? camel(member.member) : member.member;
  }
  for (const FieldOptions& field : options.fields) {
    const auto member =
        std::find_if(members.begin(), members.end(),
                     [&](const MemberPlan& candidate) { return candidate.member == field.member; });
    CHECK_MSG(member != members.end(),
              std::string("json_options names no described member: ") + field.member);
    if (!field.name.empty()) member->name = field.name;
    member->aliases = field.aliases;
    member->required = field.required;
    member->omit_empty = field.omit_empty;
    member->read_only = field.read_only;
  }
  return {std::move(members), options.unknown};
}

void read_struct(const Cursor& from, void* object, const StructPlan& plan) {
  std::vector<bool> seen(plan.members.size(), false);
  Rest* rest = nullptr;
  for (const MemberPlan& member : plan.members) {
    if (member.is_rest) rest = member.rest(object);
  }
  const bool is_object = from.each_member([&](std::string_view name, const Cursor& field) {
    for (size_t i = 0; i < plan.members.size(); ++i) {
      const MemberPlan& member = plan.members[i];
      if (member.is_rest ||
          (name != member.name &&
           std::find(member.aliases.begin(), member.aliases.end(), name) == member.aliases.end())) {
        continue;
      }
      if (field.is_null() && !member.nullable) return;
      seen[i] = !field.is_null();
      member.read(field, object);
      return;
    }
    if (rest != nullptr) {
      rest->fields[std::string(name)].text = render_raw(field);
    } else if (plan.unknown == Unknown::Error) {
      field.fail("is not a known field");
    }
  });
  if (!is_object) return;
  for (size_t i = 0; i < plan.members.size(); ++i) {
    if (!plan.members[i].required || seen[i]) continue;
    from.fail_missing(plan.members[i].name);
  }
}

void write_struct(Writer& out, const void* object, const StructPlan& plan) {
  out.begin_object();
  for (const MemberPlan& member : plan.members) {
    if (member.is_rest) {
      for (const auto& [name, raw] : member.rest(const_cast<void*>(object))->fields) {
        out.key(name);
        out.raw(raw.text);
      }
      continue;
    }
    if (member.read_only || (member.absent != nullptr && member.absent(object))) continue;
    if (member.omit_empty && member.empty != nullptr && member.empty(object)) continue;
    out.key(member.name);
    member.write(out, object);
  }
  out.end_object();
}

EnumPlan make_enum_plan(std::vector<std::pair<std::string, int64_t>> values, EnumNaming naming) {
  if (naming != EnumNaming::AsDeclared) {
    for (auto& [name, number] : values) name = snake(name, naming == EnumNaming::UpperSnake);
  }
  return {std::move(values)};
}

bool read_enum(const Cursor& from, int64_t& out, const EnumPlan& plan) {
  std::string text;
  if (!from.read_string(text)) return false;
  std::string choices;
  for (const auto& [name, number] : plan.values) {
    if (name == text) {
      out = number;
      return true;
    }
    choices += (choices.empty() ? "\"" : ", \"") + name + "\"";
  }
  from.fail("must be one of " + choices + ", not \"" + text + "\"");
  return false;
}

void write_enum(Writer& out, int64_t value, const EnumPlan& plan) {
  for (const auto& [name, number] : plan.values) {
    if (number == value) return out.value(name);
  }
  out.null();
}

std::string render_raw(const Cursor& from) {
  return render(from.value());
}

}  // namespace internal
}  // namespace base::json
