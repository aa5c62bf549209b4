#pragma once

// Inside of proto.cpp and proto_reader.cpp: what the codec knows about a message type, found out
// once.

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace base::json {

class ProtoDialect;

namespace internal {

struct MessagePlan;

/// Names of an enum's values in a dialect.
struct EnumPlan {
  std::vector<std::string>
      quoted;  // by number, with quotes; empty where there is none; small numbers only
  std::unordered_map<std::string, const google::protobuf::EnumValueDescriptor*> by_name;
  std::unordered_map<int, std::string> quoted_others;
};

struct FieldPlan {
  const google::protobuf::FieldDescriptor* field = nullptr;
  google::protobuf::FieldDescriptor::CppType type{};
  bool is_bytes = false, is_repeated = false, is_map = false;
  bool write_unset = false;  // a default to show, or an empty list to show
  std::string name;
  std::string key;  // for Writer::raw_key
  const MessagePlan* message = nullptr;
  const EnumPlan* enumeration = nullptr;
};

struct MessagePlan {
  std::vector<FieldPlan> fields;  // in the order of declaration
  std::unordered_map<std::string_view, const FieldPlan*> by_name;
};

/// Made on first use, kept for the life of the process. Thread-safe.
const MessagePlan& plan_of(const google::protobuf::Descriptor& type, const ProtoDialect& dialect);

}  // namespace internal
}  // namespace base::json
