#pragma once

// Structs as JSON, for every interface that has no .proto file. Describe the struct once, beside it;
// options, if any, are found by the function's argument:
//
//   struct Volume {
//     std::string container_path;
//     std::optional<std::string> host_path;
//     Mode mode = Mode::ReadOnly;
//   };
//   BOOST_DESCRIBE_STRUCT(Volume, (), (container_path, host_path, mode))
//   inline const StructOptions& json_options(const Volume*) {
//     static const StructOptions options{
//         .naming = Naming::Camel,
//         .fields = {{.member = "container_path", .required = true}}};
//     return options;
//   }
//
//   Result<Volume> volume = base::json::parse_as<Volume>(text);
//   std::string text = base::json::to_json(*volume);
//
// Reading collects every problem, each with a JSON pointer, and keeps the initial value of a member
// whose field is absent or null. Types: bool, integers (range-checked), double, std::string,
// std::optional, std::vector, std::set, std::map with string keys, Raw, described enums and
// structs; for any other type specialise Codec.

#include <boost/describe/class.hpp>
#include <boost/describe/enum.hpp>
#include <boost/describe/enumerators.hpp>
#include <boost/describe/members.hpp>
#include <boost/json/fwd.hpp>

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/json/value.hpp"
#include "base/json/writer.hpp"
#include "base/result.hpp"

namespace base::json {

/// One thing wrong with a document: "/container/docker/image" "must be a string, not a number".
struct Problem {
  std::string pointer;
  std::string message;
  bool operator==(const Problem&) const = default;
};

/// All problems in one Unprocessable error: "/a is required; /b must be a number, not a string".
Error problems_error(const std::vector<Problem>& problems);

/// A place in a document that is being read. The reading functions say whether they set `out`; if
/// not, they have noted the problem.
class Cursor {
 public:
  Cursor(const Value& value, std::vector<Problem>& problems)
      : value_(&value), problems_(&problems) {}

  const Value& value() const { return *value_; }
  bool is_null() const;
  std::string pointer() const;

  /// Notes a problem at this place.
  void fail(std::string message) const;

  /// Notes that this object lacks a field.
  void fail_missing(std::string_view name) const;

  bool read_bool(bool& out) const;
  bool read_string(std::string& out) const;
  bool read_double(double& out) const;
  bool read_signed(int64_t& out, int64_t min, int64_t max) const;
  bool read_unsigned(uint64_t& out, uint64_t max) const;

  /// Calls `visit` for every element; false with a problem when this is not an array.
  bool each_element(const std::function<void(const Cursor& element)>& visit) const;
  bool each_member(
      const std::function<void(std::string_view name, const Cursor& member)>& visit) const;

 private:
  Cursor(const Value& value, const Cursor& parent, std::string_view name, size_t index)
      : value_(&value), problems_(parent.problems_), parent_(&parent), name_(name), index_(index) {}
  bool wrong_kind(std::string_view expected) const;

  const Value* value_;
  std::vector<Problem>* problems_;
  const Cursor* parent_ = nullptr;
  std::string_view name_;                   // of a member
  size_t index_ = static_cast<size_t>(-1);  // of an element
};

/// How member names become field names.
enum class Naming { AsDeclared, Camel };  // Camel: host_path -> hostPath

/// What happens to fields that no member stands for. A member of type Rest keeps them instead.
enum class Unknown { Ignore, Error };

/// How names of described enum values are spelled: ReadOnly -> READ_ONLY, read_only. Declare
/// `EnumNaming json_enum_naming(const E*)` beside the enum.
enum class EnumNaming { AsDeclared, UpperSnake, LowerSnake };

struct FieldOptions {
  const char* member = "";
  std::string name{};                  // empty: by the naming of the struct
  std::vector<std::string> aliases{};  // older names that are read too
  bool required = false;
  bool omit_empty = false;  // do not write an empty string or container
  bool read_only = false;   // never written: input that is normalised away
};

struct StructOptions {
  Naming naming = Naming::AsDeclared;
  Unknown unknown = Unknown::Ignore;
  std::vector<FieldOptions> fields{};
};

/// A finished JSON text: carried, not understood.
struct Raw {
  std::string text = "null";
  bool operator==(const Raw&) const = default;
};

/// As a member: takes the unknown fields of its struct and writes them back.
struct Rest {
  std::map<std::string, Raw> fields;
  bool operator==(const Rest&) const = default;
};

/// How T is read and written. read() sets `out` as far as the document allows and notes problems.
template <class T>
struct Codec;

template <class T>
void write(Writer& out, const T& value) {
  Codec<T>::write(out, value);
}

template <class T>
std::string to_json(const T& value) {
  std::string text;
  Writer writer(text);
  Codec<T>::write(writer, value);
  return text;
}

/// Reads `value` into `out`; no problems: success.
template <class T>
std::vector<Problem> read(const Value& value, T& out) {
  std::vector<Problem> problems;
  Codec<T>::read(Cursor(value, problems), out);
  return problems;
}

/// Parses `text` and hands its root to `visit`. The status tells whether it is JSON at all.
Status parse_and_visit(std::string_view text, const ParseOptions& options,
                       std::vector<Problem>& problems,
                       const std::function<void(const Cursor&)>& visit);

/// As read, from text. The status tells whether it is JSON at all, `problems` what is wrong with
/// its content.
template <class T>
Status read_text(std::string_view text, T& out, std::vector<Problem>& problems,
                 const ParseOptions& options = {}) {
  return parse_and_visit(text, options, problems,
                         [&out](const Cursor& root) { Codec<T>::read(root, out); });
}

/// A new T from text; all problems in one error.
template <class T>
Result<T> parse_as(std::string_view text, const ParseOptions& options = {}) {
  T out{};
  std::vector<Problem> problems;
  RETURN_IF_ERROR(read_text(text, out, problems, options));
  if (!problems.empty()) return problems_error(problems);
  return out;
}

namespace internal {

struct MemberPlan {
  std::string member;
  bool nullable = false, is_rest = false;
  void (*read)(const Cursor& from, void* object) = nullptr;
  void (*write)(Writer& out, const void* object) = nullptr;
  bool (*absent)(const void* object) = nullptr;  // nothing to write
  bool (*empty)(const void* object) = nullptr;   // nothing to write if omit_empty
  Rest* (*rest)(void* object) = nullptr;
  // From the options:
  std::string name{};
  std::vector<std::string> aliases{};
  bool required = false, omit_empty = false, read_only = false;
};

struct StructPlan {
  std::vector<MemberPlan> members;
  Unknown unknown = Unknown::Ignore;
};

struct EnumPlan {
  std::vector<std::pair<std::string, int64_t>> values;
};

StructPlan make_struct_plan(std::vector<MemberPlan> members, const StructOptions& options);
void read_struct(const Cursor& from, void* object, const StructPlan& plan);
void write_struct(Writer& out, const void* object, const StructPlan& plan);

EnumPlan make_enum_plan(std::vector<std::pair<std::string, int64_t>> values, EnumNaming naming);
bool read_enum(const Cursor& from, int64_t& out, const EnumPlan& plan);
void write_enum(Writer& out, int64_t value, const EnumPlan& plan);
std::string render_raw(const Cursor& from);

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

template <class T, class Descriptor>
MemberPlan member_plan() {
  using Field = std::remove_cvref_t<decltype(std::declval<T&>().*Descriptor::pointer)>;
  MemberPlan plan;
  plan.member = Descriptor::name;
  if constexpr (std::is_same_v<Field, Rest>) {
    plan.is_rest = true;
    plan.rest = [](void* object) -> Rest* {
      return &(static_cast<T*>(object)->*Descriptor::pointer);
    };
  } else {
    plan.nullable = kIsOptional<Field> || std::is_same_v<Field, Raw>;
    plan.read = [](const Cursor& from, void* object) {
      Codec<Field>::read(from, static_cast<T*>(object)->*Descriptor::pointer);
    };
    plan.write = [](Writer& out, const void* object) {
      Codec<Field>::write(out, static_cast<const T*>(object)->*Descriptor::pointer);
    };
    if constexpr (kIsOptional<Field>) {
      plan.absent = [](const void* object) {
        return !(static_cast<const T*>(object)->*Descriptor::pointer).has_value();
      };
    }
    if constexpr (requires(const Field& field) { field.empty(); }) {
      plan.empty = [](const void* object) {
        return (static_cast<const T*>(object)->*Descriptor::pointer).empty();
      };
    }
  }
  return plan;
}

template <class T, template <class...> class List, class... Descriptors>
std::vector<MemberPlan> member_plans(List<Descriptors...>) {
  std::vector<MemberPlan> plans;
  plans.reserve(sizeof...(Descriptors));
  (plans.push_back(member_plan<T, Descriptors>()), ...);
  return plans;
}

template <class T>
const StructPlan& struct_plan() {
  using Members = boost::describe::describe_members<T, boost::describe::mod_any_access |
                                                           boost::describe::mod_inherited>;
  static const StructPlan plan = [] {
    if constexpr (requires { json_options(static_cast<const T*>(nullptr)); }) {
      return make_struct_plan(member_plans<T>(Members()),
                              json_options(static_cast<const T*>(nullptr)));
    } else {
      return make_struct_plan(member_plans<T>(Members()), StructOptions());
    }
  }();
  return plan;
}

template <template <class...> class List, class... Descriptors>
std::vector<std::pair<std::string, int64_t>> enum_values(List<Descriptors...>) {
  return {{std::string(Descriptors::name), static_cast<int64_t>(Descriptors::value)}...};
}

template <class E>
const EnumPlan& enum_plan() {
  static const EnumPlan plan = [] {
    EnumNaming naming = EnumNaming::AsDeclared;
    if constexpr (requires { json_enum_naming(static_cast<const E*>(nullptr)); }) {
      naming = json_enum_naming(static_cast<const E*>(nullptr));
    }
    return make_enum_plan(enum_values(boost::describe::describe_enumerators<E>()), naming);
  }();
  return plan;
}

}  // namespace internal

template <>
struct Codec<bool> {
  static void read(const Cursor& from, bool& out) { from.read_bool(out); }
  static void write(Writer& out, bool value) { out.value(value); }
};

template <>
struct Codec<std::string> {
  static void read(const Cursor& from, std::string& out) { from.read_string(out); }
  static void write(Writer& out, const std::string& value) { out.value(value); }
};

template <std::floating_point T>
struct Codec<T> {
  static void read(const Cursor& from, T& out) {
    double number = 0;
    if (from.read_double(number)) out = static_cast<T>(number);
  }
  static void write(Writer& out, T value) { out.value(static_cast<double>(value)); }
};

template <std::signed_integral T>
struct Codec<T> {
  static void read(const Cursor& from, T& out) {
    int64_t number = 0;
    if (from.read_signed(number, std::numeric_limits<T>::min(), std::numeric_limits<T>::max())) {
      out = static_cast<T>(number);
    }
  }
  static void write(Writer& out, T value) { out.value(value); }
};

template <std::unsigned_integral T>
struct Codec<T> {
  static void read(const Cursor& from, T& out) {
    uint64_t number = 0;
    if (from.read_unsigned(number, std::numeric_limits<T>::max())) out = static_cast<T>(number);
  }
  static void write(Writer& out, T value) { out.value(value); }
};

template <class T>
struct Codec<std::optional<T>> {
  static void read(const Cursor& from, std::optional<T>& out) {
    if (from.is_null()) {
      out.reset();
    } else {
      Codec<T>::read(from, out.emplace());
    }
  }
  static void write(Writer& out, const std::optional<T>& value) {
    if (value) {
      Codec<T>::write(out, *value);
    } else {
      out.null();
    }
  }
};

template <class T>
struct Codec<std::vector<T>> {
  static void read(const Cursor& from, std::vector<T>& out) {
    out.clear();
    from.each_element([&out](const Cursor& element) {
      T value{};
      Codec<T>::read(element, value);
      out.push_back(std::move(value));
    });
  }
  static void write(Writer& out, const std::vector<T>& values) {
    out.begin_array();
    for (const T& value : values) Codec<T>::write(out, value);
    out.end_array();
  }
};

template <class T>
struct Codec<std::set<T>> {
  static void read(const Cursor& from, std::set<T>& out) {
    out.clear();
    from.each_element([&out](const Cursor& element) {
      T value{};
      Codec<T>::read(element, value);
      out.insert(std::move(value));
    });
  }
  static void write(Writer& out, const std::set<T>& values) {
    out.begin_array();
    for (const T& value : values) Codec<T>::write(out, value);
    out.end_array();
  }
};

template <class T>
struct Codec<std::map<std::string, T>> {
  static void read(const Cursor& from, std::map<std::string, T>& out) {
    out.clear();
    from.each_member([&out](std::string_view name, const Cursor& member) {
      Codec<T>::read(member, out[std::string(name)]);
    });
  }
  static void write(Writer& out, const std::map<std::string, T>& values) {
    out.begin_object();
    for (const auto& [name, value] : values) {
      out.key(name);
      Codec<T>::write(out, value);
    }
    out.end_object();
  }
};

template <>
struct Codec<Raw> {
  static void read(const Cursor& from, Raw& out) { out.text = internal::render_raw(from); }
  static void write(Writer& out, const Raw& value) { out.raw(value.text); }
};

template <class E>
requires std::is_enum_v<E>
struct Codec<E> {
  static void read(const Cursor& from, E& out) {
    int64_t value = 0;
    if (internal::read_enum(from, value, internal::enum_plan<E>())) out = static_cast<E>(value);
  }
  static void write(Writer& out, E value) {
    internal::write_enum(out, static_cast<int64_t>(value), internal::enum_plan<E>());
  }
};

template <class T>
requires boost::describe::has_describe_members<T>::value struct Codec<T> {
  static void read(const Cursor& from, T& out) {
    internal::read_struct(from, &out, internal::struct_plan<T>());
  }
  static void write(Writer& out, const T& value) {
    internal::write_struct(out, &value, internal::struct_plan<T>());
  }
};

}  // namespace base::json
