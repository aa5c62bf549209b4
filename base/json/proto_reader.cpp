#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>
#include <boost/json.hpp>

#include <cmath>
#include <limits>
#include <optional>

#include "base/json/proto.hpp"
#include "base/json/proto_plan.hpp"
#include "base/json/value.hpp"
#include "base/numbers.hpp"
#include "base/strings.hpp"

namespace base::json {

namespace {

namespace pb = google::protobuf;
using internal::FieldPlan;
using internal::MessagePlan;
using pb::FieldDescriptor;

// What is wrong and where; the pointer grows at the front on the way up.
struct Problem {
  std::string message;
  std::string pointer;
};
using Outcome = std::optional<Problem>;

std::string_view view(const boost::json::string& text) {
  return {text.data(), text.size()};
}

Problem problem(std::string message) {
  return {std::move(message), {}};
}

Problem in_field(const FieldPlan& plan, Problem inner) {
  inner.pointer = "/" + escape_pointer(plan.name) + inner.pointer;
  return inner;
}

Problem unexpected(const FieldPlan& plan, std::string_view kind) {
  return problem("Not expecting a JSON " + std::string(kind) + " for field '" + plan.name + "'");
}

Outcome read_message(const boost::json::object& object, pb::Message& message,
                     const MessagePlan& plan);
Outcome read_field(const Value& value, pb::Message& message, const FieldPlan& plan);

// Each sets a singular field or appends to a repeated one.
void put_double(pb::Message& message, const FieldPlan& plan, double value) {
  const pb::Reflection& to = *message.GetReflection();
  plan.is_repeated ? to.AddDouble(&message, plan.field, value)
                   : to.SetDouble(&message, plan.field, value);
}

void put_float(pb::Message& message, const FieldPlan& plan, float value) {
  const pb::Reflection& to = *message.GetReflection();
  plan.is_repeated ? to.AddFloat(&message, plan.field, value)
                   : to.SetFloat(&message, plan.field, value);
}

void put_bool(pb::Message& message, const FieldPlan& plan, bool value) {
  const pb::Reflection& to = *message.GetReflection();
  plan.is_repeated ? to.AddBool(&message, plan.field, value)
                   : to.SetBool(&message, plan.field, value);
}

void put_string(pb::Message& message, const FieldPlan& plan, std::string value) {
  const pb::Reflection& to = *message.GetReflection();
  plan.is_repeated ? to.AddString(&message, plan.field, std::move(value))
                   : to.SetString(&message, plan.field, std::move(value));
}

Outcome read_signed(const Value& value, pb::Message& message, const FieldPlan& plan) {
  const pb::Reflection& to = *message.GetReflection();
  const bool narrow = plan.type == FieldDescriptor::CPPTYPE_INT32;
  int64_t number = 0;
  if (!to_int(value, number) || (narrow && (number < std::numeric_limits<int32_t>::min() ||
                                            number > std::numeric_limits<int32_t>::max()))) {
    return problem("Expecting a " + std::string(narrow ? "32" : "64") + "-bit integer for field '" +
                   plan.name + "'");
  }
  if (narrow) {
    const auto small = static_cast<int32_t>(number);
    plan.is_repeated ? to.AddInt32(&message, plan.field, small)
                     : to.SetInt32(&message, plan.field, small);
  } else {
    plan.is_repeated ? to.AddInt64(&message, plan.field, number)
                     : to.SetInt64(&message, plan.field, number);
  }
  return {};
}

Outcome read_unsigned(const Value& value, pb::Message& message, const FieldPlan& plan) {
  const pb::Reflection& to = *message.GetReflection();
  const bool narrow = plan.type == FieldDescriptor::CPPTYPE_UINT32;
  uint64_t number = 0;
  if (!to_uint(value, number) || (narrow && number > std::numeric_limits<uint32_t>::max())) {
    return problem("Expecting a " + std::string(narrow ? "32" : "64") +
                   "-bit unsigned integer for field '" + plan.name + "'");
  }
  if (narrow) {
    const auto small = static_cast<uint32_t>(number);
    plan.is_repeated ? to.AddUInt32(&message, plan.field, small)
                     : to.SetUInt32(&message, plan.field, small);
  } else {
    plan.is_repeated ? to.AddUInt64(&message, plan.field, number)
                     : to.SetUInt64(&message, plan.field, number);
  }
  return {};
}

Outcome read_number(const Value& value, pb::Message& message, const FieldPlan& plan) {
  double number = 0;
  switch (plan.type) {
    case FieldDescriptor::CPPTYPE_INT32:
    case FieldDescriptor::CPPTYPE_INT64:
      return read_signed(value, message, plan);
    case FieldDescriptor::CPPTYPE_UINT32:
    case FieldDescriptor::CPPTYPE_UINT64:
      return read_unsigned(value, message, plan);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      to_double(value, number);
      put_double(message, plan, number);
      return {};
    case FieldDescriptor::CPPTYPE_FLOAT:
      to_double(value, number);
      if (std::abs(number) > static_cast<double>(std::numeric_limits<float>::max()) &&
          std::isfinite(number)) {
        return problem("Expecting a 32-bit number for field '" + plan.name + "'");
      }
      put_float(message, plan, static_cast<float>(number));
      return {};
    default:
      return unexpected(plan, "number");
  }
}

// A number or boolean that stands in a string.
Outcome read_quoted(std::string_view text, pb::Message& message, const FieldPlan& plan) {
  if (plan.type == FieldDescriptor::CPPTYPE_BOOL) {
    if (text != "true" && text != "false") {
      return problem("Failed to parse '" + std::string(text) + "' as a JSON boolean for field '" +
                     plan.name + "'");
    }
    put_bool(message, plan, text == "true");
    return {};
  }
  const bool fractional =
      plan.type == FieldDescriptor::CPPTYPE_DOUBLE || plan.type == FieldDescriptor::CPPTYPE_FLOAT;
  if (fractional && (text == "Infinity" || text == "-Infinity")) {
    const double infinity = std::numeric_limits<double>::infinity();
    return read_number(Value(text[0] == '-' ? -infinity : infinity), message, plan);
  }
  if (const auto integer = parse_int(text)) return read_number(Value(*integer), message, plan);
  if (const auto natural = parse_uint(text)) return read_number(Value(*natural), message, plan);
  if (const auto number = parse_double(text)) return read_number(Value(*number), message, plan);
  return problem("Failed to parse '" + std::string(text) + "' as a JSON number for field '" +
                 plan.name + "'");
}

Outcome read_enum(std::string_view text, pb::Message& message, const FieldPlan& plan) {
  const pb::Reflection& to = *message.GetReflection();
  const auto found = plan.enumeration->by_name.find(std::string(text));
  if (found == plan.enumeration->by_name.end()) {
    // A name from a later version: where the field may be absent, it is.
    if (plan.field->is_required())
      return problem("Failed to find enum for '" + std::string(text) + "'");
    return {};
  }
  plan.is_repeated ? to.AddEnum(&message, plan.field, found->second)
                   : to.SetEnum(&message, plan.field, found->second);
  return {};
}

Outcome read_string(std::string_view text, pb::Message& message, const FieldPlan& plan) {
  switch (plan.type) {
    case FieldDescriptor::CPPTYPE_STRING: {
      if (!plan.is_bytes) {
        put_string(message, plan, std::string(text));
        return {};
      }
      std::string bytes;
      if (!base64_decode(text, bytes)) {
        return problem("Failed to base64 decode bytes field '" + plan.name + "'");
      }
      put_string(message, plan, std::move(bytes));
      return {};
    }
    case FieldDescriptor::CPPTYPE_ENUM:
      return read_enum(text, message, plan);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      return unexpected(plan, "string");
    default:
      return read_quoted(text, message, plan);
  }
}

Outcome read_map(const boost::json::object& object, pb::Message& message, const FieldPlan& plan) {
  const FieldPlan& key = plan.message->fields[0];
  const FieldPlan& content = plan.message->fields[1];
  for (const auto& member : object) {
    if (member.value().is_null()) continue;
    const std::string_view name(member.key().data(), member.key().size());
    pb::Message& entry = *message.GetReflection()->AddMessage(&message, plan.field);
    Outcome outcome = read_string(name, entry, key);
    if (!outcome) outcome = read_field(member.value(), entry, content);
    if (outcome) {
      outcome->pointer = "/" + escape_pointer(name) + outcome->pointer;
      return outcome;
    }
  }
  return {};
}

Outcome read_array(const boost::json::array& array, pb::Message& message, const FieldPlan& plan) {
  if (!plan.is_repeated || plan.is_map) return unexpected(plan, "array");
  size_t index = 0;
  for (const Value& element : array) {
    // An array in an array is no way to write a list.
    Outcome outcome =
        element.is_array() ? unexpected(plan, "array") : read_field(element, message, plan);
    if (outcome) {
      outcome->pointer = "/" + std::to_string(index) + outcome->pointer;
      return outcome;
    }
    ++index;
  }
  return {};
}

Outcome read_object(const boost::json::object& object, pb::Message& message,
                    const FieldPlan& plan) {
  if (plan.type != FieldDescriptor::CPPTYPE_MESSAGE) return unexpected(plan, "object");
  if (plan.is_map) return read_map(object, message, plan);
  const pb::Reflection& to = *message.GetReflection();
  pb::Message* inner = plan.is_repeated ? to.AddMessage(&message, plan.field)
                                        : to.MutableMessage(&message, plan.field);
  return read_message(object, *inner, *plan.message);
}

Outcome read_field(const Value& value, pb::Message& message, const FieldPlan& plan) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return {};
    case boost::json::kind::bool_:
      if (plan.type != FieldDescriptor::CPPTYPE_BOOL) return unexpected(plan, "boolean");
      put_bool(message, plan, value.get_bool());
      return {};
    case boost::json::kind::int64:
    case boost::json::kind::uint64:
    case boost::json::kind::double_:
      return read_number(value, message, plan);
    case boost::json::kind::string:
      return read_string(view(value.get_string()), message, plan);
    case boost::json::kind::array:
      return read_array(value.get_array(), message, plan);
    case boost::json::kind::object:
      return read_object(value.get_object(), message, plan);
  }
  return {};
}

Outcome read_message(const boost::json::object& object, pb::Message& message,
                     const MessagePlan& plan) {
  for (const auto& member : object) {
    const auto found =
        plan.by_name.find(std::string_view(member.key().data(), member.key().size()));
    if (found == plan.by_name.end()) continue;
    if (Outcome outcome = read_field(member.value(), message, *found->second)) {
      return in_field(*found->second, std::move(*outcome));
    }
  }
  return {};
}

}  // namespace

Status proto_from_json(const Value& value, pb::Message& message, const ProtoDialect& dialect) {
  message.Clear();
  const boost::json::object* object = value.if_object();
  if (object == nullptr) return invalid("Expecting a JSON object");
  if (const Outcome outcome =
          read_message(*object, message, internal::plan_of(*message.GetDescriptor(), dialect))) {
    return invalid(outcome->message + " (at " + outcome->pointer + ")");
  }
  if (!message.IsInitialized()) {
    return invalid("Missing required fields: " + message.InitializationErrorString());
  }
  return {};
}

Status proto_from_json(std::string_view text, pb::Message& message, const ProtoDialect& dialect) {
  boost::json::monotonic_resource memory;
  ASSIGN_OR_RETURN(const Value value, parse(text, ParseOptions(), &memory));
  return proto_from_json(value, message, dialect);
}

}  // namespace base::json
