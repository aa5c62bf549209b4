#include "base/json/proto.hpp"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <algorithm>
#include <vector>

#include "base/json/proto_plan.hpp"
#include "base/strings.hpp"

namespace base::json {

namespace {

namespace pb = google::protobuf;
using internal::FieldPlan;
using internal::MessagePlan;
using pb::FieldDescriptor;

void write_message(Writer& out, const pb::Message& message, const MessagePlan& plan);

void write_enum(Writer& out, const internal::EnumPlan& plan, int number) {
  if (number >= 0 && static_cast<size_t>(number) < plan.quoted.size() &&
      !plan.quoted[static_cast<size_t>(number)].empty()) {
    out.raw(plan.quoted[static_cast<size_t>(number)]);
  } else if (const auto other = plan.quoted_others.find(number);
             other != plan.quoted_others.end()) {
    out.raw(other->second);
  } else {
    out.value(number);  // only in open enums of proto3
  }
}

void write_text(Writer& out, const FieldPlan& plan, const std::string& text) {
  if (plan.is_bytes) {
    out.value(base64_encode(text));
  } else {
    out.value(text);
  }
}

void write_singular(Writer& out, const pb::Message& message, const pb::Reflection& reflection,
                    const FieldPlan& plan) {
  const FieldDescriptor* field = plan.field;
  switch (plan.type) {
    case FieldDescriptor::CPPTYPE_BOOL:
      out.value(reflection.GetBool(message, field));
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      out.value(reflection.GetInt32(message, field));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      out.value(reflection.GetInt64(message, field));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      out.value(reflection.GetUInt32(message, field));
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      out.value(reflection.GetUInt64(message, field));
      return;
    case FieldDescriptor::CPPTYPE_FLOAT:
      out.value(static_cast<double>(reflection.GetFloat(message, field)));
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      out.value(reflection.GetDouble(message, field));
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      write_enum(out, *plan.enumeration, reflection.GetEnumValue(message, field));
      return;
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      write_text(out, plan, reflection.GetStringReference(message, field, &scratch));
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      write_message(out, reflection.GetMessage(message, field), *plan.message);
      return;
  }
}

void write_element(Writer& out, const pb::Message& message, const pb::Reflection& reflection,
                   const FieldPlan& plan, int i) {
  const FieldDescriptor* field = plan.field;
  switch (plan.type) {
    case FieldDescriptor::CPPTYPE_BOOL:
      out.value(reflection.GetRepeatedBool(message, field, i));
      return;
    case FieldDescriptor::CPPTYPE_INT32:
      out.value(reflection.GetRepeatedInt32(message, field, i));
      return;
    case FieldDescriptor::CPPTYPE_INT64:
      out.value(reflection.GetRepeatedInt64(message, field, i));
      return;
    case FieldDescriptor::CPPTYPE_UINT32:
      out.value(reflection.GetRepeatedUInt32(message, field, i));
      return;
    case FieldDescriptor::CPPTYPE_UINT64:
      out.value(reflection.GetRepeatedUInt64(message, field, i));
      return;
    case FieldDescriptor::CPPTYPE_FLOAT:
      out.value(static_cast<double>(reflection.GetRepeatedFloat(message, field, i)));
      return;
    case FieldDescriptor::CPPTYPE_DOUBLE:
      out.value(reflection.GetRepeatedDouble(message, field, i));
      return;
    case FieldDescriptor::CPPTYPE_ENUM:
      write_enum(out, *plan.enumeration, reflection.GetRepeatedEnumValue(message, field, i));
      return;
    case FieldDescriptor::CPPTYPE_STRING: {
      std::string scratch;
      write_text(out, plan, reflection.GetRepeatedStringReference(message, field, i, &scratch));
      return;
    }
    case FieldDescriptor::CPPTYPE_MESSAGE:
      write_message(out, reflection.GetRepeatedMessage(message, field, i), *plan.message);
      return;
  }
}

std::string map_key(const pb::Message& entry, const FieldPlan& key) {
  const pb::Reflection& reflection = *entry.GetReflection();
  if (key.type == FieldDescriptor::CPPTYPE_STRING) return reflection.GetString(entry, key.field);
  std::string text;
  Writer writer(text);
  write_singular(writer, entry, reflection, key);
  return text;
}

void write_map(Writer& out, const pb::Message& message, const pb::Reflection& reflection,
               const FieldPlan& plan) {
  const FieldPlan& key = plan.message->fields[0];
  const FieldPlan& value = plan.message->fields[1];
  std::vector<std::pair<std::string, const pb::Message*>> entries;
  const int size = reflection.FieldSize(message, plan.field);
  entries.reserve(static_cast<size_t>(size));
  for (int i = 0; i < size; ++i) {
    const pb::Message& entry = reflection.GetRepeatedMessage(message, plan.field, i);
    entries.emplace_back(map_key(entry, key), &entry);
  }
  std::sort(entries.begin(), entries.end());
  out.begin_object();
  for (const auto& [name, entry] : entries) {
    out.key(name);
    write_singular(out, *entry, *entry->GetReflection(), value);
  }
  out.end_object();
}

void write_message(Writer& out, const pb::Message& message, const MessagePlan& plan) {
  const pb::Reflection& reflection = *message.GetReflection();
  out.begin_object();
  for (const FieldPlan& field : plan.fields) {
    if (!field.is_repeated) {
      if (!field.write_unset && !reflection.HasField(message, field.field)) continue;
      out.raw_key(field.key);
      write_singular(out, message, reflection, field);
      continue;
    }
    const int size = reflection.FieldSize(message, field.field);
    if (size == 0 && !field.write_unset) continue;
    out.raw_key(field.key);
    if (field.is_map) {
      write_map(out, message, reflection, field);
      continue;
    }
    out.begin_array();
    for (int i = 0; i < size; ++i) write_element(out, message, reflection, field, i);
    out.end_array();
  }
  out.end_object();
}

}  // namespace

std::string ProtoDialect::field_name(const FieldDescriptor& field) const {
  return field.name();
}
std::string ProtoDialect::enum_name(const pb::EnumValueDescriptor& value) const {
  return value.name();
}
bool ProtoDialect::write_empty(const FieldDescriptor&) const {
  return false;
}

const ProtoDialect& plain_dialect() {
  static const ProtoDialect dialect;
  return dialect;
}

void write_proto(Writer& out, const pb::Message& message, const ProtoDialect& dialect) {
  write_message(out, message, internal::plan_of(*message.GetDescriptor(), dialect));
}

std::string proto_to_json(const pb::Message& message, const ProtoDialect& dialect) {
  std::string text;
  // JSON takes two to four times the bytes of the wire format. What is reserved and not used is
  // never touched, whereas growing a large text step by step copies it and faults every page twice.
  text.reserve(64 + 2 * message.ByteSizeLong());
  Writer writer(text);
  write_proto(writer, message, dialect);
  return text;
}

}  // namespace base::json
