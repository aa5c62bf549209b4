#pragma once

// Protobuf messages as JSON by the kernel's rules, which are not those of proto3's canonical JSON:
// names as in the .proto file, enums by name, bytes in base64, 64-bit integers as numbers, integral
// doubles as "1.0". Works on any message by reflection; plans are made once per message type.

#include <boost/json/fwd.hpp>

#include <string>
#include <string_view>

#include "base/json/writer.hpp"
#include "base/result.hpp"

namespace google::protobuf {
class EnumValueDescriptor;
class FieldDescriptor;
class Message;
}  // namespace google::protobuf

namespace base::json {

/// How names are spelled, for interfaces that spell them differently. Asked once per message type;
/// a dialect lives as long as the process. Names must stay distinct within a message or an enum.
class ProtoDialect {
 public:
  virtual ~ProtoDialect() = default;
  virtual std::string field_name(const google::protobuf::FieldDescriptor& field) const;
  virtual std::string enum_name(const google::protobuf::EnumValueDescriptor& value) const;

  /// True: this repeated field is written as [] (a map as {}) when it is empty. Default: it is left
  /// out.
  virtual bool write_empty(const google::protobuf::FieldDescriptor& field) const;
};

/// Names as in the .proto file.
const ProtoDialect& plain_dialect();

/// Writes: fields that are set, and unset ones that declare a default and are not deprecated; no
/// empty lists and maps; map entries sorted by key; unknown fields not at all.
void write_proto(Writer& out, const google::protobuf::Message& message,
                 const ProtoDialect& dialect = plain_dialect());

std::string proto_to_json(const google::protobuf::Message& message,
                          const ProtoDialect& dialect = plain_dialect());

/// Replaces `message` by what `text` says; on error its content is unspecified. Tolerated: unknown
/// names and null (both ignored), numbers and booleans in strings, a single value for a list, an
/// unknown name for an enum that is not required (left unset). Not tolerated: a number that the
/// field cannot hold, another kind of value, bad base64. Errors: "Expecting a JSON object",
/// "Missing required fields: a, b.c", or what is wrong with which field and a pointer to it.
Status proto_from_json(std::string_view text, google::protobuf::Message& message,
                       const ProtoDialect& dialect = plain_dialect());
Status proto_from_json(const boost::json::value& value, google::protobuf::Message& message,
                       const ProtoDialect& dialect = plain_dialect());

}  // namespace base::json
